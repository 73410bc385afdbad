//! The server over real HTTP, in front of a strict STS and S3.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed set-up fails the test")]

mod eras;
mod failures;
mod isolation;
mod refusals;
mod support;
mod wire;
