//! Clients: who may ask for tokens.

use std::{collections::BTreeSet, time::SystemTime};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Confirm, StoreError};
use crate::{random::Digest, replay::ReplayWindow};

/// Keeps clients.
#[async_trait]
pub trait ClientStore: Send + Sync + 'static {
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

    /// At most `limit` clients in the order of their identifiers, those after `after`.
    async fn clients(&self, after: Option<&str>, limit: u64) -> Result<Vec<Client>, StoreError>;

    /// Replaces what is known of a client, if its secret and its registration token are still those of `before`. When it
    /// registered and was first used stays. Gives whether it took place.
    async fn replace_client(
        &self,
        before: &Client,
        after: &Client,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError>;

    /// Deletes a client, if its registration token is still that of `client`, and revokes every grant of it. Gives the
    /// grants that were in force, or `None` if nothing took place.
    async fn remove_client(
        &self,
        client: &Client,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<Option<Vec<String>>, StoreError>;

    /// Deletes at most `batch` clients registered before `unused_before` that nobody ever signed in with. Gives how many.
    async fn prune_clients(&self, unused_before: SystemTime, batch: u64) -> Result<u64, StoreError>;
}

/// The registered name of authentication by a signed assertion.
pub(crate) const PRIVATE_KEY_JWT: &str = "private_key_jwt";

/// How a client proves who it is at the token endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// It cannot: a public client.
    None,
    /// By a secret, in the `Authorization` header or in the form.
    Secret {
        /// The registered method, `client_secret_basic` or `client_secret_post`.
        method: SecretMethod,
        /// The digest of the secret.
        digest: Digest,
        /// The secret before it, while the client still moves to the new one.
        previous: Option<PreviousSecret>,
    },
    /// By an assertion that it signs (RFC 7523 §2.2), `private_key_jwt`.
    PrivateKeyJwt(ClientKeys),
}

/// A secret that was replaced and still counts for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviousSecret {
    /// The digest of the secret.
    pub digest: Digest,
    /// When it is worthless.
    pub ends_at: SystemTime,
}

/// Where the public keys of a client are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClientKeys {
    /// Here: a JSON Web Key Set as JSON text.
    Inline(String),
    /// At this address, which the client named.
    Uri(String),
}

/// Where a confidential client said it would put its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretMethod {
    /// In the `Authorization` header.
    Basic,
    /// In the form.
    Post,
}

impl SecretMethod {
    /// The registered name (RFC 7591 §2).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "client_secret_basic",
            Self::Post => "client_secret_post",
        }
    }
}

impl ClientAuthentication {
    /// The digest of its secret.
    #[must_use]
    pub fn secret_digest(&self) -> Option<Digest> {
        match self {
            Self::Secret { digest, .. } => Some(*digest),
            Self::None | Self::PrivateKeyJwt(_) => None,
        }
    }

    /// The registered name (RFC 7591 §2).
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Secret { method, .. } => method.as_str(),
            Self::PrivateKeyJwt(_) => PRIVATE_KEY_JWT,
        }
    }
}

/// A grant type that this server has (RFC 7591 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum GrantType {
    /// A code for the client's redirect (RFC 6749 §4.1).
    #[serde(rename = "authorization_code")]
    AuthorizationCode,
    /// A refresh token (RFC 6749 §6).
    #[serde(rename = "refresh_token")]
    RefreshToken,
    /// A device code (RFC 8628 §3.4).
    #[serde(rename = "urn:ietf:params:oauth:grant-type:device_code")]
    DeviceCode,
    /// The client's own authentication (RFC 6749 §4.4).
    #[serde(rename = "client_credentials")]
    ClientCredentials,
    /// A signed assertion about a person or a workload (RFC 7523 §2.1).
    #[serde(rename = "urn:ietf:params:oauth:grant-type:jwt-bearer")]
    JwtBearer,
    /// Another token (RFC 8693).
    #[serde(rename = "urn:ietf:params:oauth:grant-type:token-exchange")]
    TokenExchange,
}

impl GrantType {
    /// Every grant type.
    pub const ALL: [Self; 6] = [
        Self::AuthorizationCode,
        Self::RefreshToken,
        Self::DeviceCode,
        Self::ClientCredentials,
        Self::JwtBearer,
        Self::TokenExchange,
    ];

    /// The registered name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::ClientCredentials => "client_credentials",
            Self::JwtBearer => "urn:ietf:params:oauth:grant-type:jwt-bearer",
            Self::TokenExchange => "urn:ietf:params:oauth:grant-type:token-exchange",
        }
    }

    /// The grant type with this registered name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|found| found.as_str() == name)
    }
}

/// Where a client comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClientOrigin {
    /// It registered itself (RFC 7591).
    #[default]
    Dynamic,
    /// The operator registered it.
    Operator,
    /// Its identifier is the URL of a document about it.
    Document,
}

/// What else is agreed with a client. Everything has a default, so that older rows stay readable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientSettings {
    /// The tenant of a client that acts for itself.
    pub tenant: Option<String>,
    /// The claims of a client that acts for itself, for the mapping to look at.
    pub hints: Map<String, Value>,
    /// The resources that it may ask tokens for on its own behalf, by their canonical identifiers.
    pub resources: Vec<String>,
    /// The scopes that it may ask for on its own behalf.
    pub scopes: Vec<String>,
    /// The resources that it is the server of, by their canonical identifiers. It may ask about tokens for these, and
    /// exchange one for another that `resources` and `scopes` allow.
    pub serves: Vec<String>,
    /// How long after its use a refresh token may be sent again, when not as long as for other clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_replay: Option<ReplayWindow>,
    /// Whether it must push its authorization requests (RFC 9126 §6).
    pub require_pushed_authorization_requests: bool,
    /// Whether its tokens must be bound to a key (RFC 9449 §5.2).
    pub dpop_bound_access_tokens: bool,
    /// What it said it is when it registered, `web` or `native`.
    pub application_type: Option<String>,
    /// The scopes that it said it may ask for when it registered. They bind nobody.
    pub registered_scope: Option<String>,
    /// The one algorithm of its assertions (RFC 7591 §2); any that this server takes if it is `None`.
    pub token_endpoint_auth_signing_alg: Option<String>,
}

/// A registered client.
#[derive(Clone, Debug, PartialEq)]
pub struct Client {
    /// The `client_id`.
    pub id: String,
    /// The name it gave itself.
    pub name: Option<String>,
    /// How it authenticates.
    pub authentication: ClientAuthentication,
    /// Its redirect URIs, exactly as registered.
    pub redirect_uris: Vec<String>,
    /// What it may present at the token endpoint.
    pub grant_types: BTreeSet<GrantType>,
    /// Where it comes from.
    pub origin: ClientOrigin,
    /// What else is agreed with it.
    pub settings: ClientSettings,
    /// When it registered.
    pub registered_at: SystemTime,
    /// When a person first signed in with it; for a client of the operator's, when it was added. Without it, a client is
    /// forgotten after a while.
    pub first_used_at: Option<SystemTime>,
    /// The digest of the token that opens its registration (RFC 7592).
    pub registration_token: Option<Digest>,
}

impl Client {
    /// Whether it may use this grant type.
    #[must_use]
    pub fn may(&self, grant_type: GrantType) -> bool {
        self.grant_types.contains(&grant_type)
    }

    /// What a person relied on who allowed a client that can change itself: name, redirects and authentication, in 43
    /// characters. When it does, by its document or by its registration token, it must ask again. What the operator
    /// changes, people need not be asked about.
    #[must_use]
    pub fn fingerprint(&self) -> Option<String> {
        let redirects: BTreeSet<&String> = self.redirect_uris.iter().collect();
        let relied_on = serde_json::json!([self.name, redirects, self.authentication.as_str()]);
        (self.origin != ClientOrigin::Operator).then(|| Digest::of_text(&relied_on.to_string()).to_text())
    }
}
