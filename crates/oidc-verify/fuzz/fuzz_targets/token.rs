//! Any text as a token: nothing verifies that was not signed.
#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

use futures_util::FutureExt as _;
use libfuzzer_sys::fuzz_target;
use oidc_verify::{Algorithm, IssuerConfig, KeySet, SharedKeys, TokenVerifier};

/// The public key of RFC 7517 §A.1.
const KEYS: &[u8] = br#"{"keys": [{"kty": "EC", "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;

static VERIFIER: LazyLock<TokenVerifier> = LazyLock::new(|| {
    let config = IssuerConfig::builder("https://i.example").audience("a").algorithms([Algorithm::Es256]);
    let keys = KeySet::from_jwks_json(KEYS).expect("the key set is a constant");
    TokenVerifier::new(config.build().expect("the configuration is a constant"), SharedKeys::new(keys))
});

fuzz_target!(|token: &str| {
    let verified = VERIFIER.verify(token, UNIX_EPOCH + Duration::from_secs(1)).now_or_never();
    let error = verified.expect("shared keys are not waited for").expect_err("nobody signed this");
    assert!(!error.is_transient());
});
