//! One signing key: made, opened, signing, and its public side.

use std::collections::BTreeMap;

use aws_lc_rs::{
    digest::{SHA256, digest},
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
        RsaKeyPair,
    },
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use secrecy::{ExposeSecret, SecretSlice};
use serde_json::{Map, Value, json};

use super::{KeyError, KeySettings};
use crate::config::{RsaBits, SigningAlgorithm};

/// Marks a private key as PKCS#8.
const PKCS8: &[u8] = b"pkcs8:";

/// A token could not be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the access token cannot be signed")]
pub(crate) struct SigningFailed;

/// One key, ready to sign and to verify with the one algorithm it was made for.
pub(super) struct SigningKey {
    pub(super) kid: String,
    pub(super) algorithm: SigningAlgorithm,
    signer: Signer,
    /// The members of RFC 7638 §3.2.
    public: Map<String, Value>,
}

/// A new key in the form that is sealed and kept.
pub(super) struct NewKey {
    pub(super) kid: String,
    pub(super) private: SecretSlice<u8>,
}

impl NewKey {
    /// Makes a key; an RSA key takes up to a second.
    pub(super) fn generate(settings: &KeySettings) -> Result<Self, KeyError> {
        let document = pkcs8(settings).ok_or(KeyError::Generation)?;
        let signer =
            Signer::open(settings.algorithm, document.expose_secret()).ok_or(KeyError::Generation)?;
        let public = signer.public_members().ok_or(KeyError::Generation)?;
        let private = SecretSlice::from([PKCS8, document.expose_secret()].concat());
        Ok(Self { kid: thumbprint(&public), private })
    }
}

fn pkcs8(settings: &KeySettings) -> Option<SecretSlice<u8>> {
    let rng = SystemRandom::new();
    let document = match settings.algorithm {
        SigningAlgorithm::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng),
        SigningAlgorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&rng),
        SigningAlgorithm::Rs256 => {
            let size = match settings.rsa_bits {
                RsaBits::Bits2048 => rsa::KeySize::Rsa2048,
                RsaBits::Bits3072 => rsa::KeySize::Rsa3072,
            };
            let der: Pkcs8V1Der<'_> = RsaKeyPair::generate(size).ok()?.as_der().ok()?;
            return Some(SecretSlice::from(der.as_ref().to_vec()));
        }
    };
    document.ok().map(|document| SecretSlice::from(document.as_ref().to_vec()))
}

impl SigningKey {
    /// Reads an opened private key and checks that it is what its identifier says.
    pub(super) fn read(kid: &str, algorithm: &str, private: &[u8]) -> Result<Self, KeyError> {
        let unusable = |why| KeyError::Unusable { kid: kid.to_owned(), why };
        let algorithm = SigningAlgorithm::from_name(algorithm)
            .ok_or_else(|| unusable("its algorithm is unknown to this version"))?;
        let pkcs8 = private.strip_prefix(PKCS8);
        let pkcs8 = pkcs8.ok_or_else(|| unusable("it is not kept in a form this version can open"))?;
        let signer = Signer::open(algorithm, pkcs8)
            .ok_or_else(|| unusable("it is no private key of its algorithm"))?;
        let public = signer.public_members().ok_or_else(|| unusable("it has no usable public key"))?;
        if thumbprint(&public) != kid {
            return Err(unusable("it is another key than its identifier says"));
        }
        Ok(Self { kid: kid.to_owned(), algorithm, signer, public })
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        self.signer.sign(message)
    }

    pub(super) fn jwk(&self) -> Value {
        let mut jwk = self.public.clone();
        jwk.insert("kid".into(), self.kid.as_str().into());
        jwk.insert("alg".into(), self.algorithm.as_str().into());
        jwk.insert("use".into(), "sig".into());
        Value::Object(jwk)
    }
}

enum Signer {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(RsaKeyPair),
}

impl Signer {
    fn open(algorithm: SigningAlgorithm, pkcs8: &[u8]) -> Option<Self> {
        match algorithm {
            SigningAlgorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).ok().map(Self::Es256)
            }
            SigningAlgorithm::EdDsa => Ed25519KeyPair::from_pkcs8(pkcs8).ok().map(Self::EdDsa),
            SigningAlgorithm::Rs256 => RsaKeyPair::from_pkcs8(pkcs8).ok().map(Self::Rs256),
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let signature = match self {
            Self::Es256(pair) => pair.sign(&SystemRandom::new(), message),
            Self::EdDsa(pair) => pair.try_sign(message),
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let signed = pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature);
                return signed.map(|()| signature).map_err(|_| SigningFailed);
            }
        };
        signature.map(|signature| signature.as_ref().to_vec()).map_err(|_| SigningFailed)
    }

    fn public_members(&self) -> Option<Map<String, Value>> {
        let members = match self {
            Self::Es256(pair) => {
                // An uncompressed point: 04, x, y (SEC 1 §2.3.3).
                let (x, y) = pair.public_key().as_ref().strip_prefix(&[4])?.split_at_checked(32)?;
                json!({ "crv": "P-256", "kty": "EC", "x": BASE64URL.encode(x), "y": BASE64URL.encode(y) })
            }
            Self::EdDsa(pair) => {
                json!({ "crv": "Ed25519", "kty": "OKP", "x": BASE64URL.encode(pair.public_key().as_ref()) })
            }
            Self::Rs256(pair) => {
                // RFC 7518 §6.3.1: big-endian, without leading zeros.
                let (e, n) = (pair.public_key().exponent(), pair.public_key().modulus());
                let text = |number: &[u8]| BASE64URL.encode(number);
                json!({
                    "e": text(e.big_endian_without_leading_zero()),
                    "kty": "RSA",
                    "n": text(n.big_endian_without_leading_zero()),
                })
            }
        };
        members.as_object().cloned()
    }
}

/// RFC 7638 §3: the hash of the required members, sorted, without white space. The maps hold exactly those.
fn thumbprint(public: &Map<String, Value>) -> String {
    let members: BTreeMap<_, _> = public.iter().collect();
    let canonical = serde_json::to_vec(&members).unwrap_or_default();
    BASE64URL.encode(digest(&SHA256, &canonical))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::thumbprint;

    #[test]
    fn a_thumbprint_is_that_of_the_standards() {
        let cases = [
            // RFC 8037 appendix A.3.
            (
                json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }),
                "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
            ),
            // RFC 7638 §3.1.
            (
                json!({
                    "kty": "RSA",
                    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
                    "e": "AQAB",
                }),
                "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
            ),
        ];
        for (public, expected) in cases {
            assert_eq!(thumbprint(public.as_object().unwrap()), expected);
        }
    }
}
