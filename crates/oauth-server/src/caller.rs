//! Who asks for a page: the browser, as far as it can be told.

use std::{convert::Infallible, net::IpAddr, sync::Arc};

use axum::extract::FromRequestParts;
use http::{HeaderMap, header, request};

use crate::{client_address::ClientAddress, device_words, http_layer::RequestId, server::Server};

/// A request by a person's browser.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) request_id: RequestId,
    pub(crate) headers: HeaderMap,
    address: Option<ClientAddress>,
}

impl Caller {
    /// The device in words, as it describes itself.
    pub(crate) fn device(&self) -> Option<String> {
        device_words::describe(self.headers.get(header::USER_AGENT)?.to_str().ok()?)
    }

    /// The network that the request comes from: enough for a person to recognise a place, too little to be an address.
    pub(crate) fn network(&self) -> Option<String> {
        self.address.map(|ClientAddress(address)| network(address))
    }
}

impl FromRequestParts<Arc<Server>> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut request::Parts,
        _server: &Arc<Server>,
    ) -> Result<Self, Self::Rejection> {
        // Every route is below the layer that gives each request its identifier.
        let request_id = parts.extensions.get().cloned().unwrap_or(RequestId(String::new()));
        let address = parts.extensions.get().copied();
        Ok(Self { request_id, headers: parts.headers.clone(), address })
    }
}

fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            format!("{}/48", std::net::Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::network;

    #[test]
    fn an_address_is_shown_as_its_network() {
        for (address, shown) in [
            ("203.0.113.77", "203.0.113.0/24"),
            ("::ffff:203.0.113.77", "203.0.113.0/24"),
            ("2001:db8:12:3456:789a::1", "2001:db8:12::/48"),
            ("::1", "::/48"),
        ] {
            assert_eq!(network(address.parse().unwrap()), shown, "{address}");
        }
    }
}
