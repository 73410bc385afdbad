//! A strict local STS and S3 on one loopback port, for tests and the quickstart.
//!
//! It verifies every signature, checks parameters as STS does, evaluates trust, identity, session and bucket policies
//! on every call, and records who called what. What it does not know it denies. It is never part of a shipped binary.
//!
//! ```
//! use aws_sim::{AwsSim, BucketConfig, SimConfig};
//!
//! # async fn example() -> Result<(), aws_sim::StartError> {
//! let mut config = SimConfig::new("111122223333");
//! config.buckets.push(BucketConfig::new("acme-data"));
//! let running = AwsSim::start(config).await?;
//! println!("AWS_ENDPOINT_URL={}", running.endpoint_url());
//! running.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! `tests/cases/world.json` is a whole configuration, and `aws-sim CONFIG.json` runs one as a program, which prints its
//! URLs as one line of JSON. Besides [`Running`]'s methods there are paths for other programs on this machine:
//!
//! | Path | What |
//! |---|---|
//! | `GET /container-credentials` | the task role's credentials, in the format of the ECS endpoint |
//! | `POST /_sim/fail` | arms a [`Fault`], e.g. `{"operation": "sts:AssumeRole", "times": 2, "effect": "throttle"}` |
//! | `DELETE /_sim/fail` | forgets the faults that have not happened |
//! | `POST /_sim/expire-sessions` | lets every session issued so far be expired |
//! | `GET /_sim/trail` | every call so far as CloudTrail records |
//!
//! # Differences from AWS
//! * A variable without a value, and `NotPrincipal` that names a principal only in part, count against the requester.
//! * The packed size of session policies and tags is counted in characters.
//! * Presigned URLs, versions, ACLs, object tags, multipart uploads and conditional reads are refused.

mod answer;
mod clock;
mod config;
mod control;
mod credentials;
mod faults;
pub mod iam;
mod s3;
mod server;
mod sigv4;
mod sim;
mod sts;
mod trail;
mod world;

pub use clock::Clock;
pub use config::{BucketConfig, RoleConfig, SimConfig, UserConfig};
pub use faults::{Fault, FaultEffect};
pub use iam::PolicyDocument;
pub use sim::{AwsSim, Running, StartError};
pub use trail::Call;
pub use world::ConfigError;
