//! What goes wrong on the command line, with its causes in one line.

use std::{error::Error, fmt, io};

use oauth_server::{RandomnessUnavailable, identity::HashError};
use role_mapper::StoreError;
use settings::Problems;
use telemetry::InitTracingError;

use crate::{database::DatabaseError, serve::StartError};

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum CliError {
    /// The configuration is wrong.
    Config(Problems),
    /// The database cannot be used.
    Database(DatabaseError),
    /// The mapping cannot be read or changed.
    Mapping(StoreError),
    /// What was given for the mapping is wrong.
    Input(String),
    /// The server cannot start.
    Start(StartError),
    /// Logging cannot start.
    Logging(InitTracingError),
    /// A password cannot be hashed.
    Password(HashError),
    /// Nothing unguessable can be made.
    Randomness(RandomnessUnavailable),
    /// Standard input or output failed.
    Terminal(io::Error),
    /// A check found something; it was printed.
    Unhealthy(String),
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(problems) => {
                let count = problems.as_slice().len();
                write!(f, "the configuration has {count} problem(s), nothing was started\n{problems}")
            }
            Self::Database(error) => Chain(error).fmt(f),
            Self::Mapping(error) => Chain(error).fmt(f),
            Self::Start(error) => Chain(error).fmt(f),
            Self::Logging(error) => Chain(error).fmt(f),
            Self::Password(error) => Chain(error).fmt(f),
            Self::Randomness(error) => Chain(error).fmt(f),
            Self::Terminal(error) => Chain(error).fmt(f),
            Self::Input(text) | Self::Unhealthy(text) => f.write_str(text),
        }
    }
}

impl Error for CliError {}

/// An error and what caused it, from the outside in.
pub(crate) struct Chain<'a>(pub(crate) &'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = self.0.to_string();
        f.write_str(&last)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            // Some libraries repeat their source in their own text.
            if !last.contains(&text) {
                write!(f, ": {text}")?;
            }
            last = text;
            next = cause.source();
        }
        Ok(())
    }
}

impl From<Problems> for CliError {
    fn from(problems: Problems) -> Self {
        Self::Config(problems)
    }
}

impl From<DatabaseError> for CliError {
    fn from(error: DatabaseError) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::Mapping(error)
    }
}

impl From<StartError> for CliError {
    fn from(error: StartError) -> Self {
        Self::Start(error)
    }
}
