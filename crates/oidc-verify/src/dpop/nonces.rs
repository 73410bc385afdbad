//! The server's nonces (RFC 9449 §8), made from the time and a secret, so that nothing is kept.

use std::fmt;
use std::num::NonZeroU32;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Whose nonces: the two servers never take each other's (RFC 9449 §9, SEC-32).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DpopServer {
    /// The one that issues tokens.
    Authorization,
    /// The one that tokens are used at.
    Resource,
}

impl DpopServer {
    fn purpose(self) -> &'static [u8] {
        match self {
            Self::Authorization => b"dpop nonce of the authorization server",
            Self::Resource => b"dpop nonce of the resource server",
        }
    }
}

/// Makes and recognises the nonces of one server. All replicas with the same secret and period agree.
///
/// A nonce is the HMAC of a slot of time. One of the current or of the previous slot is good, so each is good for one to
/// two periods.
#[derive(Clone)]
pub struct DpopNonces {
    key: hmac::Key,
    server: DpopServer,
    period: NonZeroU32,
}

impl DpopNonces {
    /// The nonces of `server` that change every `period` seconds.
    #[must_use]
    pub fn new(secret: &[u8; 32], server: DpopServer, period: NonZeroU32) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret), server, period }
    }

    /// The nonce to hand out now.
    #[must_use]
    pub fn current(&self, now: SystemTime) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, &self.message(self.slot(now))))
    }

    /// Whether `nonce` is the one of the current or the previous slot. Compared in constant time.
    #[must_use]
    pub fn accepts(&self, nonce: &str, now: SystemTime) -> bool {
        let Ok(nonce) = URL_SAFE_NO_PAD.decode(nonce) else { return false };
        let slot = self.slot(now);
        let is_of = |slot: u64| hmac::verify(&self.key, &self.message(slot), &nonce).is_ok();
        is_of(slot) || slot.checked_sub(1).is_some_and(is_of)
    }

    fn slot(&self, now: SystemTime) -> u64 {
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        seconds / u64::from(self.period.get())
    }

    /// The purposes differ before any slot begins, so no message of one server is one of the other.
    fn message(&self, slot: u64) -> Vec<u8> {
        [self.server.purpose(), &slot.to_be_bytes()].concat()
    }
}

impl fmt::Debug for DpopNonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DpopNonces")
            .field("server", &self.server)
            .field("period", &self.period)
            .finish_non_exhaustive()
    }
}

/// Which nonces count, and whether one is needed. One that is not ours never counts.
#[derive(Clone, Copy, Debug)]
pub enum NonceRule<'a> {
    /// A proof may go without.
    Optional(&'a DpopNonces),
    /// A proof must have one.
    Required(&'a DpopNonces),
}

impl NonceRule<'_> {
    pub(super) fn is_required(self) -> bool {
        matches!(self, Self::Required(_))
    }

    pub(super) fn accepts(self, nonce: &str, now: SystemTime) -> bool {
        let (Self::Optional(nonces) | Self::Required(nonces)) = self;
        nonces.accepts(nonce, now)
    }
}

#[cfg(test)]
mod tests {
    use super::{DpopNonces, DpopServer};
    use proptest::prelude::*;
    use std::num::NonZeroU32;
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    const PERIOD: NonZeroU32 = NonZeroU32::new(300).unwrap();

    fn nonces(secret: u8, server: DpopServer) -> DpopNonces {
        DpopNonces::new(&[secret; 32], server, PERIOD)
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// SEC-32: a nonce of the other server, of another secret, or of two periods ago -> not accepted
    #[test]
    fn a_nonce_is_good_at_its_server_for_two_slots() {
        let ours = nonces(1, DpopServer::Authorization);
        let nonce = ours.current(at(3_000));
        assert_eq!(nonce.len(), 43);
        let cases =
            [(2_999, false), (3_000, true), (3_299, true), (3_300, true), (3_599, true), (3_600, false)];
        for (now, good) in cases {
            assert_eq!(ours.accepts(&nonce, at(now)), good, "{now}");
            assert!(
                nonces(1, DpopServer::Authorization).accepts(&nonce, at(now)) == good,
                "a replica agrees"
            );
        }
        assert!(!nonces(1, DpopServer::Resource).accepts(&nonce, at(3_000)));
        assert!(!nonces(2, DpopServer::Authorization).accepts(&nonce, at(3_000)));
        assert_ne!(nonce, ours.current(at(3_300)));
        assert!(ours.accepts(&ours.current(at(0)), at(0)), "the first slot has no previous one");
    }

    #[test]
    fn the_secret_is_not_shown() {
        assert_eq!(
            format!("{:?}", nonces(1, DpopServer::Resource)),
            "DpopNonces { server: Resource, period: 300, .. }"
        );
    }

    proptest! {
        #[test]
        fn no_other_text_is_accepted(text in "\\PC{0,60}", cut in 0_usize..43) {
            let ours = nonces(1, DpopServer::Resource);
            let nonce = ours.current(at(7));
            prop_assert!(!ours.accepts(&text, at(7)));
            prop_assert!(!ours.accepts(nonce.get(..cut).unwrap(), at(7)), "a part");
        }
    }
}
