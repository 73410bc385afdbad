//! Verification keys, and which of them are admitted.

mod jwk;

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::ParsedPublicKey;
use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::error::Rejected;
use crate::json::parse_object;

/// The largest key set document that is read, in bytes.
pub(crate) const MAX_JWKS_BYTES: usize = 512 * 1024;

/// The most keys that a set may hold.
const MAX_KEYS: usize = 100;

/// The admitted keys of one issuer. Each belongs to exactly one algorithm.
#[derive(Clone, Default)]
pub struct KeySet {
    keys: Vec<Arc<VerificationKey>>,
    refused: Vec<RefusedKey>,
}

/// The document is not a JSON Web Key Set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// The document is too large.
    #[error("key set is larger than {MAX_JWKS_BYTES} bytes")]
    TooLarge,
    /// The document is not one JSON object with unique member names and bounded depth.
    #[error("key set is not a JSON object with unique member names")]
    NotAnObject,
    /// There is no array `keys`.
    #[error("key set has no array `keys`")]
    NoKeys,
    /// There are too many keys.
    #[error("key set has more than {MAX_KEYS} keys")]
    TooManyKeys,
}

/// A key of the document that was not admitted; the others still count (RFC 7517 §5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedKey {
    /// Its position in `keys`, from 1.
    pub position: usize,
    /// Its `kid`, if it has one.
    pub key_id: Option<String>,
    /// Why it was not admitted.
    pub reason: KeyRefusal,
}

impl fmt::Display for RefusedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {}", self.position)?;
        if let Some(key_id) = &self.key_id {
            write!(f, " ({key_id:?})")?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// Why a key was not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyRefusal {
    /// Not a JSON object.
    #[error("is not an object")]
    NotAnObject,
    /// A member is missing, or has a type or encoding that it must not have.
    #[error("member {0} is missing or ill-formed")]
    Member(&'static str),
    /// A private or symmetric member: whoever can read the document can sign.
    #[error("holds the private or symmetric member {0}")]
    PrivateMember(&'static str),
    /// The key type is not `RSA`, `EC` or `OKP`.
    #[error("key type is not RSA, EC or OKP")]
    KeyType,
    /// `use` is not `sig`.
    #[error("use is not sig")]
    Use,
    /// `key_ops` does not say `verify`, or says something other than signing.
    #[error("key_ops is not verify")]
    KeyOps,
    /// `alg` is not a supported signature algorithm, or not one of the key's type.
    #[error("alg is not a supported signature algorithm of the key's type")]
    Algorithm,
    /// The curve is not supported, or not the one of `alg`.
    #[error("curve is not supported or not the one of alg")]
    Curve,
    /// The RSA modulus is outside 2048 to 8192 bits.
    #[error("modulus is not 2048 to 8192 bits")]
    RsaSize,
    /// The RSA exponent is even, under 65537 or over 32 bits.
    #[error("exponent is not an odd number from 65537 to 32 bits")]
    RsaExponent,
    /// The numbers are not a public key, for example a point that is not on its curve.
    #[error("is not a valid public key")]
    Invalid,
    /// An earlier key has the same `kid` and algorithm.
    #[error("an earlier key has the same kid and algorithm")]
    DuplicateKeyId,
    /// An earlier key is the same one for another algorithm (RFC 8725 §3.1).
    #[error("an earlier key is the same one for another algorithm")]
    SecondAlgorithm,
}

impl KeySet {
    /// Admits the keys of a JSON Web Key Set (RFC 7517 §5).
    ///
    /// Keys that are not admitted are left out and listed by [`refused`](Self::refused). An RSA key without `alg` is
    /// admitted for RS256, the default of OpenID Connect, and for nothing else.
    ///
    /// # Errors
    /// [`KeySetError`] when the document as a whole is not a key set.
    pub fn from_jwks_json(document: &[u8]) -> Result<Self, KeySetError> {
        if document.len() > MAX_JWKS_BYTES {
            return Err(KeySetError::TooLarge);
        }
        let document = parse_object(document).map_err(|_| KeySetError::NotAnObject)?;
        let Some(Value::Array(keys)) = document.get("keys") else {
            return Err(KeySetError::NoKeys);
        };
        if keys.len() > MAX_KEYS {
            return Err(KeySetError::TooManyKeys);
        }
        let mut set = Self::default();
        for (index, key) in keys.iter().enumerate() {
            if let Err(reason) = jwk::admit(key).and_then(|key| set.add(key)) {
                let key_id = key.get("kid").and_then(Value::as_str).map(str::to_owned);
                set.refused.push(RefusedKey { position: index + 1, key_id, reason });
            }
        }
        Ok(set)
    }

    /// The keys of the document that were not admitted.
    #[must_use]
    pub fn refused(&self) -> &[RefusedKey] {
        &self.refused
    }

    /// How many keys were admitted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key was admitted: no token will verify.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    fn add(&mut self, key: VerificationKey) -> Result<(), KeyRefusal> {
        for earlier in &self.keys {
            let same_algorithm = earlier.algorithm == key.algorithm;
            if same_algorithm && earlier.key_id == key.key_id && key.key_id.is_some() {
                return Err(KeyRefusal::DuplicateKeyId);
            }
            if !same_algorithm && earlier.parsed.as_ref() == key.parsed.as_ref() {
                return Err(KeyRefusal::SecondAlgorithm);
            }
        }
        self.keys.push(Arc::new(key));
        Ok(())
    }

    /// The one key that a token of this `kid` and algorithm may be signed with.
    pub(crate) fn select(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Arc<VerificationKey>, Rejected> {
        let Some(key_id) = key_id else {
            let mut fitting = self.keys.iter().filter(|key| key.algorithm == algorithm);
            return match (fitting.next(), fitting.next()) {
                (None, _) => Err(Rejected::UnknownKey),
                (Some(only), None) => Ok(Arc::clone(only)),
                (Some(_), Some(_)) => Err(Rejected::AmbiguousKey),
            };
        };
        let mut named = self.keys.iter().filter(|key| key.key_id.as_deref() == Some(key_id)).peekable();
        if named.peek().is_none() {
            return Err(Rejected::UnknownKey);
        }
        named.find(|key| key.algorithm == algorithm).map(Arc::clone).ok_or(Rejected::KeyAlgorithm)
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet").field("keys", &self.keys).field("refused", &self.refused).finish()
    }
}

/// An admitted public key, parsed once.
pub(crate) struct VerificationKey {
    key_id: Option<String>,
    algorithm: Algorithm,
    parsed: ParsedPublicKey,
}

impl VerificationKey {
    /// Admits the one key that a proof brings along, for the algorithm that the proof names.
    pub(crate) fn embedded(key: &Value, used: Algorithm) -> Result<Self, KeyRefusal> {
        jwk::admit_for(key, used)
    }

    pub(crate) fn verify(&self, signed: &[u8], signature: &[u8]) -> Result<(), Rejected> {
        self.parsed.verify_sig(signed, signature).map_err(|_| Rejected::Signature)
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerificationKey")
            .field("key_id", &self.key_id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::KeySet;
    use crate::algorithm::Algorithm;
    use crate::error::Rejected;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    const RFC_7515_CLAIMS: &str =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

    /// Signatures of the standards: RFC 7515 §A.2 and §A.3, RFC 8037 §A.4.
    #[test]
    fn the_examples_of_the_standards_verify() {
        let cases = [
            (
                Algorithm::Rs256,
                r#"{"keys":[{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}]}"#,
                format!("eyJhbGciOiJSUzI1NiJ9.{RFC_7515_CLAIMS}"),
                "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
            ),
            (
                Algorithm::Es256,
                r#"{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#,
                format!("eyJhbGciOiJFUzI1NiJ9.{RFC_7515_CLAIMS}"),
                "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
            ),
            (
                Algorithm::EdDsa,
                r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
                "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".to_owned(),
                "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
            ),
        ];
        for (algorithm, document, signed, signature) in cases {
            let key = KeySet::from_jwks_json(document.as_bytes()).unwrap().select(None, algorithm).unwrap();
            let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
            assert_eq!(key.verify(signed.as_bytes(), &signature), Ok(()), "{algorithm}");
            let changed = signed.replace("eyJhbGci", "eyJhbGcj");
            assert_eq!(key.verify(changed.as_bytes(), &signature), Err(Rejected::Signature), "{algorithm}");
        }
    }
}
