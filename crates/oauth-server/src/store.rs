//! What must survive a restart, and the few operations that must be atomic.
//!
//! Every operation that may happen only once ([`approve_interaction`](Store::approve_interaction),
//! [`complete_interaction`](Store::complete_interaction), [`redeem_code`](Store::redeem_code),
//! [`rotate_refresh_token`](Store::rotate_refresh_token)) is decided by one conditional statement and answers whether
//! it took place. Whatever else changes with it changes in the same transaction. Each takes a [`Confirm`], called once
//! everything is prepared: when it errs, nothing has happened. That is how no step is taken that the audit log could
//! not record.
//!
//! Secrets never reach a store: codes, refresh tokens, client secrets and browser cookies are kept as their
//! [`Digest`].

#[cfg(feature = "sea-orm")]
mod database;
mod memory;
mod model;

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use audit::AuditUnavailable;

use crate::random::Digest;

#[cfg(feature = "sea-orm")]
pub use database::{SeaOrmStore, connect_options, migrations};
pub use memory::MemoryStore;
pub use model::{
    Client, ClientAuthentication, Code, Grant, Interaction, RefreshToken, SecretMethod, SigningKeyRecord,
    Stage,
};

/// How long used codes and ended grants are kept, so that a late replay is still recognised.
const RETENTION: Duration = Duration::from_hours(24);

/// Called when a change is prepared and about to become permanent; an error abandons it.
pub type Confirm<'a> = &'a (dyn Fn() -> Result<(), AuditUnavailable> + Send + Sync);

/// An operation could not be carried out; nothing was changed, and it may succeed later.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database does not answer.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row that this program cannot have written.
    #[error("the store holds an unreadable {what}")]
    Corrupt {
        /// The kind of row.
        what: &'static str,
    },
    /// The [`Confirm`] refused.
    #[error("the change could not be recorded")]
    NotRecorded(#[from] AuditUnavailable),
}

/// Keeps clients, interactions, codes, grants, refresh tokens and signing keys.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Keeps a new client. Of the clients that nobody ever signed in with, at most `max_unused` are kept, however many
    /// register at once: those registered first give way, if that was before `replaceable_before`. Gives whether there
    /// was room.
    async fn insert_client(
        &self,
        client: &Client,
        max_unused: u64,
        replaceable_before: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError>;

    /// The client with this identifier.
    async fn client(&self, id: &str) -> Result<Option<Client>, StoreError>;

    /// Keeps a new interaction. Of more than `capacity`, those that are over first give way.
    async fn insert_interaction(&self, interaction: &Interaction, capacity: u64) -> Result<(), StoreError>;

    /// The interaction with this identifier, expired or not.
    async fn interaction(&self, id: &str) -> Result<Option<Interaction>, StoreError>;

    /// Moves an unexpired interaction from consent to sign-in, bound from then on to another cookie. Only the first of
    /// several calls does so.
    async fn approve_interaction(
        &self,
        id: &str,
        consent_cookie: &Digest,
        sign_in_cookie: &Digest,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError>;

    /// Forgets an interaction that the person cancelled. Only the first of several calls does so.
    async fn cancel_interaction(
        &self,
        id: &str,
        cookie: &Digest,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError>;

    /// Exchanges an unexpired interaction in the sign-in stage for a grant and its code, and marks the client as used.
    /// Only the first of several calls does so.
    async fn complete_interaction(
        &self,
        id: &str,
        sign_in_cookie: &Digest,
        grant: &Grant,
        code: &Code,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError>;

    /// The code with this digest and its grant, used, expired or not.
    async fn code(&self, digest: &Digest) -> Result<Option<(Code, Grant)>, StoreError>;

    /// Uses up an unexpired code of an unrevoked grant and keeps the refresh token issued for it, if one is. Only the
    /// first of several calls does so.
    async fn redeem_code(
        &self,
        digest: &Digest,
        refresh_token: Option<&RefreshToken>,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError>;

    /// The refresh token with this digest and its grant, used, expired or not.
    async fn refresh_token(&self, digest: &Digest) -> Result<Option<(RefreshToken, Grant)>, StoreError>;

    /// Uses up an unexpired refresh token of an unrevoked grant and keeps its successor. Only the first of several calls
    /// does so.
    async fn rotate_refresh_token(
        &self,
        digest: &Digest,
        successor: &RefreshToken,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError>;

    /// Revokes a grant with everything that was issued under it. Gives whether it was in force before.
    async fn revoke_grant(&self, id: &str, now: SystemTime) -> Result<bool, StoreError>;

    /// The identifiers of every grant revoked at or after `since`.
    async fn revoked_since(&self, since: SystemTime) -> Result<Vec<String>, StoreError>;

    /// Every signing key, oldest first.
    async fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, StoreError>;

    /// Keeps `key` as the current one of its algorithm unless there is one. Of several processes that start at once, one
    /// succeeds. Gives whether it was kept.
    async fn insert_first_signing_key(&self, key: &SigningKeyRecord) -> Result<bool, StoreError>;

    /// Deletes at most `batch` rows of each kind that can no longer matter at `now`, among them clients registered before
    /// `unused_clients_before` that nobody ever signed in with. Gives how many were deleted.
    async fn prune(
        &self,
        now: SystemTime,
        unused_clients_before: SystemTime,
        batch: u64,
    ) -> Result<u64, StoreError>;
}
