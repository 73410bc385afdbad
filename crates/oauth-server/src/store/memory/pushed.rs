//! Pushed requests, in memory.

use std::time::SystemTime;

use async_trait::async_trait;

use super::{MemoryStore, excess, remove};
use crate::{
    random::Digest,
    store::{CodeRequest, PushedRequest, PushedRequestStore, StoreError},
};

#[async_trait]
impl PushedRequestStore for MemoryStore {
    async fn insert_pushed(&self, pushed: &PushedRequest, capacity: u64) -> Result<(), StoreError> {
        let requests = &mut self.tables().pushed;
        requests.insert(pushed.digest, pushed.clone());
        for _ in 0..excess(requests.len(), capacity) {
            let first = requests.values().min_by_key(|found| found.expires_at).map(|found| found.digest);
            first.and_then(|digest| requests.remove(&digest));
        }
        Ok(())
    }

    async fn take_pushed(
        &self,
        digest: &Digest,
        client_id: &str,
        now: SystemTime,
    ) -> Result<Option<CodeRequest>, StoreError> {
        let requests = &mut self.tables().pushed;
        let fits = |found: &PushedRequest| found.request.client_id == client_id && found.expires_at > now;
        if !requests.get(digest).is_some_and(fits) {
            return Ok(None);
        }
        Ok(requests.remove(digest).map(|found| found.request))
    }

    async fn prune_pushed(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError> {
        Ok(remove(&mut self.tables().pushed, batch, |found| found.expires_at <= now))
    }
}
