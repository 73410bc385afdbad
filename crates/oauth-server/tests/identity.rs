//! Sign-in at an OpenID Connect provider, against a provider on loopback.
#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test")]
#![expect(clippy::indexing_slicing, reason = "a failed set-up fails the test")]

#[path = "identity/faults.rs"]
mod faults;
#[path = "identity/id_token.rs"]
mod id_token;
#[path = "identity/keys.rs"]
mod keys;
#[path = "identity/metadata.rs"]
mod metadata;
#[path = "identity/provider.rs"]
mod provider;
#[path = "identity/sign_in.rs"]
mod sign_in;
