//! Any header and claims, signed: what verifies is for us, of our issuer and valid now.
#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt as _;
use libfuzzer_sys::fuzz_target;
use oidc_verify::{Algorithm, IssuerConfig, KeySet, SharedKeys, TokenVerifier};

const HEADER: &[u8] = br#"{"typ":"at+jwt","alg":"EdDSA"}"#;
const LEEWAY: Duration = Duration::from_secs(10);

static SIGNER: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("the seed is a constant"));

static VERIFIER: LazyLock<TokenVerifier> = LazyLock::new(|| {
    let config = IssuerConfig::builder("https://i.example")
        .audience("a")
        .algorithms([Algorithm::EdDsa])
        .tenant_claim("/t/id")
        .leeway(LEEWAY)
        .build();
    let public = URL_SAFE_NO_PAD.encode(SIGNER.public_key());
    let keys = format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","x":"{public}"}}]}}"#);
    let keys = KeySet::from_jwks_json(keys.as_bytes()).expect("the key set is a constant");
    TokenVerifier::new(config.expect("the configuration is a constant"), SharedKeys::new(keys))
});

// The claims, or after a zero byte the header and then the claims.
fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(2, |byte| *byte == 0);
    let (first, second) = (parts.next().unwrap_or_default(), parts.next());
    let (header, claims) = second.map_or((HEADER, first), |claims| (first, claims));
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(SIGNER.sign(signed.as_bytes())));
    let now: SystemTime = UNIX_EPOCH + Duration::from_secs(1000);
    let verified = VERIFIER.verify(&token, now).now_or_never().expect("shared keys are not waited for");
    if let Ok(verified) = verified {
        assert_eq!((verified.issuer(), verified.audience()), ("https://i.example", "a"));
        assert!(!verified.subject().is_empty());
        assert!(verified.tenant().is_none_or(|tenant| !tenant.is_empty()));
        assert!(verified.expires_at() + LEEWAY > now && verified.issued_at() <= now + LEEWAY);
        assert!(verified.recheck_at() <= verified.expires_at());
    }
});
