//! A store on SQLite or PostgreSQL.
//!
//! Both keep the promises of [`Store`](super::Store) in the same way: a conditional `UPDATE` or `DELETE` decides, its row
//! count is the answer, and what follows happens in its transaction. SQLite transactions start as writers, so that none
//! can fail half-way because another one wrote.
//!
//! In the tables times are milliseconds since 1970, digests base64url, lists and objects JSON text.

mod activity;
mod clients;
mod devices;
mod documents;
mod grants;
mod interactions;
mod keys;
mod migration;
mod one_time;
mod pushed;
mod registration_tokens;
mod secrets;
mod sessions;
mod upstream;

use std::time::Duration;

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectOptions, ConnectionTrait, DatabaseConnection, DatabaseTransaction,
    DbBackend, DbErr, EntityTrait, IntoActiveModel, Iterable, PrimaryKeyToColumn, QueryFilter,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
    sea_query::{Expr, Order, Query},
    sqlx::sqlite::SqliteJournalMode,
};
use serde::{Serialize, de::DeserializeOwned};

use super::{Confirm, StoreError};
use crate::random::Digest;

pub use migration::migrations;

/// How long a request waits for a connection or for SQLite's lock before it is answered 503.
const PATIENCE: Duration = Duration::from_secs(5);

/// The options this store is made for: SQLite in write-ahead mode, waiting for a lock instead of failing; a bounded wait
/// for a connection on both; no statements in the log.
#[must_use]
pub fn connect_options(url: &str) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(8)
        .connect_timeout(PATIENCE)
        .acquire_timeout(PATIENCE)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|sqlite| sqlite.journal_mode(SqliteJournalMode::Wal).busy_timeout(PATIENCE));
    options
}

/// Keeps everything in tables whose names start with `oauth_`. Run [`migrations`] first.
#[derive(Clone, Debug)]
pub struct SeaOrmStore {
    db: DatabaseConnection,
}

impl SeaOrmStore {
    /// A store on this connection, opened with [`connect_options`].
    #[must_use]
    pub fn new(db: DatabaseConnection) -> Self {
        Self { db }
    }

    async fn begin(&self) -> Result<DatabaseTransaction, StoreError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(self.db.begin_with_options(options).await?)
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

/// Makes the change permanent if it can be recorded; dropping the transaction otherwise rolls it back.
async fn commit(transaction: DatabaseTransaction, confirm: Confirm<'_>) -> Result<bool, StoreError> {
    confirm()?;
    transaction.commit().await?;
    Ok(true)
}

/// Deletes the first `count` rows in this order for which `over` holds, and still holds when its turn comes: PostgreSQL
/// looks at a row again that somebody else has just changed, but not at what a subquery said of it. Few at a time, so
/// that no statement holds its locks for long.
async fn delete_first<E: EntityTrait>(
    db: &impl ConnectionTrait,
    over: &Expr,
    order: E::Column,
    count: u64,
) -> Result<u64, StoreError> {
    let mut deleted = 0;
    for key in E::PrimaryKey::iter() {
        let key = key.into_column();
        let first = Query::select()
            .column(key)
            .from(E::default())
            .and_where(over.clone())
            .order_by(order, Order::Asc)
            .limit(count)
            .to_owned();
        let rows = E::delete_many().filter(key.in_subquery(first)).filter(over.clone());
        deleted += rows.exec(db).await?.rows_affected;
    }
    Ok(deleted)
}

async fn insert<M, A>(row: M, db: &impl ConnectionTrait) -> Result<(), StoreError>
where
    M: IntoActiveModel<A>,
    A: ActiveModelTrait,
{
    A::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(db).await?;
    Ok(())
}

/// Lets one transaction at a time through that takes this lock. SQLite has one writer anyway; on PostgreSQL two
/// transactions would both see the last free place. Held until the transaction ends.
async fn in_turn(transaction: &DatabaseTransaction, lock: u64) -> Result<(), StoreError> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({lock})")).await?;
    }
    Ok(())
}

fn digest(text: &str, what: &'static str) -> Result<Digest, StoreError> {
    Digest::from_text(text).ok_or(StoreError::Corrupt { what })
}

fn to_json(value: &impl Serialize, what: &'static str) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Corrupt { what })
}

fn from_json<T: DeserializeOwned>(text: &str, what: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Corrupt { what })
}
