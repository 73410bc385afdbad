//! Shared secrets in memory.

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretSlice};

use super::MemoryStore;
use crate::store::{SecretRecord, SecretStore, StoreError};

#[async_trait]
impl SecretStore for MemoryStore {
    async fn secret_or_insert(&self, secret: &SecretRecord) -> Result<SecretRecord, StoreError> {
        let mut tables = self.tables();
        Ok(tables.secrets.entry(secret.name.clone()).or_insert_with(|| secret.clone()).clone())
    }

    async fn secret(&self, name: &str) -> Result<Option<SecretRecord>, StoreError> {
        Ok(self.tables().secrets.get(name).cloned())
    }

    async fn replace_secret(
        &self,
        name: &str,
        from: &SecretSlice<u8>,
        to: &SecretSlice<u8>,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let found = tables.secrets.get_mut(name);
        let as_read = found.filter(|secret| secret.wrapped.expose_secret() == from.expose_secret());
        Ok(as_read.map(|secret| secret.wrapped = to.clone()).is_some())
    }
}
