//! The gateway over real sockets: raw bytes in, raw bytes captured at the service.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a failed set-up fails the test"
)]

mod boundary;
mod calls;
mod decisions;
mod discovery;
mod messages;
mod possession;
mod support;
