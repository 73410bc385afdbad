//! Clients in memory.

use std::time::SystemTime;

use async_trait::async_trait;

use super::{MemoryStore, excess, first, remove};
use crate::store::{Client, ClientStore, Confirm, StoreError};

#[async_trait]
impl ClientStore for MemoryStore {
    async fn insert_client(
        &self,
        client: &Client,
        max_unused: u64,
        replaceable_before: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let unused = || tables.clients.values().filter(|found| found.first_used_at.is_none());
        let excess = excess(unused().count() + 1, max_unused);
        let old = unused().filter(|found| found.registered_at < replaceable_before);
        let replaced = first(old.map(|found| (found.registered_at, found.id.clone())), excess);
        if replaced.len() < excess {
            return Ok(false);
        }
        confirm()?;
        tables.clients.retain(|id, _| !replaced.contains(id));
        tables.clients.insert(client.id.clone(), client.clone());
        Ok(true)
    }

    async fn client(&self, id: &str) -> Result<Option<Client>, StoreError> {
        Ok(self.tables().clients.get(id).cloned())
    }

    async fn prune_clients(&self, unused_before: SystemTime, batch: u64) -> Result<u64, StoreError> {
        let unused = |client: &Client| client.first_used_at.is_none() && client.registered_at < unused_before;
        Ok(remove(&mut self.tables().clients, batch, unused))
    }
}
