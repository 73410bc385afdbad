//! The authorization server through its router, on every store.
#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test")]
#![expect(clippy::indexing_slicing, reason = "an answer without the expected member fails the test")]
#![expect(clippy::panic, reason = "a failed set-up fails the test")]

mod account;
mod authorize;
mod client_authn;
mod concurrency;
mod device;
mod discovery;
mod document_keys;
mod documents;
mod dpop;
mod flow;
mod holder;
mod hostile;
mod introspect;
mod logout;
mod machines;
mod openid;
mod operator_clients;
mod outage;
mod portal;
mod provider;
mod published;
mod pushed;
mod real_clients;
mod recheck;
mod refresh;
mod register;
mod registration;
mod revoke;
mod start;
mod store;
mod store_people;
mod support;
mod token;
mod upstream;
