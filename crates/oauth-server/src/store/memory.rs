//! A store that forgets everything when the process ends: for tests and demonstrations.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use async_trait::async_trait;

use super::{
    Client, Code, Confirm, Grant, Interaction, RETENTION, RefreshToken, SigningKeyRecord, Stage, Store,
    StoreError,
};
use crate::{clock::before, random::Digest};

/// Keeps everything in one locked set of maps.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Tables>);

#[derive(Debug, Default)]
struct Tables {
    clients: HashMap<String, Client>,
    interactions: HashMap<String, Interaction>,
    grants: HashMap<String, Grant>,
    codes: HashMap<Digest, Code>,
    refresh_tokens: HashMap<Digest, RefreshToken>,
    signing_keys: Vec<SigningKeyRecord>,
}

impl MemoryStore {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn interaction_is(&self, id: &str, cookie: &Digest, fits: impl FnOnce(&Interaction) -> bool) -> bool {
        self.interactions.get(id).is_some_and(|found| found.cookie == *cookie && fits(found))
    }

    fn in_force(&self, grant_id: &str, now: SystemTime) -> bool {
        self.grants.get(grant_id).is_some_and(|grant| grant.revoked_at.is_none() && grant.expires_at > now)
    }
}

#[async_trait]
impl Store for MemoryStore {
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

    async fn code(&self, digest: &Digest) -> Result<Option<(Code, Grant)>, StoreError> {
        let tables = self.tables();
        Ok(tables
            .codes
            .get(digest)
            .and_then(|code| Some((code.clone(), tables.grants.get(&code.grant_id)?.clone()))))
    }

    async fn redeem_code(
        &self,
        digest: &Digest,
        refresh_token: Option<&RefreshToken>,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let usable = |code: &Code| code.used_at.is_none() && code.expires_at > now;
        let Some(code) = tables.codes.get(digest).filter(|code| usable(code)) else { return Ok(false) };
        if !tables.in_force(&code.grant_id, now) {
            return Ok(false);
        }
        confirm()?;
        if let Some(code) = tables.codes.get_mut(digest) {
            code.used_at = Some(now);
        }
        if let Some(token) = refresh_token {
            tables.refresh_tokens.insert(token.digest, token.clone());
        }
        Ok(true)
    }

    async fn refresh_token(&self, digest: &Digest) -> Result<Option<(RefreshToken, Grant)>, StoreError> {
        let tables = self.tables();
        Ok(tables
            .refresh_tokens
            .get(digest)
            .and_then(|token| Some((token.clone(), tables.grants.get(&token.grant_id)?.clone()))))
    }

    async fn rotate_refresh_token(
        &self,
        digest: &Digest,
        successor: &RefreshToken,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let usable = |token: &RefreshToken| token.used_at.is_none() && token.expires_at > now;
        let Some(token) = tables.refresh_tokens.get(digest).filter(|token| usable(token)) else {
            return Ok(false);
        };
        if !tables.in_force(&token.grant_id, now) {
            return Ok(false);
        }
        confirm()?;
        if let Some(token) = tables.refresh_tokens.get_mut(digest) {
            token.used_at = Some(now);
        }
        tables.refresh_tokens.insert(successor.digest, successor.clone());
        Ok(true)
    }

    async fn revoke_grant(&self, id: &str, now: SystemTime) -> Result<bool, StoreError> {
        match self.tables().grants.get_mut(id) {
            Some(grant) if grant.revoked_at.is_none() => {
                grant.revoked_at = Some(now);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn revoked_since(&self, since: SystemTime) -> Result<Vec<String>, StoreError> {
        let tables = self.tables();
        let revoked = tables.grants.values().filter(|grant| grant.revoked_at.is_some_and(|at| at >= since));
        Ok(revoked.map(|grant| grant.id.clone()).collect())
    }

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

    async fn prune(
        &self,
        now: SystemTime,
        unused_clients_before: SystemTime,
        batch: u64,
    ) -> Result<u64, StoreError> {
        let mut tables = self.tables();
        let unused =
            |client: &Client| client.first_used_at.is_none() && client.registered_at < unused_clients_before;
        let retained = before(now, RETENTION);
        Ok(remove(&mut tables.interactions, batch, |found| found.expires_at <= now)
            + remove(&mut tables.codes, batch, |found| found.expires_at <= retained)
            + remove(&mut tables.refresh_tokens, batch, |found| found.expires_at <= now)
            + remove(&mut tables.grants, batch, |found| found.expires_at <= retained)
            + remove(&mut tables.clients, batch, unused))
    }
}

/// How many are too many.
fn excess(found: usize, max: u64) -> usize {
    found.saturating_sub(usize::try_from(max).unwrap_or(usize::MAX))
}

/// The `count` earliest.
fn first(rows: impl Iterator<Item = (SystemTime, String)>, count: usize) -> Vec<String> {
    if count == 0 {
        return Vec::new();
    }
    let mut rows: Vec<_> = rows.collect();
    rows.sort_unstable();
    rows.into_iter().take(count).map(|(_, id)| id).collect()
}

fn remove<K: Clone + Eq + std::hash::Hash, V>(
    table: &mut HashMap<K, V>,
    batch: u64,
    over: impl Fn(&V) -> bool,
) -> u64 {
    let batch = usize::try_from(batch).unwrap_or(usize::MAX);
    let keys: Vec<K> =
        table.iter().filter(|(_, row)| over(row)).map(|(key, _)| key.clone()).take(batch).collect();
    for key in &keys {
        table.remove(key);
    }
    keys.len() as u64
}
