//! Any bytes as a DPoP proof, as they are and signed: what passes is for this very request.
#![no_main]

use std::num::NonZeroU32;
use std::sync::LazyLock;
use std::time::{Duration, UNIX_EPOCH};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use oidc_verify::{DpopCall, DpopNonces, DpopServer, DpopUrl, DpopWindow, NonceRule, verify_dpop};

static SIGNER: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("the seed is a constant"));

/// The header of a right proof, for inputs that are claims only.
static HEADER: LazyLock<String> = LazyLock::new(|| {
    let x = URL_SAFE_NO_PAD.encode(SIGNER.public_key());
    format!(r#"{{"typ":"dpop+jwt","alg":"EdDSA","jwk":{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}}}"#)
});

// The claims, or after a zero byte the header and then the claims.
fuzz_target!(|input: &[u8]| {
    let nonces = DpopNonces::new(&[7; 32], DpopServer::Resource, NonZeroU32::MIN);
    let url = DpopUrl::parse("https://h/token").expect("the URL is a constant");
    let now = UNIX_EPOCH + Duration::from_secs(1000);
    let window = DpopWindow::default();
    let call = DpopCall {
        method: "POST",
        url: &url,
        now,
        window,
        nonces: NonceRule::Optional(&nonces),
        access_token: None,
        thumbprint: None,
    };
    if let Ok(text) = std::str::from_utf8(input)
        && let Ok(read) = DpopUrl::parse(text)
    {
        assert_eq!(DpopUrl::parse(read.as_str()).as_ref(), Ok(&read));
    }
    let mut parts = input.splitn(2, |byte| *byte == 0);
    let (first, second) = (parts.next().unwrap_or_default(), parts.next());
    let (header, claims) = second.map_or((HEADER.as_bytes(), first), |claims| (first, claims));
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let proof = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(SIGNER.sign(signed.as_bytes())));
    for header in [input, proof.as_bytes()] {
        match verify_dpop([header], &call) {
            Ok(proof) => {
                assert!(!proof.jwt_id().is_empty());
                assert!(proof.issued_at() + window.past > now && proof.issued_at() <= now + window.future);
                assert!(proof.expires_at() > now);
            }
            Err(error) => assert!(error.reason().starts_with("dpop_")),
        }
    }
});
