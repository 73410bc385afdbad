//! STS and AWS clients over the AWS SDK.

mod client;
mod session;

pub use client::{CallerIdentity, StsClient, StsClientBuilder};
pub use session::CachedSession;
