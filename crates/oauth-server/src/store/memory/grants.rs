//! Grants in memory.

use std::time::SystemTime;

use async_trait::async_trait;

use super::{MemoryStore, remove};
use crate::{
    clock::{after, before},
    random::Digest,
    store::{
        Code, Confirm, Grant, GrantKind, GrantStore, Person, Position, RETENTION, RefreshToken,
        SHORT_RETENTION, StoreError, USED_RETENTION, UsedAssertion,
    },
};

#[async_trait]
impl GrantStore for MemoryStore {
    async fn grant(&self, id: &str) -> Result<Option<Grant>, StoreError> {
        Ok(self.tables().grants.get(id).cloned())
    }

    async fn insert_grant(
        &self,
        grant: &Grant,
        assertion: Option<&UsedAssertion>,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let used = |key| tables.one_time.get(key).is_some_and(|until| *until > now);
        if assertion.is_some_and(|assertion| used(&assertion.key)) {
            return Ok(false);
        }
        confirm()?;
        if let Some(UsedAssertion { key, expires_at }) = assertion {
            tables.one_time.insert(*key, *expires_at);
        }
        tables.grants.insert(grant.id.clone(), grant.clone());
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
        dpop_jkt: Option<&str>,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let usable = |code: &Code| code.used_at.is_none() && code.expires_at > now;
        let Some(code) = tables.codes.get(digest).filter(|code| usable(code)) else { return Ok(false) };
        let grant_id = code.grant_id.clone();
        if !tables.in_force(&grant_id, now) {
            return Ok(false);
        }
        confirm()?;
        tables.use_grant(&grant_id, dpop_jkt, now);
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
        let found = tables.refresh_tokens.get(digest).filter(|token| usable(token));
        if found.is_none_or(|token| token.grant_id != successor.grant_id)
            || !tables.in_force(&successor.grant_id, now)
        {
            return Ok(false);
        }
        confirm()?;
        tables.use_grant(&successor.grant_id, None, now);
        if let Some(token) = tables.refresh_tokens.get_mut(digest) {
            token.used_at = Some(now);
            token.expires_at = after(now, USED_RETENTION);
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

    async fn grants_of(
        &self,
        person: Person<'_>,
        after: Option<&Position>,
        limit: u64,
        now: SystemTime,
    ) -> Result<Vec<Grant>, StoreError> {
        let tables = self.tables();
        let own = tables.grants.values().filter(|grant| is_own(grant, person, now));
        let mut own: Vec<Grant> = own
            .filter(|grant| {
                after.is_none_or(|at| {
                    (grant.authenticated_at, grant.id.as_str()) < (at.authenticated_at, at.id.as_str())
                })
            })
            .cloned()
            .collect();
        own.sort_by(|one, other| (other.authenticated_at, &other.id).cmp(&(one.authenticated_at, &one.id)));
        own.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(own)
    }

    async fn revoke_grant_of(
        &self,
        person: Person<'_>,
        id: &str,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<Option<Grant>, StoreError> {
        let mut tables = self.tables();
        let Some(grant) = tables.grants.get_mut(id).filter(|grant| is_own(grant, person, now)) else {
            return Ok(None);
        };
        confirm()?;
        grant.revoked_at = Some(now);
        Ok(Some(grant.clone()))
    }

    async fn revoke_grants_of(
        &self,
        person: Person<'_>,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<Vec<String>, StoreError> {
        let mut tables = self.tables();
        confirm()?;
        let own = tables.grants.values_mut().filter(|grant| is_own(grant, person, now));
        Ok(own
            .map(|grant| {
                grant.revoked_at = Some(now);
                grant.id.clone()
            })
            .collect())
    }

    async fn revoke_grants(
        &self,
        before: SystemTime,
        now: SystemTime,
        batch: u64,
    ) -> Result<u64, StoreError> {
        let mut tables = self.tables();
        let in_force = |grant: &&mut Grant| {
            grant.revoked_at.is_none() && grant.expires_at > now && grant.authenticated_at < before
        };
        let first = tables.grants.values_mut().filter(in_force);
        let mut revoked = 0;
        for grant in first.take(usize::try_from(batch).unwrap_or(usize::MAX)) {
            grant.revoked_at = Some(now);
            revoked += 1;
        }
        Ok(revoked)
    }

    async fn revoked_since(&self, since: SystemTime) -> Result<Vec<String>, StoreError> {
        let tables = self.tables();
        let revoked = tables.grants.values().filter(|grant| grant.revoked_at.is_some_and(|at| at >= since));
        Ok(revoked.map(|grant| grant.id.clone()).collect())
    }

    async fn prune_grants(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError> {
        let mut tables = self.tables();
        let (retained, of_one_token) = (before(now, RETENTION), before(now, SHORT_RETENTION));
        Ok(remove(&mut tables.codes, batch, |found| found.expires_at <= retained)
            + remove(&mut tables.refresh_tokens, batch, |found| found.expires_at <= now)
            + remove(&mut tables.grants, batch, |found| {
                found.expires_at <= retained
                    || (found.expires_at <= of_one_token && GrantKind::OF_ONE_TOKEN.contains(&found.kind))
            }))
    }
}

/// Whether a grant is this person's and in force.
fn is_own(grant: &Grant, person: Person<'_>, now: SystemTime) -> bool {
    Person::from(&grant.identity) == person && grant.revoked_at.is_none() && grant.expires_at > now
}
