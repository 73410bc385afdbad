//! `connect-server mapping`: read and change who gets which role.

mod row;
mod table;

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use audit::{Action, AuditLog, Event, FileSink, Outcome, Party};
use clap::{Subcommand, ValueEnum};
use role_mapper::{MappingDocument, MappingStore, SeaOrmStore, WriteError};
use telemetry::system_clock;

use super::{CliError, error::Chain, print};
use crate::{
    config::Config,
    database::{self, DatabaseError},
};

#[derive(Debug, Subcommand)]
pub(super) enum MappingCommand {
    /// Replace the whole mapping by a file (TOML, or JSON by its ending `.json`); `-` reads TOML from standard input.
    Import {
        /// The file.
        file: PathBuf,
    },
    /// Print the whole mapping, in the form that `import` takes.
    Export {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the rows of one table, or of all.
    List {
        /// The table.
        table: Option<Table>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Add a row, or change the named fields of the row with the same key.
    ///
    /// `connect-server mapping set subject issuer=https://idp.example.com subject=ada tenant=acme active=false`
    Set {
        /// What to set.
        row: RowKind,
        /// `field=value`; the value is TOML, or else text.
        #[arg(required = true, value_name = "FIELD=VALUE")]
        fields: Vec<String>,
    },
    /// Remove the row with this key.
    ///
    /// `connect-server mapping remove rule id=7`
    Remove {
        /// What to remove.
        row: RowKind,
        /// The fields of the key.
        #[arg(required = true, value_name = "FIELD=VALUE")]
        key: Vec<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Table {
    Tenants,
    Subjects,
    Roles,
    Rules,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RowKind {
    Tenant,
    Subject,
    Role,
    Rule,
}

pub(super) async fn run(config: Config, command: MappingCommand) -> Result<(), CliError> {
    let connection = database::connect(&config.database).await?;
    database::prepare(&config.database, &connection).await?;
    let store = SeaOrmStore::new(connection);
    match command {
        MappingCommand::Import { file } => {
            let document = read(&file)?;
            let count = document.rules.len();
            let version = store.import(document).await.map_err(|error| refused(&error))?;
            record(&config, "import", "the whole mapping")?;
            print(&format!("imported {count} rule(s); the mapping has version {version}\n"))
        }
        MappingCommand::Export { json } => print(&written(&store.export().await?, json)?),
        MappingCommand::List { table, json } => print(&table::list(&store.export().await?, table, json)?),
        MappingCommand::Set { row, fields } => {
            let row = row::changed(row, &fields, &store.export().await?)?;
            let key = row.key();
            let version = store.put(row).await.map_err(|error| refused(&error))?;
            record(&config, "set", &key.to_string())?;
            print(&format!("set {key}; the mapping has version {version}\n"))
        }
        MappingCommand::Remove { row, key } => {
            let key = row::key(row, &key)?;
            let version = store.remove(key.clone()).await.map_err(|error| refused(&error))?;
            record(&config, "remove", &key.to_string())?;
            print(&format!("removed {key}; the mapping has version {version}\n"))
        }
    }
}

/// A mapping was not imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The text is no mapping.
    #[error("the mapping cannot be read")]
    Text(#[from] toml::de::Error),
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The mapping was refused.
    #[error(transparent)]
    Refused(#[from] WriteError),
}

/// Replaces the whole mapping by a TOML document.
///
/// # Errors
/// When the document is not a sound mapping, or the database does not take it.
pub async fn import_mapping(config: &Config, document: &str) -> Result<(), ImportError> {
    let document = toml::from_str(document)?;
    let connection = database::connect(&config.database).await?;
    database::prepare(&config.database, &connection).await?;
    SeaOrmStore::new(connection).import(document).await?;
    Ok(())
}

fn read(file: &Path) -> Result<MappingDocument, CliError> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(file)
    };
    let wrong = |why: String| CliError::Input(format!("{}: {why}", file.display()));
    let text = text.map_err(|error| wrong(error.to_string()))?;
    if file.extension().is_some_and(|ending| ending == "json") {
        return serde_json::from_str(&text).map_err(|error| wrong(error.to_string()));
    }
    toml::from_str(&text).map_err(|error| wrong(error.to_string()))
}

fn written(document: &MappingDocument, json: bool) -> Result<String, CliError> {
    let input = |error: String| CliError::Input(format!("the mapping cannot be written: {error}"));
    if json {
        let text = serde_json::to_string_pretty(document).map_err(|error| input(error.to_string()))?;
        return Ok(text + "\n");
    }
    toml::to_string(document).map_err(|error| input(error.to_string()))
}

fn refused(error: &WriteError) -> CliError {
    CliError::Input(Chain(error).to_string())
}

/// Records the change beside the server's own events, where these go to a file.
fn record(config: &Config, verb: &'static str, target: &str) -> Result<(), CliError> {
    let Some(file) = &config.audit_file else { return Ok(()) };
    let sink = FileSink::open(file).map_err(CliError::Terminal)?;
    let log = AuditLog::start(sink, system_clock()).map_err(CliError::Terminal)?;
    let event = Event::new(Action::AdminChange, Outcome::Success, Arc::new(Party::default()));
    let recorded = log.record(event.reason(verb).target(target));
    log.flush();
    match recorded {
        Ok(()) if log.is_healthy() => Ok(()),
        _ => Err(CliError::Unhealthy(format!(
            "the change was made, but could not be recorded in {}",
            file.display()
        ))),
    }
}
