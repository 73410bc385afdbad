//! Fresh keys, and tokens signed with them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::AsBigEndian as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt as _;
use oidc_verify::{
    Algorithm, IssuerConfig, IssuerConfigBuilder, KeySet, SharedKeys, TokenVerifier, VerifiedToken,
    VerifyError,
};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://idp.example.com/realm";
pub(crate) const AUDIENCE: &str = "https://connect.example.com/mcp/platform/mcp";
/// When every token is verified.
pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_hours(500_000)
}

type Sign = Box<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;

/// A key pair for one algorithm.
pub(crate) struct Signer {
    pub(crate) algorithm: Algorithm,
    /// The public key as published.
    pub(crate) jwk: Value,
    sign: Sign,
}

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Signer {
    pub(crate) fn es256(key_id: &str) -> Self {
        let signing = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        Self::elliptic(key_id, Algorithm::Es256, "P-256", signing)
    }

    pub(crate) fn elliptic(
        key_id: &str,
        algorithm: Algorithm,
        curve: &str,
        signing: &'static EcdsaSigningAlgorithm,
    ) -> Self {
        let pair = EcdsaKeyPair::generate(signing).unwrap();
        let (x, y) = pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
        let jwk = json!({
            "kty": "EC", "crv": curve, "kid": key_id, "use": "sig", "alg": algorithm.name(),
            "x": base64url(x), "y": base64url(y),
        });
        let sign = move |bytes: &[u8]| pair.sign(&SystemRandom::new(), bytes).unwrap().as_ref().to_vec();
        Self { algorithm, jwk, sign: Box::new(sign) }
    }

    pub(crate) fn eddsa(key_id: &str) -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let x = base64url(pair.public_key());
        let jwk =
            json!({ "kty": "OKP", "crv": "Ed25519", "kid": key_id, "use": "sig", "alg": "EdDSA", "x": x });
        Self {
            algorithm: Algorithm::EdDsa,
            jwk,
            sign: Box::new(move |bytes| pair.sign(bytes).as_ref().to_vec()),
        }
    }

    pub(crate) fn rsa(key_id: &str, algorithm: Algorithm, encoding: &'static dyn RsaEncoding) -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let public = pair.public_key();
        let jwk = json!({
            "kty": "RSA", "kid": key_id, "use": "sig", "alg": algorithm.name(),
            "n": base64url(public.modulus().big_endian_without_leading_zero()),
            "e": base64url(public.exponent().big_endian_without_leading_zero()),
        });
        let sign = move |bytes: &[u8]| {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(encoding, &SystemRandom::new(), bytes, &mut signature).unwrap();
            signature
        };
        Self { algorithm, jwk, sign: Box::new(sign) }
    }

    /// The header of a token that passes.
    pub(crate) fn header(&self) -> Value {
        json!({ "typ": "at+jwt", "alg": self.algorithm.name(), "kid": self.jwk["kid"] })
    }

    /// A token that passes.
    pub(crate) fn token(&self) -> String {
        self.sign_token(&self.header(), &claims())
    }

    pub(crate) fn sign_token(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    pub(crate) fn sign_text(&self, header: &str, claims: &str) -> String {
        self.sign_parts(&base64url(header), &base64url(claims))
    }

    /// Signs the parts as they are, encoded or not.
    pub(crate) fn sign_parts(&self, header: &str, claims: &str) -> String {
        let signed = format!("{header}.{claims}");
        let signature = base64url((self.sign)(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    pub(crate) fn key_set(&self) -> KeySet {
        key_set(&[&self.jwk])
    }

    /// A verifier that accepts [`token`](Self::token).
    pub(crate) fn verifier(&self) -> TokenVerifier {
        TokenVerifier::new(config(self.algorithm).build().unwrap(), SharedKeys::new(self.key_set()))
    }
}

pub(crate) fn key_set(keys: &[&Value]) -> KeySet {
    KeySet::from_jwks_json(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

pub(crate) fn config(algorithm: Algorithm) -> IssuerConfigBuilder {
    IssuerConfig::builder(ISSUER).audience(AUDIENCE).algorithms([algorithm])
}

/// The claims of a token that passes at [`now`].
pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "auth0|x/é", "aud": AUDIENCE, "client_id": "c", "scope": "a b",
        "iat": 1_799_999_940, "exp": 1_800_000_060, "jti": "j",
    })
}

/// Verifies with keys that are at hand, so that nothing is waited for.
pub(crate) fn verify(verifier: &TokenVerifier, token: &str) -> Result<VerifiedToken, VerifyError> {
    verifier.verify(token, now()).now_or_never().unwrap()
}

/// The private scalar of a key that nobody uses, for keys that must not be admitted.
pub(crate) fn private_scalar() -> String {
    let pair = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    base64url(pair.private_key().as_be_bytes().unwrap().as_ref())
}
