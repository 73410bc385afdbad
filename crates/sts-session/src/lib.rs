//! An IAM role session per decision: build the request, assume the role once, keep the session until shortly before it
//! ends, and say in an operator's words why STS refused.
//!
//! An [`AssumeRoleRequest`] holds every value that changes what the session may do, and is itself the cache key of
//! [`SessionCache`]: no two decisions that differ in anything can share credentials. [`AssumeRole`] is the seam to STS;
//! with the feature `aws` (on by default) `StsClient` implements it over the AWS SDK and `CachedSession` hands the
//! sessions to AWS clients.
//!
//! This crate does not decide who gets which role, does not store anything outside memory and does not retry a refusal.
//!
//! ```
//! use std::{sync::Arc, time::{Duration, SystemTime}};
//! use sts_session::{AssumeRole, AssumeRoleError, AssumeRoleRequest, SessionCache, SessionCredentials};
//!
//! struct Fixed;
//! impl AssumeRole for Fixed {
//!     async fn assume_role(&self, _: &AssumeRoleRequest) -> Result<SessionCredentials, AssumeRoleError> {
//!         let ends = SystemTime::UNIX_EPOCH + Duration::from_secs(3600);
//!         Ok(SessionCredentials::new("ASIAEXAMPLE", "secret", "token", ends))
//!     }
//! }
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! # runtime.block_on(async {
//! let cache = SessionCache::new(Arc::new(|| SystemTime::UNIX_EPOCH));
//! let request = AssumeRoleRequest::new("arn:aws:iam::111122223333:role/reader", "ada", "eu-central-1");
//! let session = cache.credentials(&request, Fixed).await?;
//! assert_eq!(session.access_key_id(), "ASIAEXAMPLE");
//! # Ok::<(), AssumeRoleError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Threats
//! * *A session crossing users* (SEC-57): the key is the whole request, compared for equality, never a digest of parts.
//! * *A stampede on STS* (SEC-58): one call per key at a time whoever asks, early refresh spread by jitter, bounded
//!   retries, and a throttled key waits a second before it is tried again.
//! * *A session that outlives its permission*: a session is never handed out in its last minute, a refresh that STS
//!   refuses drops the session at once.
//! * *Leaks*: `Debug` shows neither secret nor session token; both are overwritten in memory when dropped. Texts sent by
//!   STS are read for known facts and never repeated, because some of them quote signed headers.

#[cfg(feature = "aws")]
mod aws;
mod cache;
mod credentials;
mod error;
mod request;

#[cfg(feature = "aws")]
pub use aws::{CachedSession, CallerIdentity, StsClient, StsClientBuilder};
pub use cache::{Clock, SessionCache, SessionCacheBuilder};
pub use credentials::SessionCredentials;
pub use error::{
    AssumeRoleError, Denied, DeniedBy, Misconfiguration, Misconfigured, StsAction, StsFailure, Throttled,
    Unavailable, UnavailableCause,
};
pub use request::{AssumeRole, AssumeRoleRequest};
