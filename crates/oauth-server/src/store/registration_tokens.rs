//! Initial access tokens: who may register a client (RFC 7591 §3).

use std::time::SystemTime;

use async_trait::async_trait;

use super::{Confirm, StoreError};
use crate::random::Digest;

/// Keeps initial access tokens.
#[async_trait]
pub trait RegistrationTokenStore: Send + Sync + 'static {
    /// Keeps a new token.
    async fn insert_registration_token(
        &self,
        token: &RegistrationToken,
        confirm: Confirm<'_>,
    ) -> Result<(), StoreError>;

    /// Takes one use of a token that has not expired. Gives whether there was one left.
    async fn use_registration_token(&self, digest: &Digest, now: SystemTime) -> Result<bool, StoreError>;

    /// Every token that is kept, in the order in which they were made.
    async fn registration_tokens(&self) -> Result<Vec<RegistrationToken>, StoreError>;

    /// Deletes the token with this identifier. Gives whether there was one.
    async fn remove_registration_token(&self, id: &str, confirm: Confirm<'_>) -> Result<bool, StoreError>;

    /// Deletes at most `batch` tokens that are over at `now`. Gives how many.
    async fn prune_registration_tokens(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError>;
}

/// An initial access token as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationToken {
    /// Names it to the operator.
    pub id: String,
    /// The digest of the token.
    pub digest: Digest,
    /// What the operator calls it.
    pub label: Option<String>,
    /// How many clients may still register with it.
    pub uses_left: u32,
    /// When it was made.
    pub created_at: SystemTime,
    /// When it is worthless.
    pub expires_at: SystemTime,
}
