//! What is kept of an identity provider's tokens, so that it can be asked again.

use std::time::SystemTime;

use async_trait::async_trait;

use super::{StoreError, UsedAssertion};
use crate::identity::Identity;

/// Keeps the providers' refresh tokens, sealed.
#[async_trait]
pub trait UpstreamStore: Send + Sync + 'static {
    /// Keeps the token for a grant that is about to be made.
    async fn insert_upstream_token(&self, token: &UpstreamToken) -> Result<(), StoreError>;

    /// The token of a grant about which the provider last answered before or at `due`. Only the first of several calls gets
    /// it; the others are to wait until that check is finished or abandoned, or if it was begun before or at `lost`, take
    /// its place.
    async fn begin_upstream_check(
        &self,
        grant_id: &str,
        due: SystemTime,
        lost: SystemTime,
        now: SystemTime,
    ) -> Result<UpstreamCheck, StoreError>;

    /// Replaces the token of a grant, and what the provider says about the person if it said so again. From now on the
    /// provider counts as asked when the check was begun.
    async fn finish_upstream_check(
        &self,
        grant_id: &str,
        sealed: &[u8],
        identity: Option<&Identity>,
    ) -> Result<(), StoreError>;

    /// Ends a check that gave no answer: another may begin.
    async fn abandon_upstream_check(&self, grant_id: &str) -> Result<(), StoreError>;

    /// Revokes every grant of this identity source in force at `now` and ends the browser sessions: those of a subject, or if
    /// a session is named those of that session and those of none. Gives the identifiers of the grants, or `None` when the
    /// logout token was used before; what is not carried out has not used it up.
    async fn revoke_upstream(
        &self,
        logout: &UsedAssertion,
        (source, subject): (&str, &str),
        session: Option<&str>,
        now: SystemTime,
    ) -> Result<Option<Vec<String>>, StoreError>;

    /// Deletes at most `batch` tokens whose grant is over at `now`. Gives how many.
    async fn prune_upstream_tokens(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError>;
}

/// A refresh token of an identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamToken {
    /// The grant it belongs to.
    pub grant_id: String,
    /// The token, sealed.
    pub sealed: Vec<u8>,
    /// When the provider was last asked and answered.
    pub checked_at: SystemTime,
    /// When it was asked, while it has not answered.
    pub asked_at: Option<SystemTime>,
    /// When the grant ends.
    pub expires_at: SystemTime,
}

/// What there is to ask the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamCheck {
    /// This token, by this caller.
    Ask(Vec<u8>),
    /// Nothing: it answered a moment ago.
    Recent,
    /// Nothing yet: somebody else asks.
    Asking,
    /// There is no token for this grant.
    Unknown,
}
