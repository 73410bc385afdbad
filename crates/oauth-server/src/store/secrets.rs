//! Secrets that all replicas share.

use std::{fmt, time::SystemTime};

use async_trait::async_trait;
use secrecy::SecretSlice;

use super::StoreError;

/// Keeps named secrets.
#[async_trait]
pub trait SecretStore: Send + Sync + 'static {
    /// Keeps a secret unless there is one of that name, and gives the one that is kept. Of several processes that start at
    /// once all get the same.
    async fn secret_or_insert(&self, secret: &SecretRecord) -> Result<SecretRecord, StoreError>;

    /// The secret of this name.
    async fn secret(&self, name: &str) -> Result<Option<SecretRecord>, StoreError>;

    /// Keeps a secret in another form if it is still in the one that was read. Gives whether it was.
    async fn replace_secret(
        &self,
        name: &str,
        from: &SecretSlice<u8>,
        to: &SecretSlice<u8>,
    ) -> Result<bool, StoreError>;
}

/// A secret as it is kept.
#[derive(Clone)]
pub struct SecretRecord {
    /// What it is for.
    pub name: String,
    /// The secret, wrapped.
    pub wrapped: SecretSlice<u8>,
    /// When it was made.
    pub created_at: SystemTime,
}

impl fmt::Debug for SecretRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretRecord").field("name", &self.name).finish_non_exhaustive()
    }
}
