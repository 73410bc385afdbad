//! The OAuth 2.1 authorization server: it registers clients, has people sign in at an identity source, asks their
//! consent, and issues access tokens for one resource.
//!
//! [`OAuthServer::router`] serves every public route that is not a routed service:
//!
//! | Path | What |
//! |---|---|
//! | `/.well-known/oauth-authorization-server`, `/.well-known/openid-configuration` | RFC 8414 metadata |
//! | `/.well-known/jwks.json`, `/auth/.well-known/jwks.json` | the keys that verify access tokens |
//! | `/register`, `/auth/register` | dynamic registration (RFC 7591) |
//! | `/register/<client_id>` | a client reads, changes and deletes its registration (RFC 7592) |
//! | `/authorize`, `/connect/authorize` | authorization code with PKCE S256 and `resource` (RFC 8707) |
//! | `/par` | pushed authorization requests (RFC 9126) |
//! | `/consent`, `/sign-in`, `/callback/<source>` | the pages on the way to a code |
//! | `/device_authorization`, `/auth/device_authorization`, `/device` | sign-in on another device (RFC 8628) |
//! | `/account` | what is connected in a person's name, and a way to end it |
//! | `/userinfo`, `/end_session` | OpenID Connect: who signed in; sign-out that a client asks for |
//! | `/portal` | a token for a program that cannot sign a person in; off by default |
//! | `/token`, `/auth/token` | codes and refresh tokens to RFC 9068 access tokens |
//! | `/revoke`, `/auth/revoke` | RFC 7009 |
//! | `/backchannel-logout/<source>` | an identity provider ends a sign-in |
//! | `/introspect`, `/auth/introspect` | RFC 7662 |
//!
//! State is kept behind [`store::Store`]: in memory, or with the feature `sea-orm` in SQLite or PostgreSQL. Time,
//! randomness and the audit log are given by the caller ([`Parts`]).
//!
//! ```
//! use std::{sync::Arc, time::UNIX_EPOCH};
//!
//! use audit::{AuditLog, MemorySink};
//! use connect_hosts::{AllowedHosts, RedirectPolicy};
//! use oauth_server::{
//!     OAuthConfig, OAuthServer, Parts, Resource, ScopeText, SystemRandomness,
//!     identity::{IdentitySource, OidcUpstream, OidcUpstreamConfig},
//!     seal::Sealing,
//!     store::MemoryStore,
//! };
//! use public_fetch::PublicFetch;
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let upstream = OidcUpstreamConfig {
//!     id: "okta".into(),
//!     label: "Okta".into(),
//!     issuer: "https://example.okta.com".into(),
//!     client_id: "connect".into(),
//!     client_secret: None,
//!     scopes: vec!["profile".into()],
//!     tenant_claim: None,
//!     hint_claims: vec!["groups".into()],
//!     domains: vec![],
//!     recheck: false,
//! };
//! let upstream = OidcUpstream::new(upstream, OidcUpstream::http_client().build()?)?;
//! let platform = Resource {
//!     uri: "https://connect.example.com/mcp/platform".into(),
//!     name: "Platform".into(),
//!     scopes: vec![ScopeText { name: "platform".into(), description: None }],
//! };
//! let (hosts, _ignored) = AllowedHosts::parse("claude.ai,localhost");
//! let server = OAuthServer::new(
//!     OAuthConfig::new("https://connect.example.com", vec![platform]),
//!     Parts {
//!         store: Arc::new(MemoryStore::default()),
//!         identity_sources: vec![IdentitySource::Oidc(upstream)],
//!         redirects: RedirectPolicy::new(hosts),
//!         audit: AuditLog::start(MemorySink::default(), || UNIX_EPOCH)?,
//!         clock: Arc::new(|| UNIX_EPOCH),
//!         randomness: Arc::new(SystemRandomness),
//!         sealing: Sealing::unsealed(),
//!         fetch: Arc::new(PublicFetch::builder().build()?),
//!         account_facts: None,
//!     },
//! )
//! .await?;
//! let _router: axum::Router = server.router();
//! assert!(server.jwks_json().contains("ES256"));
//! assert!(!server.revocations().is_revoked("a grant"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it does not decide
//! What a person may do: tokens carry who the person is (`idp`, `sub`, `tenant`, `hints`), the gateway looks up the rest
//! on every call. How often somebody may ask: rate limits belong in front of the router. What is kept for strangers is
//! bounded here ([`OAuthConfig::max_unused_clients`], [`OAuthConfig::max_interactions`]), and so is the time that a
//! request may take and how often a password may be tried.
//!
//! # Threats
//! * *A code that goes to the wrong place* (SEC-1 to 5): registration and every later step take an
//!   [`AllowedRedirect`](connect_hosts::AllowedRedirect); an unknown client or redirect is a page, never a redirect.
//! * *A code or refresh token that is used twice* (SEC-8, SEC-18): one conditional statement lets one request through,
//!   whoever else comes with everything right ends the grant; with a refresh token, unless it comes within
//!   [`ReplayWindow`] and is told the same again.
//! * *A sign-in that is not the browser's own* (SEC-13, SEC-14): each stage is bound to its own cookie; `state`, nonce,
//!   PKCE verifier and the forms' anti-forgery values are made from it; what upstream needs exists only after consent.
//! * *A stolen database* (SEC-64): it holds digests of codes, tokens, secrets and cookies; signing keys and the secret that
//!   replicas share are sealed with a key that is elsewhere ([`seal`]).
//! * *A stolen signing key* (SEC-64): [`keys::revoke`] withdraws it, its tokens are refused within seconds.
//! * *A step that nobody can reconstruct*: what the audit log cannot record is not done ([`store::Confirm`]).
//! * *A token that outlives its grant* (SEC-22): access tokens name their grant (`sid`), and [`RevocationView`] knows the
//!   revoked ones; at once in this process, within two seconds in every other.

mod account;
mod account_facts;
mod activity;
mod agreement;
mod assertions;
mod authorize;
mod body;
mod callback;
mod caller;
mod client_address;
mod client_authn;
mod client_documents;
mod clients;
mod clock;
mod config;
mod consent;
mod cookies;
mod device;
mod device_words;
mod dpop;
mod end_session;
mod error;
mod exchange;
mod http_layer;
pub mod identity;
mod interaction;
mod introspect;
pub mod keys;
mod logout;
mod metadata;
mod openid;
mod operator_clients;
mod pages;
mod params;
mod password;
mod portal;
mod pushed;
mod random;
mod rates;
mod recheck;
mod refresh_token;
mod register;
mod replay;
mod revocation_view;
mod revoke;
pub mod seal;
mod secret;
mod server;
mod session;
mod sign_in;
pub mod store;
mod token;
mod userinfo;

pub use account_facts::{AccountFacts, Facts};
pub use agreement::{disagreements, move_public_url};
pub use assertions::{
    AssertionIssuer, AssertionProblem, ClaimPattern, IdentityAssertionIssuer, InvalidPattern, WorkloadIssuer,
    WorkloadRule,
};
pub use client_address::ClientAddress;
pub use client_authn::keys::ClientKeysProblem;
pub use client_documents::{DocumentTrust, described_client};
pub use clock::Clock;
pub use config::{
    ConfigProblem, ConfigProblems, DeviceClients, KeySettings, OAuthConfig, Resource, RsaBits, ScopeText,
    SigningAlgorithm,
};
pub use http_layer::RequestId;
pub use keys::{KeyError, KeyRing};
pub use operator_clients::{OperatorClient, OperatorClientProblem, random_identifier, random_secret};
pub use pages::{Brand, BrandError};
pub use random::{Digest, Randomness, RandomnessUnavailable, SystemRandomness};
pub use register::{RegistrationMode, RegistrationRate};
pub use replay::{ReplayWindow, ReplayWindowTooLong};
pub use revocation_view::{RevocationView, RevocationsTooOld};
pub use server::{OAuthServer, Parts, StartError};
