//! A client that holds a key.

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use axum::body::Body;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use http::Request;
use serde_json::{Value, json};

use crate::support::{Answer, Harness, ORIGIN, START, form_request};

pub(crate) struct Holder(EcdsaKeyPair);

impl Holder {
    pub(crate) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn jwk(&self) -> Value {
        let point = self.0.public_key().as_ref();
        let [x, y] = [&point[1..33], &point[33..]].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
        json!({ "crv": "P-256", "kty": "EC", "x": x, "y": y })
    }

    /// RFC 7638.
    pub(crate) fn thumbprint(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, self.jwk().to_string().as_bytes()))
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk() });
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// A right proof for a request to `/token`.
    pub(crate) fn proof(&self, id: &str) -> String {
        self.sign(&proof_claims("/token", id))
    }

    /// Posts to `/token` with a right proof.
    pub(crate) async fn token(&self, harness: &Harness, id: &str, form: &[(&str, &str)]) -> Answer {
        harness.send(with_proof(form_request("/token", form), &self.proof(id))).await
    }
}

/// The claims of a right proof for a request to `path`.
pub(crate) fn proof_claims(path: &str, id: &str) -> Value {
    json!({ "jti": id, "htm": "POST", "htu": format!("{ORIGIN}{path}"), "iat": START })
}

pub(crate) fn with_proof(mut request: Request<Body>, proof: &str) -> Request<Body> {
    request.headers_mut().append("dpop", proof.parse().unwrap());
    request
}
