//! A store on SQLite or PostgreSQL.
//!
//! Both keep the promises of [`Store`] in the same way: a conditional `UPDATE` or `DELETE` decides, its row count is the
//! answer, and what follows happens in its transaction. SQLite transactions start as writers, so that none can fail
//! half-way because another one wrote.

mod entity;
mod migration;
mod rows;

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, ConnectOptions, ConnectionTrait, DatabaseConnection,
    DatabaseTransaction, DbBackend, DbErr, EntityTrait, IntoActiveModel, Iterable, PaginatorTrait,
    PrimaryKeyToColumn, QueryFilter, QueryOrder, SqliteTransactionMode, TransactionOptions, TransactionTrait,
    TryInsertResult,
    sea_query::{Expr, ExprTrait, Order, Query},
    sqlx::sqlite::SqliteJournalMode,
};

use self::entity::{client, code, grant, interaction, refresh_token, signing_key};
use super::{
    Client, Code, Confirm, Grant, Interaction, RETENTION, RefreshToken, SigningKeyRecord, Stage, Store,
    StoreError,
};
use crate::{
    clock::{before, to_millis},
    random::Digest,
};

pub use migration::migrations;

/// How long a request waits for a connection or for SQLite's lock before it is answered 503.
const PATIENCE: Duration = Duration::from_secs(5);

/// Names the registrations' advisory lock among all locks of the database: "oauthreg" in ASCII.
const REGISTRATION_LOCK: u64 = 0x6f61_7574_6872_6567;

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

#[async_trait]
impl Store for SeaOrmStore {
    async fn insert_client(
        &self,
        client: &Client,
        max_unused: u64,
        replaceable_before: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let row = rows::client_row(client)?;
        let unused = client::Column::FirstUsedAt.is_null();
        let transaction = self.begin().await?;
        register_in_turn(&transaction).await?;
        let kept = client::Entity::find().filter(unused.clone()).count(&transaction).await?;
        let excess = (kept + 1).saturating_sub(max_unused);
        if excess > 0 {
            let old = unused.and(client::Column::RegisteredAt.lt(to_millis(replaceable_before)));
            let order = client::Column::RegisteredAt;
            let replaced = delete_first::<client::Entity>(&transaction, &old, order, excess).await?;
            if replaced < excess {
                return Ok(false);
            }
        }
        insert(row, &transaction).await?;
        commit(transaction, confirm).await
    }

    async fn client(&self, id: &str) -> Result<Option<Client>, StoreError> {
        client::Entity::find_by_id(id).one(&self.db).await?.map(rows::client).transpose()
    }

    async fn insert_interaction(&self, interaction: &Interaction, capacity: u64) -> Result<(), StoreError> {
        insert(rows::interaction_row(interaction), &self.db).await?;
        let excess = interaction::Entity::find().count(&self.db).await?.saturating_sub(capacity);
        if excess > 0 {
            let (any, order) = (Expr::value(true), interaction::Column::ExpiresAt);
            delete_first::<interaction::Entity>(&self.db, &any, order, excess).await?;
        }
        Ok(())
    }

    async fn interaction(&self, id: &str) -> Result<Option<Interaction>, StoreError> {
        interaction::Entity::find_by_id(id).one(&self.db).await?.map(rows::interaction).transpose()
    }

    async fn approve_interaction(
        &self,
        id: &str,
        consent_cookie: &Digest,
        sign_in_cookie: &Digest,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let moved = interaction::Entity::update_many()
            .col_expr(interaction::Column::Stage, Expr::value(rows::stage_text(Stage::SignIn)))
            .col_expr(interaction::Column::CookieDigest, Expr::value(sign_in_cookie.to_text()))
            .filter(waiting(id, consent_cookie, Stage::Consent, now))
            .exec(&transaction)
            .await?;
        if moved.rows_affected != 1 {
            return Ok(false);
        }
        commit(transaction, confirm).await
    }

    async fn cancel_interaction(
        &self,
        id: &str,
        cookie: &Digest,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let removed = interaction::Entity::delete_many()
            .filter(interaction::Column::Id.eq(id))
            .filter(interaction::Column::CookieDigest.eq(cookie.to_text()))
            .exec(&transaction)
            .await?;
        if removed.rows_affected != 1 {
            return Ok(false);
        }
        commit(transaction, confirm).await
    }

    async fn complete_interaction(
        &self,
        id: &str,
        sign_in_cookie: &Digest,
        grant: &Grant,
        code: &Code,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let grant_row = rows::grant_row(grant)?;
        let transaction = self.begin().await?;
        let removed = interaction::Entity::delete_many()
            .filter(waiting(id, sign_in_cookie, Stage::SignIn, now))
            .exec(&transaction)
            .await?;
        if removed.rows_affected != 1 {
            return Ok(false);
        }
        insert(grant_row, &transaction).await?;
        insert(rows::code_row(code), &transaction).await?;
        client::Entity::update_many()
            .col_expr(client::Column::FirstUsedAt, Expr::value(to_millis(now)))
            .filter(client::Column::Id.eq(grant.client_id.as_str()))
            .filter(client::Column::FirstUsedAt.is_null())
            .exec(&transaction)
            .await?;
        commit(transaction, confirm).await
    }

    async fn code(&self, digest: &Digest) -> Result<Option<(Code, Grant)>, StoreError> {
        let Some(row) = code::Entity::find_by_id(digest.to_text()).one(&self.db).await? else {
            return Ok(None);
        };
        let grant = grant::Entity::find_by_id(row.grant_id.as_str()).one(&self.db).await?;
        let Some(grant) = grant else { return Ok(None) };
        Ok(Some((rows::code(row)?, rows::grant(grant)?)))
    }

    async fn redeem_code(
        &self,
        digest: &Digest,
        refresh_token: Option<&RefreshToken>,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let used = code::Entity::update_many()
            .col_expr(code::Column::UsedAt, Expr::value(to_millis(now)))
            .filter(code::Column::Digest.eq(digest.to_text()))
            .filter(code::Column::UsedAt.is_null())
            .filter(code::Column::ExpiresAt.gt(to_millis(now)))
            .filter(code::Column::GrantId.in_subquery(in_force(now)))
            .exec(&transaction)
            .await?;
        if used.rows_affected != 1 {
            return Ok(false);
        }
        if let Some(token) = refresh_token {
            insert(rows::refresh_token_row(token), &transaction).await?;
        }
        commit(transaction, confirm).await
    }

    async fn refresh_token(&self, digest: &Digest) -> Result<Option<(RefreshToken, Grant)>, StoreError> {
        let Some(row) = refresh_token::Entity::find_by_id(digest.to_text()).one(&self.db).await? else {
            return Ok(None);
        };
        let grant = grant::Entity::find_by_id(row.grant_id.as_str()).one(&self.db).await?;
        let Some(grant) = grant else { return Ok(None) };
        Ok(Some((rows::refresh_token(row)?, rows::grant(grant)?)))
    }

    async fn rotate_refresh_token(
        &self,
        digest: &Digest,
        successor: &RefreshToken,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let used = refresh_token::Entity::update_many()
            .col_expr(refresh_token::Column::UsedAt, Expr::value(to_millis(now)))
            .filter(refresh_token::Column::Digest.eq(digest.to_text()))
            .filter(refresh_token::Column::UsedAt.is_null())
            .filter(refresh_token::Column::ExpiresAt.gt(to_millis(now)))
            .filter(refresh_token::Column::GrantId.in_subquery(in_force(now)))
            .exec(&transaction)
            .await?;
        if used.rows_affected != 1 {
            return Ok(false);
        }
        insert(rows::refresh_token_row(successor), &transaction).await?;
        commit(transaction, confirm).await
    }

    async fn revoke_grant(&self, id: &str, now: SystemTime) -> Result<bool, StoreError> {
        let revoked = grant::Entity::update_many()
            .col_expr(grant::Column::RevokedAt, Expr::value(to_millis(now)))
            .filter(grant::Column::Id.eq(id))
            .filter(grant::Column::RevokedAt.is_null())
            .exec(&self.db)
            .await?;
        Ok(revoked.rows_affected == 1)
    }

    async fn revoked_since(&self, since: SystemTime) -> Result<Vec<String>, StoreError> {
        let revoked = grant::Entity::find().filter(grant::Column::RevokedAt.gte(to_millis(since)));
        Ok(ids(revoked, &self.db).await?)
    }

    async fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, StoreError> {
        let keys = signing_key::Entity::find()
            .order_by_asc(signing_key::Column::CreatedAt)
            .order_by_asc(signing_key::Column::Kid)
            .all(&self.db)
            .await?;
        Ok(keys.into_iter().map(rows::signing_key).collect())
    }

    async fn insert_first_signing_key(&self, key: &SigningKeyRecord) -> Result<bool, StoreError> {
        let row = rows::signing_key_row(key).into_active_model().reset_all();
        let inserted = signing_key::Entity::insert(row)
            .on_conflict_do_nothing_on([signing_key::Column::CurrentFor])
            .exec_without_returning(&self.db)
            .await?;
        Ok(matches!(inserted, TryInsertResult::Inserted(1)))
    }

    async fn prune(
        &self,
        now: SystemTime,
        unused_clients_before: SystemTime,
        batch: u64,
    ) -> Result<u64, StoreError> {
        let (now, retained) = (to_millis(now), to_millis(before(now, RETENTION)));
        let unused = client::Column::FirstUsedAt
            .is_null()
            .and(client::Column::RegisteredAt.lt(to_millis(unused_clients_before)));
        let ended = interaction::Column::ExpiresAt;
        let mut deleted =
            delete_first::<interaction::Entity>(&self.db, &ended.lte(now), ended, batch).await?;
        let ended = code::Column::ExpiresAt;
        deleted += delete_first::<code::Entity>(&self.db, &ended.lte(retained), ended, batch).await?;
        let ended = refresh_token::Column::ExpiresAt;
        deleted += delete_first::<refresh_token::Entity>(&self.db, &ended.lte(now), ended, batch).await?;
        let ended = grant::Column::ExpiresAt;
        deleted += delete_first::<grant::Entity>(&self.db, &ended.lte(retained), ended, batch).await?;
        let registered = client::Column::RegisteredAt;
        deleted += delete_first::<client::Entity>(&self.db, &unused, registered, batch).await?;
        Ok(deleted)
    }
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

/// Lets one registration count and insert at a time. SQLite has one writer anyway; on PostgreSQL two transactions would
/// both see the last free place. Held until the transaction ends.
async fn register_in_turn(transaction: &DatabaseTransaction) -> Result<(), StoreError> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({REGISTRATION_LOCK})")).await?;
    }
    Ok(())
}

async fn insert<M, A>(row: M, db: &impl ConnectionTrait) -> Result<(), StoreError>
where
    M: IntoActiveModel<A>,
    A: ActiveModelTrait,
{
    A::Entity::insert(row.into_active_model().reset_all()).exec_without_returning(db).await?;
    Ok(())
}

/// The interaction `id`, unexpired, in this stage and bound to this cookie.
fn waiting(id: &str, cookie: &Digest, stage: Stage, now: SystemTime) -> Condition {
    Condition::all()
        .add(interaction::Column::Id.eq(id))
        .add(interaction::Column::CookieDigest.eq(cookie.to_text()))
        .add(interaction::Column::Stage.eq(rows::stage_text(stage)))
        .add(interaction::Column::ExpiresAt.gt(to_millis(now)))
}

/// The identifiers of the grants that are neither revoked nor expired.
fn in_force(now: SystemTime) -> sea_orm::sea_query::SelectStatement {
    Query::select()
        .column(grant::Column::Id)
        .from(grant::Entity)
        .and_where(grant::Column::RevokedAt.is_null())
        .and_where(grant::Column::ExpiresAt.gt(to_millis(now)))
        .to_owned()
}

async fn ids(grants: sea_orm::Select<grant::Entity>, db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    use sea_orm::QuerySelect as _;
    grants.select_only().column(grant::Column::Id).into_tuple().all(db).await
}
