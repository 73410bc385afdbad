//! Authorization requests that clients pushed (RFC 9126).

use std::time::SystemTime;

use async_trait::async_trait;

use super::{CodeRequest, StoreError};
use crate::random::Digest;

/// Keeps pushed requests until a browser comes with their handle.
#[async_trait]
pub trait PushedRequestStore: Send + Sync + 'static {
    /// Keeps a pushed request. Of more than `capacity`, those that are over first give way.
    async fn insert_pushed(&self, pushed: &PushedRequest, capacity: u64) -> Result<(), StoreError>;

    /// Takes out the request with this handle, if it is this client's and not over at `now`. Only the first of several
    /// calls gets it.
    async fn take_pushed(
        &self,
        digest: &Digest,
        client_id: &str,
        now: SystemTime,
    ) -> Result<Option<CodeRequest>, StoreError>;

    /// Deletes at most `batch` requests that are over at `now`. Gives how many.
    async fn prune_pushed(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError>;
}

/// A request that waits for its browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedRequest {
    /// The digest of the handle.
    pub digest: Digest,
    /// What was asked for, checked.
    pub request: CodeRequest,
    /// When it is over.
    pub expires_at: SystemTime,
}
