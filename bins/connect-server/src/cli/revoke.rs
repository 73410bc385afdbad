//! `connect-server revoke`: ending what people granted, which servers that run follow within seconds.

use std::sync::Arc;

use audit::{Action, Event, Outcome, Party};
use clap::Args;
use oauth_server::store::{GrantStore as _, SeaOrmStore};
use telemetry::system_clock;

use super::{CliError, change::Changes, error::Chain, print};
use crate::{config::Config, database};

/// How many grants one statement revokes.
const BATCH: u64 = 1_000;

/// What is revoked. Naming it is the confirmation.
#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// Every grant there is: everybody signs in again. For a leaked database, or after an older copy was put back.
    #[arg(long, required = true)]
    all: bool,
}

pub(super) async fn run(config: Config, Revoke { all: _ }: Revoke) -> Result<(), CliError> {
    let connection = database::connect(&config.database).await?;
    database::prepare(&config.database, &connection).await?;
    let store = SeaOrmStore::new(connection);
    let now = system_clock()();
    let event = Event::new(Action::AdminChange, Outcome::Success, Arc::new(Party::default()));
    let recorded = Changes::open(&config)?.record(event.reason("all_grants_revoked"));
    recorded.map_err(|error| CliError::Unhealthy(error.to_string()))?;
    let mut revoked = 0;
    loop {
        // Those made meanwhile are of people who have just signed in.
        let batch = store.revoke_grants(now, now, BATCH).await;
        let batch = batch.map_err(|error| CliError::Unhealthy(Chain(&error).to_string()))?;
        revoked += batch;
        if batch == 0 {
            return print(&format!("{revoked} grant(s) revoked; everybody signs in again\n"));
        }
    }
}
