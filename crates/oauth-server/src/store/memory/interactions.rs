//! Interactions in memory.

use std::time::SystemTime;

use async_trait::async_trait;

use super::{MemoryStore, excess, first, remove};
use crate::{
    random::Digest,
    store::{Code, Confirm, Grant, Interaction, InteractionStore, Stage, StoreError},
};

#[async_trait]
impl InteractionStore for MemoryStore {
    async fn insert_interaction(&self, interaction: &Interaction, capacity: u64) -> Result<(), StoreError> {
        let interactions = &mut self.tables().interactions;
        interactions.insert(interaction.id.clone(), interaction.clone());
        let excess = excess(interactions.len(), capacity);
        let ends = interactions.values().map(|found| (found.expires_at, found.id.clone()));
        for id in first(ends, excess) {
            interactions.remove(&id);
        }
        Ok(())
    }

    async fn interaction(&self, id: &str) -> Result<Option<Interaction>, StoreError> {
        Ok(self.tables().interactions.get(id).cloned())
    }

    async fn approve_interaction(
        &self,
        id: &str,
        consent_cookie: &Digest,
        sign_in_cookie: &Digest,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let waits = |found: &Interaction| found.stage == Stage::Consent && found.expires_at > now;
        if !tables.interaction_is(id, consent_cookie, waits) {
            return Ok(false);
        }
        confirm()?;
        if let Some(interaction) = tables.interactions.get_mut(id) {
            interaction.stage = Stage::SignIn;
            interaction.cookie = *sign_in_cookie;
        }
        Ok(true)
    }

    async fn cancel_interaction(
        &self,
        id: &str,
        cookie: &Digest,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        if !tables.interaction_is(id, cookie, |_| true) {
            return Ok(false);
        }
        confirm()?;
        tables.interactions.remove(id);
        Ok(true)
    }

    async fn complete_interaction(
        &self,
        id: &str,
        sign_in_cookie: &Digest,
        grant: &Grant,
        code: &Code,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let waits = |found: &Interaction| found.stage == Stage::SignIn && found.expires_at > now;
        if !tables.interaction_is(id, sign_in_cookie, waits) {
            return Ok(false);
        }
        confirm()?;
        tables.interactions.remove(id);
        tables.grants.insert(grant.id.clone(), grant.clone());
        tables.codes.insert(code.digest, code.clone());
        if let Some(client) = tables.clients.get_mut(&grant.client_id) {
            client.first_used_at.get_or_insert(now);
        }
        Ok(true)
    }

    async fn prune_interactions(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError> {
        Ok(remove(&mut self.tables().interactions, batch, |found| found.expires_at <= now))
    }
}
