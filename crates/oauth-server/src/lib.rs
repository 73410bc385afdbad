//! The OAuth 2.1 authorization server.

mod authorize;
mod body;
mod callback;
mod client_authn;
mod clock;
mod config;
mod consent;
mod cookies;
mod error;
mod exchange;
mod http_layer;
pub mod identity;
mod interaction;
mod keys;
mod metadata;
mod pages;
mod params;
mod random;
mod register;
mod revocation_view;
mod revoke;
mod server;
mod sign_in;
pub mod store;
mod token;

pub use clock::Clock;
pub use config::{ConfigProblem, ConfigProblems, OAuthConfig, Resource, ScopeText, SigningAlgorithm};
pub use http_layer::RequestId;
pub use keys::{KeyError, KeyRing};
pub use pages::{Brand, BrandError};
pub use random::{Digest, Randomness, RandomnessUnavailable, SystemRandomness};
pub use revocation_view::RevocationView;
pub use server::{OAuthServer, Parts, StartError};
