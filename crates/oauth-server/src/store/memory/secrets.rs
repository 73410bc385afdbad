//! Shared secrets in memory.

use async_trait::async_trait;

use super::MemoryStore;
use crate::store::{SecretRecord, SecretStore, StoreError};

#[async_trait]
impl SecretStore for MemoryStore {
    async fn secret_or_insert(&self, secret: &SecretRecord) -> Result<SecretRecord, StoreError> {
        let mut tables = self.tables();
        Ok(tables.secrets.entry(secret.name.clone()).or_insert_with(|| secret.clone()).clone())
    }
}
