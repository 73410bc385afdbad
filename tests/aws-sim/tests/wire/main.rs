//! The simulator as the real SDKs see it, and as an attacker with a valid key would try it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed set-up fails the test"
)]

mod control;
mod s3;
mod signatures;
mod sts;
mod world;
