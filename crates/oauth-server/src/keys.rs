//! The keys that sign access tokens.

use std::{fmt, time::SystemTime};

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use oidc_verify::{Algorithm, IssuerConfig, KeySet, SharedKeys, TokenVerifier};
use secrecy::{ExposeSecret, SecretSlice};
use serde_json::{Map, Value, json};

use crate::{
    config::{OAuthConfig, SigningAlgorithm},
    store::{SigningKeyRecord, Store, StoreError},
};

/// Marks a private key that is kept as plain PKCS#8. A sealed one will carry another mark.
const PLAIN: &[u8] = b"pkcs8:";

/// The `typ` of our access tokens (RFC 9068 §2.1).
const TOKEN_TYPE: &str = "at+jwt";

/// Every signing key of this server: the current one signs, all of them are published.
pub struct KeyRing {
    current: SigningKey,
    jwks: String,
}

/// Why the signing keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The store failed.
    #[error("the signing keys cannot be read or kept")]
    Store(#[from] StoreError),
    /// A stored key is not one that this program can use.
    #[error("the stored signing key {kid:?} cannot be used: {why}")]
    Unusable {
        /// The key.
        kid: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No key could be generated.
    #[error("a signing key cannot be generated")]
    Generation,
    /// What would be published is no acceptable key set.
    #[error("the signing keys are not an acceptable key set")]
    Published(#[source] oidc_verify::KeySetError),
    /// Tokens of this server could not be verified.
    #[error("tokens of this issuer for these resources cannot be verified")]
    Verifier(#[source] oidc_verify::ConfigError),
}

/// A token could not be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the access token cannot be signed")]
pub(crate) struct SigningFailed;

impl KeyRing {
    /// Reads the keys, after making the first one of `algorithm` if there is none. Processes that start at once on one
    /// store end with the same key.
    ///
    /// # Errors
    /// When the store fails, holds an unusable key, or no key can be generated.
    pub async fn load(
        store: &dyn Store,
        algorithm: SigningAlgorithm,
        now: SystemTime,
    ) -> Result<Self, KeyError> {
        let mut records = store.signing_keys().await?;
        if !records.iter().any(|record| is_current(record, algorithm)) {
            let made = generate(algorithm, now)?;
            if store.insert_first_signing_key(&made).await? {
                tracing::info!(kid = made.kid, algorithm = algorithm.as_str(), "made the first signing key");
            }
            records = store.signing_keys().await?;
        }
        let current =
            records.iter().find(|record| is_current(record, algorithm)).ok_or(KeyError::Generation)?;
        let current = SigningKey::open(current)?;
        let keys = records.iter().map(SigningKey::open).collect::<Result<Vec<_>, _>>()?;
        let jwks = json!({ "keys": keys.iter().map(SigningKey::jwk).collect::<Vec<_>>() }).to_string();
        Ok(Self { current, jwks })
    }

    /// The JWK set that verifies every token of this server (RFC 7517 §5). Public members only.
    #[must_use]
    pub fn jwks_json(&self) -> &str {
        &self.jwks
    }

    /// The algorithm of the key that signs.
    #[must_use]
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.current.algorithm
    }

    /// Signs claims as an access token.
    pub(crate) fn sign(&self, claims: &Map<String, Value>) -> Result<String, SigningFailed> {
        let header = json!({
            "typ": TOKEN_TYPE,
            "alg": self.current.algorithm.as_str(),
            "kid": self.current.kid,
        });
        let claims = serde_json::to_vec(claims).map_err(|_| SigningFailed)?;
        let mut token = BASE64URL.encode(header.to_string());
        token.push('.');
        BASE64URL.encode_string(claims, &mut token);
        let signature = self.current.signer.sign(token.as_bytes())?;
        token.push('.');
        BASE64URL.encode_string(signature, &mut token);
        Ok(token)
    }

    /// Verifies access tokens of this server for any of its resources.
    pub(crate) fn verifier(&self, config: &OAuthConfig) -> Result<TokenVerifier, KeyError> {
        let keys = KeySet::from_jwks_json(self.jwks.as_bytes()).map_err(KeyError::Published)?;
        let issuer = IssuerConfig::builder(config.public_url.as_str())
            .audiences(config.resources.iter().map(|resource| resource.uri.as_str()))
            .algorithms([Algorithm::Es256, Algorithm::EdDsa])
            .build()
            .map_err(KeyError::Verifier)?;
        Ok(TokenVerifier::new(issuer, SharedKeys::new(keys)))
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("current", &self.current.kid).finish_non_exhaustive()
    }
}

fn is_current(record: &SigningKeyRecord, algorithm: SigningAlgorithm) -> bool {
    record.current && record.algorithm == algorithm.as_str()
}

fn generate(algorithm: SigningAlgorithm, now: SystemTime) -> Result<SigningKeyRecord, KeyError> {
    let rng = SystemRandom::new();
    let document = match algorithm {
        SigningAlgorithm::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng),
        SigningAlgorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&rng),
    }
    .map_err(|_| KeyError::Generation)?;
    let signer = Signer::open(algorithm, document.as_ref()).ok_or(KeyError::Generation)?;
    let public = signer.public_members().ok_or(KeyError::Generation)?;
    Ok(SigningKeyRecord {
        kid: thumbprint(&public),
        algorithm: algorithm.as_str().to_owned(),
        wrapped: SecretSlice::from([PLAIN, document.as_ref()].concat()),
        created_at: now,
        current: true,
    })
}

/// One key, ready to sign and to verify with the one algorithm it was made for.
struct SigningKey {
    kid: String,
    algorithm: SigningAlgorithm,
    signer: Signer,
    /// The members of RFC 7638 §3.2, in their order.
    public: Map<String, Value>,
}

impl SigningKey {
    fn open(record: &SigningKeyRecord) -> Result<Self, KeyError> {
        let unusable = |why| KeyError::Unusable { kid: record.kid.clone(), why };
        let algorithm = SigningAlgorithm::from_name(&record.algorithm)
            .ok_or_else(|| unusable("its algorithm is unknown to this version"))?;
        let pkcs8 = record.wrapped.expose_secret().strip_prefix(PLAIN);
        let pkcs8 = pkcs8.ok_or_else(|| unusable("it is not kept in a form this version can open"))?;
        let signer = Signer::open(algorithm, pkcs8)
            .ok_or_else(|| unusable("it is no private key of its algorithm"))?;
        let public = signer.public_members().ok_or_else(|| unusable("it has no usable public key"))?;
        if thumbprint(&public) != record.kid {
            return Err(unusable("it is another key than its identifier says"));
        }
        Ok(Self { kid: record.kid.clone(), algorithm, signer, public })
    }

    fn jwk(&self) -> Value {
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
}

impl Signer {
    fn open(algorithm: SigningAlgorithm, pkcs8: &[u8]) -> Option<Self> {
        match algorithm {
            SigningAlgorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).ok().map(Self::Es256)
            }
            SigningAlgorithm::EdDsa => Ed25519KeyPair::from_pkcs8(pkcs8).ok().map(Self::EdDsa),
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let signature = match self {
            Self::Es256(pair) => pair.sign(&SystemRandom::new(), message),
            Self::EdDsa(pair) => pair.try_sign(message),
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
        };
        members.as_object().cloned()
    }
}

/// RFC 7638 §3: the hash of the required members, sorted, without white space. The maps hold exactly those.
fn thumbprint(public: &Map<String, Value>) -> String {
    let members: std::collections::BTreeMap<_, _> = public.iter().collect();
    let canonical = serde_json::to_vec(&members).unwrap_or_default();
    BASE64URL.encode(digest(&SHA256, &canonical))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use secrecy::{ExposeSecret, SecretSlice};
    use serde_json::{Map, Value, json};

    use super::{KeyError, KeyRing, thumbprint};
    use crate::{
        config::SigningAlgorithm,
        store::{KeyStore as _, MemoryStore, SigningKeyRecord},
    };

    const ALGORITHMS: [SigningAlgorithm; 2] = [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa];

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    async fn ring(algorithm: SigningAlgorithm) -> KeyRing {
        KeyRing::load(&MemoryStore::default(), algorithm, UNIX_EPOCH).await.unwrap()
    }

    #[test]
    fn a_thumbprint_is_that_of_the_standard() {
        // RFC 8037 appendix A.3.
        let public = map(&json!({
            "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        }));
        assert_eq!(thumbprint(&public), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[tokio::test]
    async fn the_published_set_has_public_members_only() {
        for algorithm in ALGORITHMS {
            let jwks: Value = serde_json::from_str(ring(algorithm).await.jwks_json()).unwrap();
            let key = jwks["keys"][0].as_object().unwrap();
            assert!(!key.contains_key("d"));
            assert_eq!((&key["alg"], &key["use"]), (&json!(algorithm.as_str()), &json!("sig")));
            assert_eq!(key["kid"].as_str().unwrap().len(), 43);
        }
    }

    #[tokio::test]
    async fn a_second_start_uses_the_same_key_and_a_second_algorithm_publishes_both() {
        let store = MemoryStore::default();
        let first = KeyRing::load(&store, SigningAlgorithm::Es256, UNIX_EPOCH).await.unwrap();
        let again = KeyRing::load(&store, SigningAlgorithm::Es256, UNIX_EPOCH).await.unwrap();
        assert_eq!(first.jwks_json(), again.jwks_json());
        let both = KeyRing::load(&store, SigningAlgorithm::EdDsa, UNIX_EPOCH).await.unwrap();
        let jwks: Value = serde_json::from_str(both.jwks_json()).unwrap();
        assert_eq!(jwks["keys"].as_array().unwrap().len(), 2);
        assert_eq!(both.algorithm(), SigningAlgorithm::EdDsa);
    }

    #[tokio::test]
    async fn an_unusable_stored_key_stops_the_start() {
        let made = super::generate(SigningAlgorithm::Es256, UNIX_EPOCH).unwrap();
        let sealed = SecretSlice::from(b"kms:xyz".to_vec());
        let truncated = SecretSlice::from(made.wrapped.expose_secret()[..40].to_vec());
        let cases = [
            SigningKeyRecord { wrapped: sealed, ..made.clone() },
            SigningKeyRecord { wrapped: truncated, ..made.clone() },
            SigningKeyRecord { kid: "another".into(), ..made },
        ];
        for record in cases {
            let store = MemoryStore::default();
            store.insert_first_signing_key(&record).await.unwrap();
            let loaded = KeyRing::load(&store, SigningAlgorithm::Es256, UNIX_EPOCH).await;
            assert!(matches!(loaded, Err(KeyError::Unusable { .. })), "{record:?}");
            assert!(!format!("{record:?}").contains("kms"));
        }
    }
}
