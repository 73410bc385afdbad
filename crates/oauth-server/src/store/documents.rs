//! Documents that clients publish about themselves.

use std::time::SystemTime;

use async_trait::async_trait;

use super::{Confirm, StoreError};

/// Keeps the documents of clients that somebody signed in with.
#[async_trait]
pub trait DocumentStore: Send + Sync + 'static {
    /// The document of this URL.
    async fn document(&self, url: &str) -> Result<Option<DocumentRecord>, StoreError>;

    /// Keeps a document, unless one of its URL is kept that was read later. At most `capacity` are kept, however many
    /// come at once. Gives whether one of its URL is kept now.
    async fn keep_document(
        &self,
        document: &DocumentRecord,
        capacity: u64,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError>;

    /// Deletes at most `batch` documents that no grant can need any more. Gives how many.
    async fn prune_documents(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError>;
}

/// A document as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentRecord {
    /// Where it is published: the client's identifier.
    pub url: String,
    /// The JSON text.
    pub body: String,
    /// When it was read.
    pub fetched_at: SystemTime,
    /// Until when it need not be read again.
    pub fresh_until: SystemTime,
    /// When it is forgotten, unless it is read again.
    pub expires_at: SystemTime,
}
