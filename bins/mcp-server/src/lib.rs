//! The platform's MCP server.
//!
//! Over HTTP it stands behind the gateway: every request must carry exactly one decision in its headers, and runs with
//! the credentials that STS gives for exactly that decision. The server decides nothing itself and never reads
//! `Authorization`. Over standard input and output it serves one person with their own AWS profile, and never reads
//! decision headers.
//!
//! [`run`] is the command line, [`start`] the HTTP server for use inside another process.
//!
//! # Threats
//! * *A call without a decision* (SEC-42 to 45): refused with 403 before anything parses the body. Whoever can reach
//!   the port can send headers, so only the gateway may reach it (SEC-53): by default it listens on the loopback.
//! * *A role of somebody else's account* (SEC-50): only the configured accounts' roles are assumed.
//! * *Unrecorded work*: while the audit log cannot record, requests are refused with 503. Recording does not wait for
//!   the disk, so a call that comes in between a sink's breaking and its discovery still runs; see crate `audit`.
//! * *Exhaustion* (SEC-55): heads, bodies, answers, time and requests at once are bounded, the last also for one caller.

mod admission;
mod base;
mod cli;
mod config;
mod listener;
mod meters;
mod places;
mod recorder;
mod serve;
mod stdio;
mod wire;

pub use cli::run;
pub use config::{Config, EndpointUrl, LocalConfig, Log, Region, TransitiveTags};
pub use serve::{Running, StartError, Surroundings, start};
