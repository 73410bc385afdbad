//! Verification through the public API: which tokens pass, which keys are admitted, how published keys are read.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a failed set-up fails the test"
)]
#![expect(clippy::similar_names, reason = "claims and claim, verifier and verified are what they are")]

mod admission;
mod broken_tokens;
mod claims;
mod client_assertion;
mod config;
mod dpop;
mod interoperation;
mod mutation;
mod published_keys;
mod server;
mod signer;
