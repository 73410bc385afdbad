//! What was used, in memory.

use std::time::SystemTime;

use async_trait::async_trait;

use super::{MemoryStore, remove};
use crate::{
    random::Digest,
    store::{OneTimeStore, StoreError},
};

#[async_trait]
impl OneTimeStore for MemoryStore {
    async fn use_once(
        &self,
        key: &Digest,
        expires_at: SystemTime,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        if tables.one_time.get(key).is_some_and(|until| *until > now) {
            return Ok(false);
        }
        tables.one_time.insert(*key, expires_at);
        Ok(true)
    }

    async fn prune_one_time(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError> {
        Ok(remove(&mut self.tables().one_time, batch, |until| *until <= now))
    }
}
