//! The rows, as plain types.

use std::{fmt, time::SystemTime};

use secrecy::SecretSlice;

use crate::{identity::Identity, random::Digest};

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
    },
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
    /// The registered name (RFC 7591 §2).
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Secret { method, .. } => method.as_str(),
        }
    }
}

/// A registered client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The `client_id`.
    pub id: String,
    /// The name it gave itself.
    pub name: Option<String>,
    /// How it authenticates.
    pub authentication: ClientAuthentication,
    /// Its redirect URIs, exactly as registered.
    pub redirect_uris: Vec<String>,
    /// Whether it registered for refresh tokens.
    pub refreshes: bool,
    /// When it registered.
    pub registered_at: SystemTime,
    /// When a person first signed in with it.
    pub first_used_at: Option<SystemTime>,
}

/// Where a person is on the way from `/authorize` to a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The person has not yet said whether the client may act for them.
    Consent,
    /// The person has, and may now sign in.
    SignIn,
}

/// An authorization that a person has not finished, bound to their browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interaction {
    /// A handle that may appear in URLs.
    pub id: String,
    /// How far it is.
    pub stage: Stage,
    /// The digest of the cookie that this stage is bound to.
    pub cookie: Digest,
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
    /// When it began.
    pub created_at: SystemTime,
    /// When it is over.
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
    /// When it is worthless.
    pub expires_at: SystemTime,
    /// When it was exchanged for its successor.
    pub used_at: Option<SystemTime>,
}

/// A signing key as it is kept.
#[derive(Clone)]
pub struct SigningKeyRecord {
    /// Its identifier, the RFC 7638 thumbprint of the public key.
    pub kid: String,
    /// The JOSE algorithm it signs with, the only one it is used for.
    pub algorithm: String,
    /// The private key, as [`KeyRing`](crate::KeyRing) wrapped it.
    pub wrapped: SecretSlice<u8>,
    /// When it was made.
    pub created_at: SystemTime,
    /// Whether it is the one that signs.
    pub current: bool,
}

impl fmt::Debug for SigningKeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKeyRecord")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .field("current", &self.current)
            .finish_non_exhaustive()
    }
}
