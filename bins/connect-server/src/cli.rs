//! The command line: arguments in, exit code out. 0 is success, 1 a failure, 2 wrong usage.

mod change;
mod check;
mod client;
mod error;
mod health;
mod keys;
mod mapping;
mod revoke;

use std::{
    ffi::OsString,
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use audit::{Action, Event, Outcome, Party};
use clap::{Parser, Subcommand};
use oauth_server::store::SeaOrmStore;
use secrecy::SecretString;
use settings::Document;
use telemetry::{LogFormat, init_tracing, system_clock};

use change::Changes;
pub(crate) use error::{Chain, CliError};
pub use mapping::{ImportError, import_mapping};

use crate::{
    config::{Config, EXAMPLE, PREFIX},
    database, serve,
};

#[derive(Debug, Parser)]
#[command(
    name = "connect-server",
    version,
    about = "Signs people in to MCP services and decides their IAM roles"
)]
struct Arguments {
    /// Configuration file (TOML). Every setting can also be a variable CONNECT_….
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or Ctrl-C.
    Serve,
    /// Check the configuration, the database and the identity providers, and say what is wrong.
    Check {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Read or change who gets which role.
    #[command(subcommand)]
    Mapping(mapping::MappingCommand),
    /// List the signing keys, make the next one, or withdraw one.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Read or change who may ask for tokens.
    #[command(subcommand)]
    Client(client::ClientCommand),
    /// End what people granted.
    Revoke(revoke::Revoke),
    /// Bring the database's tables up to date.
    Migrate {
        /// Make the database that of a server with another `public_url`. Everybody signs in again.
        #[arg(long)]
        new_public_url: bool,
    },
    /// Ask a running server on this machine whether it is well; exit code 0 or 1.
    Healthcheck,
    /// Help with the configuration file.
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print a configuration file with every setting explained.
    Example,
    /// Hash a password for a `[[static_user]]`, read from standard input.
    Password,
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
    match dispatch(arguments, environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "connect-server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(
    arguments: Arguments,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(), CliError> {
    let config = move || read_config(arguments.config.as_deref(), environment);
    match arguments.command {
        Command::Config(ConfigCommand::Example) => print(EXAMPLE),
        Command::Config(ConfigCommand::Password) => hash_password(),
        Command::Serve => {
            let config = config()?;
            start_logging(&config)?;
            block_on(serve::until_signal(config))
        }
        Command::Check { json } => block_on(check::run(config(), json)),
        Command::Mapping(command) => block_on(mapping::run(config()?, command)),
        Command::Keys(command) => block_on(keys::run(config()?, command)),
        Command::Revoke(revoke) => block_on(revoke::run(config()?, revoke)),
        Command::Migrate { new_public_url } => block_on(migrate(config()?, new_public_url)),
        Command::Client(command) => block_on(client::run(config()?, command)),
        Command::Healthcheck => block_on(health::run(config()?)),
    }
}

fn read_config(
    file: Option<&std::path::Path>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Config, CliError> {
    // A variable that is not text can be none of ours.
    let text =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    let document = Document::load(file, PREFIX, environment.into_iter().filter_map(text))?;
    let config = Config::read(&document)?;
    for name in document.unknown_variables() {
        let _ = writeln!(io::stderr(), "connect-server: the variable {name} is not a setting and is ignored");
    }
    Ok(config)
}

fn start_logging(config: &Config) -> Result<(), CliError> {
    let format = if config.log.json { LogFormat::Json } else { LogFormat::Text };
    init_tracing(format, config.log.filter.as_deref()).map_err(CliError::Logging)
}

async fn migrate(config: Config, new_public_url: bool) -> Result<(), CliError> {
    let connection = database::connect(&config.database).await?;
    let applied = database::migrate(&connection).await?;
    print(&format!("{applied} migration(s) applied to {}\n", config.database.url.as_str()))?;
    if !new_public_url {
        return Ok(());
    }
    let url = config.public_url.as_str();
    let event = Event::new(Action::AdminChange, Outcome::Success, Arc::new(Party::default()));
    let recorded = Changes::open(&config)?.record(event.reason("public_url_moved").target(url));
    recorded.map_err(|error| CliError::Unhealthy(error.to_string()))?;
    let moved = oauth_server::move_public_url(&SeaOrmStore::new(connection), url, system_clock()()).await;
    let former = moved.map_err(|error| CliError::Unhealthy(Chain(&error).to_string()))?;
    print(&format!("the database belonged to {former} and belongs to {url} now: everybody signs in again\n"))
}

fn hash_password() -> Result<(), CliError> {
    if io::stdin().is_terminal() {
        let _ = writeln!(io::stderr(), "Type the password, then Enter:");
    }
    let mut password = String::new();
    io::stdin().read_line(&mut password).map_err(CliError::Terminal)?;
    let password = SecretString::from(password.trim_end_matches(['\r', '\n']).to_owned());
    let hash = oauth_server::identity::hash_password(&password).map_err(CliError::Password)?;
    print(&format!("{hash}\n"))
}

fn print(text: &str) -> Result<(), CliError> {
    io::stdout().write_all(text.as_bytes()).map_err(CliError::Terminal)
}

fn block_on(task: impl Future<Output = Result<(), CliError>>) -> Result<(), CliError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(CliError::Terminal)?
        .block_on(task)
}
