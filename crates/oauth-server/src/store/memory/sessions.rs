//! Sessions in memory.

use std::time::SystemTime;

use async_trait::async_trait;

use super::{MemoryStore, excess, remove};
use crate::{
    random::Digest,
    store::{Confirm, Interaction, NewSession, Session, SessionStore, Stage, StoreError},
};

#[async_trait]
impl SessionStore for MemoryStore {
    async fn complete_page(
        &self,
        id: &str,
        sign_in_cookie: &Digest,
        started: &NewSession<'_>,
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
        if let Some(replaced) = started.replaces {
            tables.sessions.remove(replaced);
        }
        tables.sessions.insert(started.session.cookie, started.session.clone());
        let mut ends: Vec<_> =
            tables.sessions.values().map(|found| (found.expires_at, found.cookie)).collect();
        ends.sort_unstable_by_key(|(ends, _)| *ends);
        for (_, cookie) in ends.iter().take(excess(ends.len(), started.capacity)) {
            tables.sessions.remove(cookie);
        }
        Ok(true)
    }

    async fn session(&self, cookie: &Digest) -> Result<Option<Session>, StoreError> {
        Ok(self.tables().sessions.get(cookie).cloned())
    }

    async fn touch_session(
        &self,
        cookie: &Digest,
        now: SystemTime,
        expires_at: SystemTime,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        if let Some(session) = tables.sessions.get_mut(cookie).filter(|found| found.expires_at > now) {
            session.last_seen_at = now;
            session.expires_at = expires_at;
        }
        Ok(())
    }

    async fn end_session(&self, cookie: &Digest, confirm: Confirm<'_>) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        if !tables.sessions.contains_key(cookie) {
            return Ok(false);
        }
        confirm()?;
        tables.sessions.remove(cookie);
        Ok(true)
    }

    async fn prune_sessions(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError> {
        Ok(remove(&mut self.tables().sessions, batch, |found| found.expires_at <= now))
    }
}
