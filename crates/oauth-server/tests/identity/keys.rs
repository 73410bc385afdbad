//! Signing keys made when a test runs, and tokens signed by hand, so that a test can make wrong ones too.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256, RSA_PSS_SHA256,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

enum Secret {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// A key pair and the algorithm it signs with.
pub(crate) struct Key {
    pub(crate) kid: String,
    pub(crate) alg: &'static str,
    secret: Secret,
}

impl Key {
    pub(crate) fn generate(kid: &str, alg: &'static str) -> Self {
        let secret = match alg {
            "ES256" => Secret::Ecdsa(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()),
            "ES384" => Secret::Ecdsa(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap()),
            "EdDSA" => Secret::Ed25519(Ed25519KeyPair::generate().unwrap()),
            "RS256" | "PS256" => Secret::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
            other => unreachable!("{other}"),
        };
        Self { kid: kid.to_owned(), alg, secret }
    }

    /// The public half, as a provider publishes it.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = match &self.secret {
            Secret::Ecdsa(pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let curve = if self.alg == "ES256" { "P-256" } else { "P-384" };
                json!({"kty": "EC", "crv": curve, "x": b64(x), "y": b64(y)})
            }
            Secret::Ed25519(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": b64(pair.public_key())}),
            Secret::Rsa(pair) => {
                let parts = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({"kty": "RSA", "n": b64(parts.n), "e": b64(parts.e)})
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(self.alg);
        jwk
    }

    /// The header a well-behaved provider writes.
    pub(crate) fn header(&self) -> Value {
        json!({"typ": "JWT", "alg": self.alg, "kid": self.kid})
    }

    /// A compact JWS of exactly this header and payload.
    pub(crate) fn sign(&self, header: &Value, payload: &Value) -> String {
        let input = signing_input(header, payload);
        let random = SystemRandom::new();
        let signature = match &self.secret {
            Secret::Ecdsa(pair) => pair.sign(&random, input.as_bytes()).unwrap().as_ref().to_vec(),
            Secret::Ed25519(pair) => pair.sign(input.as_bytes()).as_ref().to_vec(),
            Secret::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let padding: &dyn aws_lc_rs::signature::RsaEncoding =
                    if self.alg == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                pair.sign(padding, &random, input.as_bytes(), &mut signature).unwrap();
                signature
            }
        };
        format!("{input}.{}", b64(signature))
    }
}

/// A token whose algorithm is `none`.
pub(crate) fn unsigned(payload: &Value) -> String {
    format!("{}.", signing_input(&json!({"typ": "JWT", "alg": "none"}), payload))
}

/// A token signed with a shared secret.
pub(crate) fn hs256(secret: &[u8], kid: &str, payload: &Value) -> String {
    let input = signing_input(&json!({"typ": "JWT", "alg": "HS256", "kid": kid}), payload);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
    format!("{input}.{}", b64(tag))
}

fn signing_input(header: &Value, payload: &Value) -> String {
    format!("{}.{}", b64(header.to_string()), b64(payload.to_string()))
}
