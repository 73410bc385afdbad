//! Sessions: who is signed in in which browser, for the pages about their own account.

use std::time::SystemTime;

use async_trait::async_trait;

use super::{Confirm, StoreError};
use crate::{identity::Identity, random::Digest};

/// Keeps sessions.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// Exchanges an unexpired interaction in the sign-in stage for a session. Only the first of several calls does so.
    async fn complete_page(
        &self,
        id: &str,
        sign_in_cookie: &Digest,
        started: &NewSession<'_>,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError>;

    /// The session with this cookie, expired or not.
    async fn session(&self, cookie: &Digest) -> Result<Option<Session>, StoreError>;

    /// Notes that an unexpired session was used at `now` and lasts until `expires_at`.
    async fn touch_session(
        &self,
        cookie: &Digest,
        now: SystemTime,
        expires_at: SystemTime,
    ) -> Result<(), StoreError>;

    /// Ends a session. Only the first of several calls does so.
    async fn end_session(&self, cookie: &Digest, confirm: Confirm<'_>) -> Result<bool, StoreError>;

    /// Deletes at most `batch` sessions that are over at `now`. Gives how many.
    async fn prune_sessions(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError>;
}

/// A session that begins.
#[derive(Clone, Copy, Debug)]
pub struct NewSession<'a> {
    /// The session.
    pub session: &'a Session,
    /// The cookie of the session that the browser had, which ends.
    pub replaces: Option<&'a Digest>,
    /// How many sessions are kept. Of more, those that are over first give way.
    pub capacity: u64,
}

/// A person who is signed in in a browser.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// The digest of the cookie.
    pub cookie: Digest,
    /// Who it is.
    pub identity: Identity,
    /// Which identity source vouched, by its configured id.
    pub identity_source: String,
    /// The identity provider's handle of the sign-in (`sid`).
    pub upstream_session: Option<String>,
    /// When the person signed in.
    pub created_at: SystemTime,
    /// When the browser was last here, more or less.
    pub last_seen_at: SystemTime,
    /// When it is over, unless the browser comes again.
    pub expires_at: SystemTime,
}
