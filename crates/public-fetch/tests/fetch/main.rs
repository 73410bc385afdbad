//! Documents from hosts that behave, and from hosts, names and addresses that do not.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod addresses;
mod answers;
mod environment;
mod host;
mod names;
