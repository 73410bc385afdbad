//! Somebody with a key of their own.

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{START, World, claims, with};

/// A key that tokens can be bound to.
pub(crate) struct Holder(EcdsaKeyPair);

impl Holder {
    pub(crate) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn coordinates(&self) -> [String; 2] {
        let point = self.0.public_key().as_ref();
        [&point[1..33], &point[33..]].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part))
    }

    /// RFC 7638.
    pub(crate) fn thumbprint(&self) -> String {
        let [x, y] = self.coordinates();
        let key = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, key.as_bytes()))
    }

    /// A token of ours that is bound to this key.
    pub(crate) fn token(&self, world: &World, subject: &str) -> String {
        world.issuer.sign(&with(claims(subject), "cnf", json!({ "jkt": self.thumbprint() })))
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let [x, y] = self.coordinates();
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": jwk });
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The claims of a right proof for `post` with this token.
pub(crate) fn proof_claims(token: &str, id: &str) -> Value {
    json!({
        "jti": id, "htm": "POST", "htu": "https://connect.example.com/mcp/platform/mcp", "iat": START,
        "ath": BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes())),
    })
}
