//! Signing keys in memory.

use std::time::SystemTime;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretSlice};

use super::{MemoryStore, Tables};
use crate::store::{Confirm, KeyStore, SigningKeyRecord, StoreError};

#[async_trait]
impl KeyStore for MemoryStore {
    async fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, StoreError> {
        let mut keys = self.tables().signing_keys.clone();
        keys.sort_by_key(|key| key.times.sequence);
        Ok(keys)
    }

    async fn insert_signing_key(
        &self,
        key: &SigningKeyRecord,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        if tables.is_taken(key) {
            return Ok(false);
        }
        confirm()?;
        tables.signing_keys.push(key.clone());
        Ok(true)
    }

    async fn revoke_signing_key(
        &self,
        kid: &str,
        successor: Option<&SigningKeyRecord>,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let in_force = |key: &SigningKeyRecord| key.kid == kid && key.times.revoked_at.is_none();
        let Some(index) = tables.signing_keys.iter().position(in_force) else { return Ok(false) };
        if successor.is_some_and(|successor| tables.is_taken(successor)) {
            return Ok(false);
        }
        confirm()?;
        if let Some(key) = tables.signing_keys.get_mut(index) {
            key.times.revoked_at = Some(now);
            key.wrapped = SecretSlice::default();
        }
        tables.signing_keys.extend(successor.cloned());
        Ok(true)
    }

    async fn reseal_signing_key(
        &self,
        kid: &str,
        from: &SecretSlice<u8>,
        to: &SecretSlice<u8>,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let is_as_read = |key: &&mut SigningKeyRecord| {
            key.kid == kid && key.wrapped.expose_secret() == from.expose_secret()
        };
        let key = tables.signing_keys.iter_mut().find(is_as_read);
        Ok(key.map(|key| key.wrapped = to.clone()).is_some())
    }

    async fn delete_signing_keys(&self, sequences: &[u64]) -> Result<(), StoreError> {
        self.tables().signing_keys.retain(|key| !sequences.contains(&key.times.sequence));
        Ok(())
    }
}

impl Tables {
    fn is_taken(&self, key: &SigningKeyRecord) -> bool {
        self.signing_keys.iter().any(|found| found.times.sequence == key.times.sequence)
    }
}
