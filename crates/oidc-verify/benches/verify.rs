//! How long an unseen token takes, by algorithm.
#![expect(clippy::unwrap_used, reason = "a failed set-up fails the bench")]

use std::hint::black_box;
use std::time::{Duration, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use criterion::{Criterion, criterion_group, criterion_main};
use futures_util::FutureExt as _;
use oidc_verify::{Algorithm, IssuerConfig, KeySet, SharedKeys, TokenVerifier};

const CLAIMS: &str = r#"{"iss":"https://connect.example.com","sub":"auth0|5f7c8ec7c33c6c004bbafe82",
    "aud":"https://connect.example.com/mcp/platform/mcp","client_id":"b3c6d9f0a1e24c7d","scope":"mcp offline_access",
    "iat":1000,"exp":1900,"jti":"0198d2c4-7b1e-7000-8000-000000000001","auth_time":990,"tenant":"acme",
    "idp":"https://idp.example.com/realm","sid":"0198d2c4-7b1e-7000-8000-000000000002",
    "hints":{"groups":["readers","analysts"]}}"#;

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn bench(criterion: &mut Criterion, algorithm: Algorithm, jwk: &str, sign: impl Fn(&[u8]) -> Vec<u8>) {
    let config = IssuerConfig::builder("https://connect.example.com")
        .audience("https://connect.example.com/mcp/platform/mcp")
        .algorithms([algorithm])
        .build();
    let keys = KeySet::from_jwks_json(format!(r#"{{"keys":[{jwk}]}}"#).as_bytes());
    let verifier = TokenVerifier::new(config.unwrap(), SharedKeys::new(keys.unwrap()));
    let header = format!(r#"{{"typ":"at+jwt","alg":"{algorithm}","kid":"1"}}"#);
    let signed = format!("{}.{}", encode(header), encode(CLAIMS));
    let token = format!("{signed}.{}", encode(sign(signed.as_bytes())));
    let now = UNIX_EPOCH + Duration::from_mins(25);
    criterion.bench_function(algorithm.name(), |bencher| {
        bencher.iter(|| verifier.verify(black_box(&token), now).now_or_never().unwrap().unwrap());
    });
}

fn verify(criterion: &mut Criterion) {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let n = encode(pair.public_key().modulus().big_endian_without_leading_zero());
    let jwk = format!(r#"{{"kty":"RSA","kid":"1","n":"{n}","e":"AQAB"}}"#);
    bench(criterion, Algorithm::Rs256, &jwk, |bytes| {
        let mut signed = vec![0; pair.public_modulus_len()];
        pair.sign(&signature::RSA_PKCS1_SHA256, &SystemRandom::new(), bytes, &mut signed).unwrap();
        signed
    });

    let pair = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let (x, y) = pair.public_key().as_ref().split_at(33);
    let jwk = format!(
        r#"{{"kty":"EC","crv":"P-256","kid":"1","x":"{}","y":"{}"}}"#,
        encode(x.strip_prefix(&[4]).unwrap()),
        encode(y)
    );
    bench(criterion, Algorithm::Es256, &jwk, |bytes| {
        pair.sign(&SystemRandom::new(), bytes).unwrap().as_ref().to_vec()
    });

    let pair = Ed25519KeyPair::generate().unwrap();
    let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"1","x":"{}"}}"#, encode(pair.public_key()));
    bench(criterion, Algorithm::EdDsa, &jwk, |bytes| pair.sign(bytes).as_ref().to_vec());
}

criterion_group!(benches, verify);
criterion_main!(benches);
