//! Signing keys in memory.

use async_trait::async_trait;

use super::MemoryStore;
use crate::store::{KeyStore, SigningKeyRecord, StoreError};

#[async_trait]
impl KeyStore for MemoryStore {
    async fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, StoreError> {
        Ok(self.tables().signing_keys.clone())
    }

    async fn insert_first_signing_key(&self, key: &SigningKeyRecord) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        if tables.signing_keys.iter().any(|found| found.current && found.algorithm == key.algorithm) {
            return Ok(false);
        }
        tables.signing_keys.push(key.clone());
        Ok(true)
    }
}
