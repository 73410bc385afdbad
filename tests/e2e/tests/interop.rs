//! What others wrote to test or to use an authorization server, against the built one.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed set-up fails the test")]

#[path = "interop/conformance.rs"]
mod conformance;
#[path = "interop/libraries.rs"]
mod libraries;
