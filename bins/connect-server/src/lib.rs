//! Connect Server as a program: configuration, wiring and command line around the crates that decide.
//!
//! [`run`] is the whole program. [`start`] serves within another process, which the quickstart and the tests do.

mod cli;
pub mod config;
mod database;
mod sealing;
mod secrets;
mod serve;

pub use cli::{ImportError, import_mapping, run};
pub use database::DatabaseError;
pub use sealing::SealingError;
pub use secrets::SecretError;
pub use serve::{Running, StartError, start};
