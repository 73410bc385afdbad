//! Access tokens as the authorization server issues them.

use std::time::{Duration, SystemTime};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use oidc_verify::{Algorithm, KeySet};
use serde_json::{Value, json};

use crate::{Outcome, Signature};

pub(crate) const ISSUER: &str = "https://connect.example.com";
pub(crate) const IDENTITY_ISSUER: &str = "https://login.example.com";
pub(crate) const RESOURCE: &str = "https://connect.example.com/mcp/platform";
/// How many people call.
const USERS: usize = 200;

/// An issuer with one fresh key.
pub(crate) enum Issuer {
    Rs256(Box<RsaKeyPair>),
    Es256(Box<EcdsaKeyPair>),
}

impl Issuer {
    pub(crate) fn new(signature: Signature) -> Outcome<Self> {
        Ok(match signature {
            Signature::Rs256 => Self::Rs256(Box::new(RsaKeyPair::generate(rsa::KeySize::Rsa2048)?)),
            Signature::Es256 => {
                Self::Es256(Box::new(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?))
            }
        })
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rs256(_) => Algorithm::Rs256,
            Self::Es256(_) => Algorithm::Es256,
        }
    }

    pub(crate) fn keys(&self) -> Outcome<KeySet> {
        let key = match self {
            Self::Rs256(pair) => {
                let public = pair.public_key();
                let text = |number: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(number);
                json!({
                    "kty": "RSA", "alg": "RS256", "kid": "k1", "use": "sig",
                    "n": text(public.modulus().big_endian_without_leading_zero()),
                    "e": text(public.exponent().big_endian_without_leading_zero()),
                })
            }
            Self::Es256(pair) => {
                // The point is 4, x, y.
                let (x, y) = pair.public_key().as_ref().split_at(1).1.split_at(32);
                json!({
                    "kty": "EC", "alg": "ES256", "crv": "P-256", "kid": "k1", "use": "sig",
                    "x": BASE64_URL_SAFE_NO_PAD.encode(x), "y": BASE64_URL_SAFE_NO_PAD.encode(y),
                })
            }
        };
        Ok(KeySet::from_jwks_json(json!({ "keys": [key] }).to_string().as_bytes())?)
    }

    /// A token for everybody, good for an hour.
    pub(crate) fn tokens(&self, now: SystemTime) -> Outcome<Vec<String>> {
        let issued = now.duration_since(SystemTime::UNIX_EPOCH)?;
        (0..USERS).map(|user| self.token(user, issued)).collect()
    }

    fn token(&self, user: usize, issued: Duration) -> Outcome<String> {
        let claims = json!({
            "iss": ISSUER, "aud": RESOURCE, "sub": format!("auth0|person-{user:04}"), "client_id": "c-7f3a9d2e",
            "scope": "platform", "iat": issued.as_secs(), "exp": issued.as_secs() + 3600,
            "auth_time": issued.as_secs(), "jti": format!("jti-{user:016}"), "idp": IDENTITY_ISSUER,
            "tenant": "acme", "sid": format!("grant-{user:016}"),
            "hints": { "groups": ["staff", "readers"], "department": "lab" },
        });
        let header = json!({ "alg": self.algorithm().name(), "kid": "k1", "typ": "at+jwt" });
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.sign(signed.as_bytes())?;
        Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }

    fn sign(&self, message: &[u8]) -> Outcome<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                Ok(signature)
            }
            Self::Es256(pair) => Ok(pair.sign(&random, message)?.as_ref().to_vec()),
        }
    }
}
