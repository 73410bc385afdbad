//! Initial access tokens in memory.

use std::time::SystemTime;

use async_trait::async_trait;

use super::{MemoryStore, remove};
use crate::{
    random::Digest,
    store::{Confirm, RegistrationToken, RegistrationTokenStore, StoreError},
};

#[async_trait]
impl RegistrationTokenStore for MemoryStore {
    async fn insert_registration_token(
        &self,
        token: &RegistrationToken,
        confirm: Confirm<'_>,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        confirm()?;
        tables.registration_tokens.insert(token.id.clone(), token.clone());
        Ok(())
    }

    async fn use_registration_token(&self, digest: &Digest, now: SystemTime) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let usable = |token: &&mut RegistrationToken| {
            token.digest == *digest && token.uses_left > 0 && token.expires_at > now
        };
        let Some(token) = tables.registration_tokens.values_mut().find(usable) else { return Ok(false) };
        token.uses_left -= 1;
        Ok(true)
    }

    async fn registration_tokens(&self) -> Result<Vec<RegistrationToken>, StoreError> {
        let mut tokens: Vec<_> = self.tables().registration_tokens.values().cloned().collect();
        tokens.sort_unstable_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
        Ok(tokens)
    }

    async fn remove_registration_token(&self, id: &str, confirm: Confirm<'_>) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        if !tables.registration_tokens.contains_key(id) {
            return Ok(false);
        }
        confirm()?;
        tables.registration_tokens.remove(id);
        Ok(true)
    }

    async fn prune_registration_tokens(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError> {
        Ok(remove(&mut self.tables().registration_tokens, batch, |token| token.expires_at <= now))
    }
}
