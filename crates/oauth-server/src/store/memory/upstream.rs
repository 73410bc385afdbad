//! Tokens of identity providers in memory.

use std::time::SystemTime;

use async_trait::async_trait;

use super::{MemoryStore, remove};
use crate::{
    identity::Identity,
    store::{StoreError, UpstreamCheck, UpstreamStore, UpstreamToken, UsedAssertion},
};

#[async_trait]
impl UpstreamStore for MemoryStore {
    async fn insert_upstream_token(&self, token: &UpstreamToken) -> Result<(), StoreError> {
        self.tables().upstream_tokens.insert(token.grant_id.clone(), token.clone());
        Ok(())
    }

    async fn begin_upstream_check(
        &self,
        grant_id: &str,
        due: SystemTime,
        lost: SystemTime,
        now: SystemTime,
    ) -> Result<UpstreamCheck, StoreError> {
        Ok(match self.tables().upstream_tokens.get_mut(grant_id) {
            None => UpstreamCheck::Unknown,
            Some(token) if token.checked_at > due => UpstreamCheck::Recent,
            Some(token) if token.asked_at.is_some_and(|at| at > lost) => UpstreamCheck::Asking,
            Some(token) => {
                token.asked_at = Some(now);
                UpstreamCheck::Ask(token.sealed.clone())
            }
        })
    }

    async fn finish_upstream_check(
        &self,
        grant_id: &str,
        sealed: &[u8],
        identity: Option<&Identity>,
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        if let Some(token) = tables.upstream_tokens.get_mut(grant_id) {
            token.sealed = sealed.to_vec();
            token.checked_at = token.asked_at.take().unwrap_or(token.checked_at);
        }
        if let (Some(grant), Some(identity)) = (tables.grants.get_mut(grant_id), identity) {
            grant.identity = identity.clone();
        }
        Ok(())
    }

    async fn abandon_upstream_check(&self, grant_id: &str) -> Result<(), StoreError> {
        if let Some(token) = self.tables().upstream_tokens.get_mut(grant_id) {
            token.asked_at = None;
        }
        Ok(())
    }

    async fn revoke_upstream(
        &self,
        logout: &UsedAssertion,
        (source, subject): (&str, &str),
        session: Option<&str>,
        now: SystemTime,
    ) -> Result<Option<Vec<String>>, StoreError> {
        let mut revoked = Vec::new();
        let mut tables = self.tables();
        if tables.one_time.get(&logout.key).is_some_and(|until| *until > now) {
            return Ok(None);
        }
        tables.one_time.insert(logout.key, logout.expires_at);
        let named =
            |found: &Option<String>| session.is_none() || found.is_none() || found.as_deref() == session;
        tables.sessions.retain(|_, found| {
            let person = found.identity_source == source && found.identity.subject == subject;
            !(person && named(&found.upstream_session))
        });
        for grant in tables.grants.values_mut() {
            let person = grant.identity_source == source && grant.identity.subject == subject;
            if person
                && named(&grant.upstream_session)
                && grant.revoked_at.is_none()
                && grant.expires_at > now
            {
                grant.revoked_at = Some(now);
                revoked.push(grant.id.clone());
            }
        }
        Ok(Some(revoked))
    }

    async fn prune_upstream_tokens(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError> {
        Ok(remove(&mut self.tables().upstream_tokens, batch, |found| found.expires_at <= now))
    }
}
