//! Unguessable values and what the store keeps of them.

use std::fmt;

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{SHA256, digest},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Where unguessable bytes come from. The binary passes [`SystemRandomness`], a test may pass its own.
pub trait Randomness: Send + Sync + 'static {
    /// Fills `bytes` with bytes that nobody can predict.
    ///
    /// # Errors
    /// When the source has none to give; nothing is issued then.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessUnavailable>;
}

/// The source of random bytes failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the source of random bytes failed")]
pub struct RandomnessUnavailable;

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessUnavailable> {
        aws_lc_rs::rand::fill(bytes).map_err(|_| RandomnessUnavailable)
    }
}

/// 128 random bits: an identifier that cannot be guessed but need not be kept secret.
pub(crate) fn identifier(source: &dyn Randomness) -> Result<String, RandomnessUnavailable> {
    let mut bytes = [0; 16];
    source.fill(&mut bytes)?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// 256 random bits: a code, a refresh token, a client secret or a cookie.
pub(crate) fn secret(source: &dyn Randomness) -> Result<SecretString, RandomnessUnavailable> {
    let mut bytes = [0; 32];
    source.fill(&mut bytes)?;
    Ok(SecretString::from(BASE64_URL_SAFE_NO_PAD.encode(bytes)))
}

/// The SHA-256 of a secret. Stores keep this and never the secret: what leaks from a database opens nothing.
/// The secrets have 256 random bits, so a plain hash cannot be searched.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of a secret as it was handed out.
    #[must_use]
    pub fn of(secret: &SecretString) -> Self {
        Self::of_text(secret.expose_secret())
    }

    /// The digest of a secret as it came in.
    pub(crate) fn of_text(text: &str) -> Self {
        Self::of_parts(&[text])
    }

    /// The digest of several texts, none of which may contain the separating NUL.
    pub(crate) fn of_parts(parts: &[&str]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, parts.join("\0").as_bytes()).as_ref());
        Self(bytes)
    }

    /// A keyed hash of 256 bits.
    pub(crate) fn from_tag(tag: &aws_lc_rs::hmac::Tag) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(tag.as_ref());
        Self(bytes)
    }

    /// The 32 bytes.
    pub(crate) fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest as 43 characters of base64url.
    #[must_use]
    pub fn to_text(self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Reads what [`to_text`](Self::to_text) wrote.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// Compares in constant time.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_text(&text).ok_or_else(|| de::Error::custom("not a digest"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
}

/// Compares two secrets in constant time for equal lengths.
pub(crate) fn same(left: &str, right: &str) -> bool {
    verify_slices_are_equal(left.as_bytes(), right.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{Digest, SystemRandomness, identifier, secret};
    use secrecy::ExposeSecret;

    #[test]
    fn a_digest_survives_its_text_form() {
        let digest = Digest::of(&secret(&SystemRandomness).unwrap());
        assert_eq!(Digest::from_text(&digest.to_text()), Some(digest));
        for text in ["", "x", "!", &"A".repeat(44)] {
            assert_eq!(Digest::from_text(text), None, "{text}");
        }
    }

    #[test]
    fn values_have_their_bits_and_differ() {
        assert_eq!(identifier(&SystemRandomness).unwrap().len(), 22);
        let (one, two) = (secret(&SystemRandomness).unwrap(), secret(&SystemRandomness).unwrap());
        assert_eq!(one.expose_secret().len(), 43);
        assert_ne!(one.expose_secret(), two.expose_secret());
    }

    #[test]
    fn parts_cannot_be_shifted_into_each_other() {
        assert_ne!(Digest::of_parts(&["ab", "c"]), Digest::of_parts(&["a", "bc"]));
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Digest::of_text("x")), "Digest(..)");
    }
}
