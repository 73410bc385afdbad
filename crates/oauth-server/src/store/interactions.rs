//! Interactions: what a person has begun in a browser and not finished.

use std::time::SystemTime;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Code, Confirm, Grant, StoreError};
use crate::random::Digest;

/// Keeps interactions.
#[async_trait]
pub trait InteractionStore: Send + Sync + 'static {
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

    /// Deletes at most `batch` interactions that are over at `now`. Gives how many.
    async fn prune_interactions(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError>;
}

/// Where a person is on the way from `/authorize` to a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The person has not yet said whether the client may act for them.
    Consent,
    /// The person has, and may now sign in.
    SignIn,
}

/// Something that a person has begun, bound to their browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interaction {
    /// A handle that may appear in URLs.
    pub id: String,
    /// How far it is.
    pub stage: Stage,
    /// The digest of the cookie that this stage is bound to.
    pub cookie: Digest,
    /// What it is for.
    pub purpose: Purpose,
    /// When it began.
    pub created_at: SystemTime,
    /// When it is over.
    pub expires_at: SystemTime,
}

/// What a person signs in for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Purpose {
    /// A code for a client.
    Code(CodeRequest),
    /// Letting a client on another device in.
    Device(DeviceRequest),
    /// A page about the person's own account; no client takes part.
    Page(Page),
}

/// What a person who typed a user code is asked (RFC 8628 §3.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRequest {
    /// The digest of the device code.
    pub device: Digest,
    /// The user code, for the person to compare.
    pub user_code: String,
    /// The client that asked.
    pub client_id: String,
    /// The canonical resource.
    pub resource: String,
    /// The scopes that will be granted, separated by spaces.
    pub scope: String,
    /// The address that asked.
    pub requester: Option<String>,
    /// What the person is shown of a client that a document describes ([`Client::fingerprint`](super::Client::fingerprint)).
    #[serde(default)]
    pub client_fingerprint: Option<String>,
}

/// A page that only somebody who is signed in sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Page {
    /// What is connected in the person's name.
    Account,
    /// Where the person takes a token.
    Portal,
}

/// An authorization request that was accepted (RFC 6749 §4.1.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeRequest {
    /// The client that asked.
    pub client_id: String,
    /// Where the answer goes: an allowed redirect, exactly as requested (or as registered, when omitted).
    pub redirect_uri: String,
    /// Whether the client named the redirect; the token request must repeat it then (RFC 6749 §4.1.3).
    pub redirect_uri_given: bool,
    /// The client's `state`.
    pub state: Option<String>,
    /// The canonical resource.
    pub resource: String,
    /// The scopes that will be granted, separated by spaces.
    pub scope: String,
    /// The S256 code challenge.
    pub code_challenge: String,
    /// What the client wants to find in the ID token.
    #[serde(default)]
    pub nonce: Option<String>,
    /// The [`fingerprint`](super::Client::fingerprint) of the client that is asked for.
    #[serde(default)]
    pub client_fingerprint: Option<String>,
    /// The thumbprint of the key that the code is bound to (RFC 9449 §10).
    #[serde(default)]
    pub dpop_jkt: Option<String>,
}
