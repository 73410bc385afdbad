//! Signing keys.

use std::{fmt, time::SystemTime};

use async_trait::async_trait;
use secrecy::SecretSlice;

use super::StoreError;

/// Keeps signing keys.
#[async_trait]
pub trait KeyStore: Send + Sync + 'static {
    /// Every signing key, oldest first.
    async fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, StoreError>;

    /// Keeps `key` as the current one of its algorithm unless there is one. Of several processes that start at once, one
    /// succeeds. Gives whether it was kept.
    async fn insert_first_signing_key(&self, key: &SigningKeyRecord) -> Result<bool, StoreError>;
}

/// A signing key as it is kept.
#[derive(Clone)]
pub struct SigningKeyRecord {
    /// Its identifier, the RFC 7638 thumbprint of the public key.
    pub kid: String,
    /// The JOSE algorithm it signs with, the only one it is used for.
    pub algorithm: String,
    /// The private key, as [`KeyRing`](crate::KeyRing) wrapped it.
    pub wrapped: SecretSlice<u8>,
    /// When it was made.
    pub created_at: SystemTime,
    /// Whether it is the one that signs.
    pub current: bool,
}

impl fmt::Debug for SigningKeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeyRecord")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .field("current", &self.current)
            .finish_non_exhaustive()
    }
}
