//! Clients in memory.

use std::time::SystemTime;

use async_trait::async_trait;

use super::{MemoryStore, excess, first, remove};
use crate::store::{Client, ClientStore, Confirm, Grant, StoreError};

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

    async fn clients(&self, after: Option<&str>, limit: u64) -> Result<Vec<Client>, StoreError> {
        let tables = self.tables();
        let later = |client: &&Client| after.is_none_or(|after| client.id.as_str() > after);
        let mut found: Vec<Client> = tables.clients.values().filter(later).cloned().collect();
        found.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(found)
    }

    async fn replace_client(
        &self,
        before: &Client,
        after: &Client,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let Some(found) = tables.clients.get_mut(&before.id) else { return Ok(false) };
        let same_secret = found.authentication.secret_digest() == before.authentication.secret_digest();
        if !same_secret || found.registration_token != before.registration_token {
            return Ok(false);
        }
        confirm()?;
        let (registered_at, first_used_at) = (found.registered_at, found.first_used_at);
        *found = Client { registered_at, first_used_at, id: before.id.clone(), ..after.clone() };
        Ok(true)
    }

    async fn remove_client(
        &self,
        client: &Client,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<Option<Vec<String>>, StoreError> {
        let mut tables = self.tables();
        let found = tables.clients.get(&client.id);
        if found.is_none_or(|found| found.registration_token != client.registration_token) {
            return Ok(None);
        }
        confirm()?;
        tables.clients.remove(&client.id);
        let own = |grant: &&mut Grant| grant.client_id == client.id && grant.revoked_at.is_none();
        let revoked = tables.grants.values_mut().filter(own).map(|grant| {
            grant.revoked_at = Some(now);
            grant.id.clone()
        });
        Ok(Some(revoked.collect()))
    }

    async fn prune_clients(&self, unused_before: SystemTime, batch: u64) -> Result<u64, StoreError> {
        let unused = |client: &Client| client.first_used_at.is_none() && client.registered_at < unused_before;
        Ok(remove(&mut self.tables().clients, batch, unused))
    }
}
