//! Any bytes as a client's assertion, as they are and signed: what passes is for this server, from this client, and short-lived.
#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use oidc_verify::{CLIENT_ASSERTION_MAX_LIFETIME, ClientAssertionRules, KeySet, UnverifiedClientAssertion};

const HEADER: &[u8] = br#"{"typ":"JWT","alg":"EdDSA","kid":"1"}"#;

static SIGNER: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("the seed is a constant"));

static KEYS: LazyLock<KeySet> = LazyLock::new(|| {
    let x = URL_SAFE_NO_PAD.encode(SIGNER.public_key());
    let keys = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"1","alg":"EdDSA","x":"{x}"}}]}}"#);
    KeySet::from_jwks_json(keys.as_bytes()).expect("the key is ours")
});

// The claims, or after a zero byte the header and then the claims.
fuzz_target!(|input: &[u8]| {
    let now = UNIX_EPOCH + Duration::from_secs(1000);
    let rules = ClientAssertionRules { client_id: "c", audience: "https://h", algorithm: None, now };
    let mut parts = input.splitn(2, |byte| *byte == 0);
    let (first, second) = (parts.next().unwrap_or_default(), parts.next());
    let (header, claims) = second.map_or((HEADER, first), |claims| (first, claims));
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let assertion = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(SIGNER.sign(signed.as_bytes())));
    let verify = |assertion: &str| UnverifiedClientAssertion::parse(assertion)?.check(&rules)?.verify(&KEYS);
    if let Ok(verified) = verify(&assertion) {
        assert!(!verified.jwt_id().is_empty());
        // The client's clock may be ahead by the leeway.
        let latest = now + CLIENT_ASSERTION_MAX_LIFETIME + Duration::from_mins(1);
        assert!(verified.expires_at() > now - Duration::from_mins(1) && verified.expires_at() <= latest);
        let claims = String::from_utf8_lossy(claims);
        assert!(
            ["\"iss\"", "\"sub\"", "\"aud\""]
                .iter()
                .all(|name| claims.contains(name) || claims.contains('\\'))
        );
    }
    if let Ok(text) = std::str::from_utf8(input) {
        assert!(verify(text).is_err(), "nobody signed this");
    }
});
