//! `connect-server client`: clients that the operator registers, and tokens that let others register.

mod add;
mod secret;
mod table;
mod token;

use std::{sync::Arc, time::SystemTime};

use audit::{Action, AuditUnavailable, Event, Outcome, Party};
use clap::Subcommand;
use oauth_server::store::{Client, ClientStore as _, SeaOrmStore, StoreError};
use telemetry::system_clock;

use super::{CliError, change::Changes, error::Chain, print};
use crate::{config::Config, database};

/// Clients that are read from the database at a time.
const PAGE: u64 = 500;

#[derive(Debug, Subcommand)]
pub(super) enum ClientCommand {
    /// Add a client. Its secret, if it has one, is printed once and kept nowhere.
    Add(Box<add::Add>),
    /// Print every client: those of the configuration, those added, those that registered themselves.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print what is known of a client. Its secret is not known.
    Show {
        /// The `client_id`.
        id: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Give a client a new secret, printed once. The old one goes on counting for a while.
    Secret(secret::Replace),
    /// Remove a client and revoke everything that was granted to it.
    Remove {
        /// The `client_id`.
        id: String,
    },
    /// Tokens that let a client register where registration is not open (RFC 7591 §3).
    #[command(subcommand)]
    Token(token::TokenCommand),
}

/// What every command works with.
struct Registry {
    config: Config,
    store: SeaOrmStore,
    changes: Changes,
    now: SystemTime,
}

pub(super) async fn run(config: Config, command: ClientCommand) -> Result<(), CliError> {
    let connection = database::connect(&config.database).await?;
    database::prepare(&config.database, &connection).await?;
    let changes = Changes::open(&config)?;
    let registry = Registry { store: SeaOrmStore::new(connection), changes, now: system_clock()(), config };
    match command {
        ClientCommand::Add(command) => add::run(&registry, *command).await,
        ClientCommand::List { json } => print(&table::list(&registry.all().await?, json)?),
        ClientCommand::Show { id, json } => print(&table::show(&registry.find(&id).await?, json)?),
        ClientCommand::Secret(command) => secret::run(&registry, command).await,
        ClientCommand::Remove { id } => remove(&registry, &id).await,
        ClientCommand::Token(command) => token::run(&registry, command).await,
    }
}

async fn remove(registry: &Registry, id: &str) -> Result<(), CliError> {
    let client = registry.stored(id).await?;
    let confirm = || registry.record("client_remove", id);
    match registry.store.remove_client(&client, registry.now, &confirm).await? {
        Some(revoked) => print(&format!("removed {id} and revoked {} grant(s)\n", revoked.len())),
        None => Err(changed_meanwhile(id)),
    }
}

fn changed_meanwhile(id: &str) -> CliError {
    CliError::Input(format!("client {id:?} was changed meanwhile: try again"))
}

impl Registry {
    fn record(&self, reason: &'static str, target: &str) -> Result<(), AuditUnavailable> {
        let event = Event::new(Action::AdminChange, Outcome::Success, Arc::new(Party::default()));
        self.changes.record(event.reason(reason).target(target))
    }

    fn configured(&self, id: &str) -> bool {
        self.config.operator_clients.iter().any(|client| client.description.id == id)
    }

    /// A client of the database.
    async fn stored(&self, id: &str) -> Result<Client, CliError> {
        if self.configured(id) {
            return Err(CliError::Input(format!("client {id:?} is in the configuration: change it there")));
        }
        self.store.client(id).await?.ok_or_else(|| CliError::Input(format!("there is no client {id:?}")))
    }

    /// A client, wherever it is.
    async fn find(&self, id: &str) -> Result<table::Shown, CliError> {
        let configured = self.config.operator_clients.iter().find(|client| client.description.id == id);
        match configured {
            Some(client) => Ok(table::Shown::configured(&client.description)),
            None => Ok(table::Shown::stored(&self.stored(id).await?)),
        }
    }

    async fn all(&self) -> Result<Vec<table::Shown>, CliError> {
        let configured = self.config.operator_clients.iter().map(|client| &client.description);
        let mut all: Vec<_> = configured.map(table::Shown::configured).collect();
        let mut after: Option<String> = None;
        loop {
            let page = self.store.clients(after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(all) };
            after = Some(last.id.clone());
            all.extend(page.iter().filter(|client| !self.configured(&client.id)).map(table::Shown::stored));
        }
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::Unhealthy(Chain(&error).to_string())
    }
}
