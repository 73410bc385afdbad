//! The database: connecting with bounds on every wait, and the tables of all crates together.

use std::time::Duration;

use oauth_server::store::connect_options;
use sea_orm::{Database, DatabaseConnection, DbErr, RuntimeErr};
use sea_orm_migration::{MigrationTrait, MigratorTrait};
use secrecy::ExposeSecret;
use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};

use crate::{
    config,
    secrets::{self, SecretError},
};

/// How long a request may wait for the database before it is told to come back later.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a single statement may run.
const STATEMENT: Duration = Duration::from_secs(10);

/// Why the database cannot be used. No variant shows a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The password could not be had.
    #[error("the password of the database is not available")]
    Password(#[source] SecretError),
    /// The address and the password do not go together.
    #[error("database.password is set, but {url} takes no password")]
    NoPassword {
        /// The address.
        url: String,
    },
    /// No connection.
    #[error("the database at {url} cannot be reached")]
    Unreachable {
        /// The address.
        url: String,
        /// What the driver says.
        source: DbErr,
    },
    /// Tables are missing or old.
    #[error(
        "{pending} migration(s) are missing in the database at {url}: run `connect-server migrate` first"
    )]
    NotMigrated {
        /// The address.
        url: String,
        /// How many.
        pending: usize,
    },
    /// A migration failed.
    #[error("the database's tables cannot be brought up to date")]
    Migration(#[source] DbErr),
}

/// The migrations of every crate that keeps something.
struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut all = role_mapper::migrations();
        all.extend(oauth_server::store::migrations());
        all
    }
}

/// Opens the database.
///
/// # Errors
/// When it cannot be reached with this address and password.
pub(crate) async fn connect(settings: &config::Database) -> Result<DatabaseConnection, DatabaseError> {
    let url = settings.url.as_str().to_owned();
    let address = match &settings.password {
        None => settings.url.or_created(),
        Some(secret) => {
            let password = secrets::resolve(secret).await.map_err(DatabaseError::Password)?;
            let with_password = settings.url.with_password(password.expose_secret());
            with_password.map_err(|_| DatabaseError::NoPassword { url: url.clone() })?.to_string()
        }
    };
    let mut options = connect_options(&address);
    if settings.url.is_shared() {
        options.max_connections(16).statement_timeout(STATEMENT).set_application_name("connect-server");
        reach(&address).await.map_err(|source| DatabaseError::Unreachable { url: url.clone(), source })?;
    }
    Database::connect(options).await.map_err(|source| DatabaseError::Unreachable { url, source })
}

/// One connection outside the pool: a pool hides why it cannot connect behind a time-out.
async fn reach(url: &str) -> Result<(), DbErr> {
    let failed = |error: sqlx::Error| DbErr::Conn(RuntimeErr::SqlxError(error.into()));
    let options: PgConnectOptions = url.parse().map_err(failed)?;
    let connecting = tokio::time::timeout(PATIENCE, PgConnection::connect_with(&options));
    let connection = connecting.await.map_err(|_| failed(sqlx::Error::PoolTimedOut))?.map_err(failed)?;
    connection.close().await.map_err(failed)
}

/// Applies what is missing and says how many that were.
///
/// # Errors
/// When a migration fails.
pub(crate) async fn migrate(connection: &DatabaseConnection) -> Result<usize, DatabaseError> {
    let pending = Migrator::get_pending_migrations(connection).await.map_err(DatabaseError::Migration)?.len();
    Migrator::up(connection, None).await.map_err(DatabaseError::Migration)?;
    Ok(pending)
}

/// Makes sure that the tables are there: an SQLite file is brought up to date, a shared database must have been.
///
/// # Errors
/// When migrations are missing in a shared database, or one fails.
pub(crate) async fn prepare(
    settings: &config::Database,
    connection: &DatabaseConnection,
) -> Result<(), DatabaseError> {
    if !settings.url.is_shared() {
        return migrate(connection).await.map(drop);
    }
    check(settings, connection).await
}

/// Makes sure that no migration is missing, and changes nothing.
///
/// # Errors
/// [`DatabaseError::NotMigrated`] when one is.
pub(crate) async fn check(
    settings: &config::Database,
    connection: &DatabaseConnection,
) -> Result<(), DatabaseError> {
    let pending =
        Migrator::get_pending_migrations_read_only(connection).await.map_err(DatabaseError::Migration)?;
    match pending.len() {
        0 => Ok(()),
        pending => Err(DatabaseError::NotMigrated { url: settings.url.as_str().to_owned(), pending }),
    }
}
