//! Grants, and the codes and refresh tokens that live under them.

use std::time::SystemTime;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Confirm, StoreError};
use crate::{identity::Identity, random::Digest};

/// Keeps grants, codes and refresh tokens.
#[async_trait]
pub trait GrantStore: Send + Sync + 'static {
    /// The grant with this identifier, revoked, expired or not.
    async fn grant(&self, id: &str) -> Result<Option<Grant>, StoreError>;

    /// Keeps a grant that no code or device stands for. With an assertion, it is used up in the same step: when it was
    /// used before, nothing is kept. Gives whether the grant is.
    async fn insert_grant(
        &self,
        grant: &Grant,
        assertion: Option<&UsedAssertion>,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError>;

    /// The code with this digest and its grant, used, expired or not.
    async fn code(&self, digest: &Digest) -> Result<Option<(Code, Grant)>, StoreError>;

    /// Uses up an unexpired code of a grant in force, which counts as used with it and is bound to the key with this
    /// thumbprint, if there is one, and keeps the refresh token issued for it, if one is. Only the first of several calls
    /// does so.
    async fn redeem_code(
        &self,
        digest: &Digest,
        refresh_token: Option<&RefreshToken>,
        dpop_jkt: Option<&str>,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError>;

    /// The refresh token with this digest and its grant, used, expired or not.
    async fn refresh_token(&self, digest: &Digest) -> Result<Option<(RefreshToken, Grant)>, StoreError>;

    /// Uses up an unexpired refresh token of a grant in force, which counts as used with it, and keeps its successor. Only
    /// the first of several calls does so.
    async fn rotate_refresh_token(
        &self,
        digest: &Digest,
        successor: &RefreshToken,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError>;

    /// Revokes a grant with everything that was issued under it. Gives whether it was in force before.
    async fn revoke_grant(&self, id: &str, now: SystemTime) -> Result<bool, StoreError>;

    /// At most `limit` grants of a person that are in force at `now`, the newest first, starting after the position
    /// `after`.
    async fn grants_of(
        &self,
        person: Person<'_>,
        after: Option<&Position>,
        limit: u64,
        now: SystemTime,
    ) -> Result<Vec<Grant>, StoreError>;

    /// Revokes a grant if it is this person's and in force. Gives the grant if it did.
    async fn revoke_grant_of(
        &self,
        person: Person<'_>,
        id: &str,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<Option<Grant>, StoreError>;

    /// Revokes every grant of this person that is in force. Gives their identifiers.
    async fn revoke_grants_of(
        &self,
        person: Person<'_>,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<Vec<String>, StoreError>;

    /// Revokes at most `batch` of the grants in force that were made before `before`. Gives how many.
    async fn revoke_grants(&self, before: SystemTime, now: SystemTime, batch: u64)
    -> Result<u64, StoreError>;

    /// The identifiers of every grant revoked at or after `since`.
    async fn revoked_since(&self, since: SystemTime) -> Result<Vec<String>, StoreError>;

    /// Deletes at most `batch` rows of each kind that can no longer matter at `now`. Gives how many.
    async fn prune_grants(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError>;
}

/// A person, by what identifies them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person<'a> {
    /// The issuer that vouches for them.
    pub issuer: &'a str,
    /// The subject at that issuer.
    pub subject: &'a str,
}

impl<'a> From<&'a Identity> for Person<'a> {
    fn from(identity: &'a Identity) -> Self {
        Self { issuer: &identity.issuer, subject: &identity.subject }
    }
}

/// Where a list of grants was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// When the person signed in for the last grant that was listed.
    pub authenticated_at: SystemTime,
    /// Its identifier.
    pub id: String,
}

/// How a grant came to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GrantKind {
    /// A person signed in in a browser and a client got a code.
    #[default]
    Code,
    /// A person let a device in (RFC 8628).
    Device,
    /// A client acts for itself (RFC 6749 §4.4).
    ClientCredentials,
    /// A workload proved who it is to its own issuer (RFC 7523).
    Workload,
    /// The organisation's identity provider let a client in for a person (enterprise-managed authorization).
    IdentityAssertion,
    /// A person took a token for a program that cannot sign them in.
    Portal,
}

impl GrantKind {
    /// The kinds that one access token lives under, and nothing after it.
    pub(crate) const OF_ONE_TOKEN: [Self; 4] =
        [Self::ClientCredentials, Self::Workload, Self::IdentityAssertion, Self::Portal];

    /// Whether a person is behind it, who signed in at some time.
    pub(crate) fn is_of_person(self) -> bool {
        !matches!(self, Self::ClientCredentials | Self::Workload)
    }
}

/// An assertion that counts once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsedAssertion {
    /// The digest of its kind, issuer and identifier; a key of [`OneTimeStore`](super::OneTimeStore).
    pub key: Digest,
    /// When nobody accepts it any more.
    pub expires_at: SystemTime,
}

/// What a person granted to a client: the family of every token issued under it. Its identifier is the tokens' `sid`.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// The handle by which it is revoked.
    pub id: String,
    /// The client that may act.
    pub client_id: String,
    /// The person it acts for.
    pub identity: Identity,
    /// Which identity source vouched, by its configured id.
    pub identity_source: String,
    /// The canonical resource.
    pub resource: String,
    /// The granted scopes, separated by spaces.
    pub scope: String,
    /// When the person signed in.
    pub authenticated_at: SystemTime,
    /// When no refresh extends it any more.
    pub expires_at: SystemTime,
    /// When it was revoked.
    pub revoked_at: Option<SystemTime>,
    /// How it came to be.
    pub kind: GrantKind,
    /// When tokens were last exchanged under it.
    pub last_used_at: Option<SystemTime>,
    /// The thumbprint of the key that its tokens are bound to (RFC 9449 §6.1).
    pub dpop_jkt: Option<String>,
    /// The device it was made from, in words for the person.
    pub device: Option<String>,
    /// The identity provider's handle of the sign-in (`sid`).
    pub upstream_session: Option<String>,
    /// The [`fingerprint`](super::Client::fingerprint) of the client that the person allowed.
    pub client_fingerprint: Option<String>,
}

/// An authorization code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// The digest of the code.
    pub digest: Digest,
    /// What it is exchanged for.
    pub grant_id: String,
    /// The redirect URI that the token request must repeat, if the authorization request named one.
    pub redirect_uri: Option<String>,
    /// The S256 code challenge.
    pub code_challenge: String,
    /// The thumbprint of the key that must be proven to exchange it (RFC 9449 §10).
    pub dpop_jkt: Option<String>,
    /// What the client wants to find in the ID token (OpenID Connect Core §3.1.2.1).
    pub nonce: Option<String>,
    /// When it is worthless.
    pub expires_at: SystemTime,
    /// When it was used.
    pub used_at: Option<SystemTime>,
}

/// A refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// The digest of the token.
    pub digest: Digest,
    /// The family it belongs to.
    pub grant_id: String,
    /// When it is worthless; when it was used, when it is forgotten.
    pub expires_at: SystemTime,
    /// When it was exchanged for its successor.
    pub used_at: Option<SystemTime>,
}
