//! Whose request it is, when proxies stand in front.

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, HeaderName};

use crate::config::Network;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies whose word counts. With none it is nobody's.
#[derive(Clone, Debug)]
pub(super) struct Proxies(Arc<[Network]>);

impl Proxies {
    pub(super) fn new(trusted: &[Network]) -> Self {
        Self(trusted.into())
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// The address of the caller: that of the connection, or as far back along `X-Forwarded-For` as everybody who vouches
    /// for it is a trusted proxy. Each proxy adds whom it heard from on the right, so what a stranger wrote is on the
    /// left of what we believe (SEC-48).
    pub(super) fn caller(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut caller = peer.to_canonical();
        let values: Vec<&str> = headers
            .get_all(X_FORWARDED_FOR)
            .iter()
            .flat_map(|value| value.to_str().unwrap_or_default().split(','))
            .collect();
        for named in values.into_iter().rev() {
            if !self.trusts(caller) {
                return caller;
            }
            let Ok(named) = named.trim().parse::<IpAddr>() else { return caller };
            caller = named.to_canonical();
        }
        caller
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{Proxies, X_FORWARDED_FOR};

    /// SEC-48: `X-Forwarded-For` from a stranger, or longer than the trusted proxies made it -> the address that a trusted proxy saw
    #[test]
    fn the_nearest_address_that_is_no_trusted_proxy_is_the_callers() {
        let (stranger, proxy, inner) = ("203.0.113.9", "10.0.0.1", "10.0.0.2");
        let cases: [(&[&str], &str, &[&str], &str); 13] = [
            (&[], stranger, &["192.0.2.1"], stranger),
            (&[], proxy, &["192.0.2.1"], proxy),
            (&["10.0.0.0/8"], stranger, &["192.0.2.1"], stranger),
            (&["10.0.0.0/8"], proxy, &[], proxy),
            (&["10.0.0.0/8"], proxy, &["192.0.2.1"], "192.0.2.1"),
            (&["10.0.0.0/8"], "::ffff:10.0.0.1", &["192.0.2.1"], "192.0.2.1"),
            (&["10.0.0.0/8"], proxy, &["6.6.6.6, 192.0.2.1"], "192.0.2.1"),
            (&["10.0.0.0/8"], proxy, &["6.6.6.6", "192.0.2.1"], "192.0.2.1"),
            (&["10.0.0.0/8"], proxy, &["6.6.6.6, 192.0.2.1, 10.0.0.2"], "192.0.2.1"),
            (&["10.0.0.0/8"], proxy, &["10.6.6.6, 10.0.0.2"], "10.6.6.6"),
            (&["10.0.0.0/8"], proxy, &["192.0.2.1, nonsense"], proxy),
            (&["10.0.0.0/8"], proxy, &["192.0.2.1,, 10.0.0.2"], inner),
            (&["10.0.0.0/8"], proxy, &["2001:db8::1"], "2001:db8::1"),
        ];
        for (trusted, peer, forwarded, expected) in cases {
            let trusted: Vec<_> = trusted.iter().map(|network| network.parse().unwrap()).collect();
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append(X_FORWARDED_FOR, HeaderValue::from_static(value));
            }
            let caller = Proxies::new(&trusted).caller(peer.parse().unwrap(), &headers);
            assert_eq!(caller.to_string(), expected, "{trusted:?} {peer} {forwarded:?}");
        }
    }
}
