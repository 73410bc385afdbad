//! Documents in memory.

use std::time::SystemTime;

use async_trait::async_trait;

use super::{MemoryStore, remove};
use crate::store::{Confirm, DocumentRecord, DocumentStore, StoreError};

#[async_trait]
impl DocumentStore for MemoryStore {
    async fn document(&self, url: &str) -> Result<Option<DocumentRecord>, StoreError> {
        Ok(self.tables().documents.get(url).cloned())
    }

    async fn keep_document(
        &self,
        document: &DocumentRecord,
        capacity: u64,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        match tables.documents.get(&document.url) {
            Some(kept) if kept.fetched_at >= document.fetched_at => return Ok(true),
            None if tables.documents.len() as u64 >= capacity => return Ok(false),
            _ => {}
        }
        confirm()?;
        tables.documents.insert(document.url.clone(), document.clone());
        Ok(true)
    }

    async fn prune_documents(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError> {
        Ok(remove(&mut self.tables().documents, batch, |found| found.expires_at <= now))
    }
}
