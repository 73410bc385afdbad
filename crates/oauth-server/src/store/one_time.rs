//! What may be used once: a `jti`, an assertion, a proof.

use std::time::SystemTime;

use async_trait::async_trait;

use super::StoreError;
use crate::random::Digest;

/// Remembers what was used, for all replicas.
#[async_trait]
pub trait OneTimeStore: Send + Sync + 'static {
    /// Marks `key`, the digest of a kind and a value, as used until `expires_at`. Gives true to the first caller only; an
    /// entry that is over at `now` counts as none.
    async fn use_once(
        &self,
        key: &Digest,
        expires_at: SystemTime,
        now: SystemTime,
    ) -> Result<bool, StoreError>;

    /// Deletes at most `batch` entries that are over at `now`. Gives how many.
    async fn prune_one_time(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError>;
}
