//! The platform's MCP tools and resources, run for one caller at a time.
//!
//! [`PlatformServer`] answers MCP requests. Everything that belongs to the caller of one request (the decision, the
//! credentials, who is told how a tool ended) is a [`CallContext`], found in the extensions of that HTTP request;
//! what all callers share is [`Platform`] and holds nobody's credentials. A request without a context is refused.
//!
//! This crate makes no authorization decision and knows nothing of tokens, gateways or STS: it uses the credentials it
//! is given and says in words what AWS refused.
//!
//! ```
//! use mcp_core::{Platform, PlatformConfig, PlatformServer};
//!
//! let platform = Platform::new(PlatformConfig::new("eu-central-1"));
//! let server = PlatformServer::per_request(platform);
//! assert!(server.tools().iter().any(|tool| tool.name == "bucket_list"));
//! ```
//!
//! # Threats
//! * *Credentials crossing callers*: the shared S3 client has no credentials at all, every call is signed with the
//!   context's own, and the SDK's identity cache is off; an unsigned call fails.
//! * *Names that are more than names*: a bucket is a plain bucket name, never an ARN or access point that would lead the
//!   SDK to another endpoint or account.
//! * *Unbounded answers*: listings and reads are capped whatever the caller asks, and what JSON would blow up is no text.
//! * *Names that forge lines* (SEC-54): control and bidirectional characters of keys are escaped in the texts for people.
//! * *Unrecorded work*: an answer whose record fails is withheld; a call that is abandoned is recorded as such.

mod context;
mod failure;
mod resources;
mod s3;
mod server;
mod tools;

pub use context::{CallContext, CallObserver, Ending, FinishedCall, NotRecorded, Unobserved};
pub use s3::{BucketName, InvalidBucketName, Platform, PlatformConfig};
pub use server::PlatformServer;
