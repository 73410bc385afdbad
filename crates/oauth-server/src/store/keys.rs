//! Signing keys.

use std::{fmt, time::SystemTime};

use async_trait::async_trait;
use secrecy::SecretSlice;

use super::{Confirm, StoreError};
use crate::keys::KeyTimes;

/// Keeps signing keys.
#[async_trait]
pub trait KeyStore: Send + Sync + 'static {
    /// Every signing key, in the order of their places.
    async fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, StoreError>;

    /// Keeps `key` unless its place is taken. Of several processes that make the next key at once, one succeeds. Gives
    /// whether it was kept.
    async fn insert_signing_key(
        &self,
        key: &SigningKeyRecord,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError>;

    /// Withdraws a key at `now`, deletes its private half, and keeps the one made in its stead, if one was. Gives whether
    /// that was done: the key was there and not withdrawn, and the new one's place was free.
    async fn revoke_signing_key(
        &self,
        kid: &str,
        successor: Option<&SigningKeyRecord>,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError>;

    /// Keeps a key in another wrapping if it is still in the one that was read. Gives whether it was.
    async fn reseal_signing_key(
        &self,
        kid: &str,
        from: &SecretSlice<u8>,
        to: &SecretSlice<u8>,
    ) -> Result<bool, StoreError>;

    /// Deletes the keys in these places.
    async fn delete_signing_keys(&self, sequences: &[u64]) -> Result<(), StoreError>;
}

/// A signing key as it is kept.
#[derive(Clone)]
pub struct SigningKeyRecord {
    /// Its identifier, the RFC 7638 thumbprint of the public key.
    pub kid: String,
    /// The JOSE algorithm it signs with, the only one it is used for.
    pub algorithm: String,
    /// The private key, as [`KeyRing`](crate::KeyRing) wrapped it; nothing once it is withdrawn.
    pub wrapped: SecretSlice<u8>,
    /// When it was made, takes over, and was withdrawn.
    pub times: KeyTimes,
}

impl fmt::Debug for SigningKeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeyRecord")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .field("times", &self.times)
            .finish_non_exhaustive()
    }
}
