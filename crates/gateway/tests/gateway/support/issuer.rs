//! Tokens.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use oidc_verify::KeySet;
use serde_json::{Value, json};

use super::START;

pub(crate) const ISSUER: &str = "https://connect.example.com";
pub(crate) const IDP: &str = "https://login.example.com";
pub(crate) const RESOURCE: &str = "https://connect.example.com/mcp/platform";

/// An issuer with one key.
pub(crate) struct Issuer(EcdsaKeyPair);

impl Issuer {
    pub(crate) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub(crate) fn keys(&self) -> KeySet {
        let point = self.0.public_key().as_ref();
        let part = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let key = json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "k",
            "x": part(&point[1..33]), "y": part(&point[33..]),
        });
        KeySet::from_jwks_json(json!({ "keys": [key] }).to_string().as_bytes()).unwrap()
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({ "alg": "ES256", "kid": "k", "typ": "at+jwt" });
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The claims of a token of ours.
pub(crate) fn claims(subject: &str) -> Value {
    json!({
        "iss": ISSUER, "aud": RESOURCE, "sub": subject, "client_id": "c-1", "scope": "openid platform",
        "iat": START, "exp": START + 900, "jti": format!("jti-{subject}"), "idp": IDP, "tenant": "acme",
        "sid": format!("sid-{subject}"), "hints": { "groups": ["readers"] },
    })
}

/// The same with one claim changed, or removed when `null`.
pub(crate) fn with(mut claims: Value, name: &str, value: Value) -> Value {
    if value.is_null() {
        claims.as_object_mut().unwrap().remove(name);
    } else {
        claims[name] = value;
    }
    claims
}
