//! The command line: arguments in, exit code out. 0 is success, 1 a failure, 2 wrong usage.

mod check;
mod health;

use std::{
    error::Error,
    ffi::OsString,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use settings::{Document, Problems};
use telemetry::{InitTracingError, init_tracing};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    config::{Config, LocalConfig, Log, PREFIX},
    serve::{StartError, Surroundings, start},
    stdio::{self, StdioError},
};

/// Without the transport's lines for every request, which quote whatever the caller sent.
const DEFAULT_FILTER: &str = "info,rmcp=error";

#[derive(Debug, Parser)]
#[command(
    name = "mcp-server",
    version,
    about = "Runs the platform's MCP tools under the IAM role of each caller"
)]
struct Arguments {
    /// Configuration file (TOML). Every setting can also be a variable MCP_….
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Command {
    /// Serve behind the gateway until SIGTERM or Ctrl-C.
    Serve,
    /// Serve one person over standard input and output, with their own AWS profile.
    Stdio,
    /// Check the configuration and the server's own AWS credentials.
    Check,
    /// Ask a running server on this machine whether it is well; exit code 0 or 1.
    Healthcheck,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error("the configuration is wrong:\n{0}")]
    Config(#[from] Problems),
    #[error("cannot set up logging")]
    Logging(#[from] InitTracingError),
    #[error("cannot start the runtime")]
    Runtime(#[source] io::Error),
    #[error("cannot start")]
    Start(#[from] StartError),
    #[error("cannot serve")]
    Stdio(#[from] StdioError),
    #[error("cannot listen for signals")]
    Signals(#[source] io::Error),
    #[error(transparent)]
    Check(#[from] check::CheckError),
    #[error(transparent)]
    Health(#[from] health::HealthError),
}

/// Runs the program with its arguments and environment.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version arrive here too and are a success. A closed terminal is nobody's loss.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    match dispatch(&arguments, environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "mcp-server: {}", chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(
    arguments: &Arguments,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(), CliError> {
    let document = document(arguments.config.as_deref(), environment)?;
    match arguments.command {
        Command::Serve => {
            let config = Config::read(&document)?;
            start_logging(&config.log)?;
            block_on(serve_until_signal(config))
        }
        Command::Stdio => {
            let config = LocalConfig::read(&document)?;
            start_logging(&config.log)?;
            block_on(async { Ok(Box::pin(stdio::serve(config)).await?) })
        }
        Command::Check => {
            let config = Config::read(&document)?;
            block_on(async { Ok(check::run(&config).await?) })
        }
        Command::Healthcheck => {
            let config = Config::read(&document)?;
            block_on(async { Ok(health::run(config.private).await?) })
        }
    }
}

fn document(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Document, Problems> {
    // A variable that is not text can be none of ours.
    let text =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    Document::load(file, PREFIX, environment.into_iter().filter_map(text))
}

fn start_logging(log: &Log) -> Result<(), InitTracingError> {
    init_tracing(log.format, Some(log.filter.as_deref().unwrap_or(DEFAULT_FILTER)))
}

fn block_on(work: impl Future<Output = Result<(), CliError>>) -> Result<(), CliError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CliError::Runtime)?;
    let outcome = runtime.block_on(work);
    // A read of standard input that never ends must not keep the process.
    runtime.shutdown_background();
    outcome
}

async fn serve_until_signal(config: Config) -> Result<(), CliError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(CliError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CliError::Signals)?;
    let surroundings = Surroundings::of_host(&config)?;
    let running = start(config, surroundings).await?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("mcp-server stops");
    running.shutdown().await;
    Ok(())
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let messages: Vec<String> =
        std::iter::successors(Some(error), |error| (*error).source()).map(ToString::to_string).collect();
    messages.join(": ")
}
