//! Rows in SQLite or PostgreSQL.

mod entity;
mod migration;
mod table;

use std::collections::BTreeSet;

use async_trait::async_trait;
pub use migration::migrations;
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    ExprTrait, IntoActiveModel, IsolationLevel, SqliteTransactionMode, TransactionOptions, TransactionTrait,
    sea_query::Expr,
};
use table::{Table, fetch};

use crate::{
    Loaded, MappingDocument, MappingStore, Role, Row, RowKey, Rule, StoreError, Subject, Tenant, WriteError,
    store::{check_import, check_put, check_remove},
};

/// Rows that one INSERT carries: 10 columns each stay far below the 32,766 parameters that SQLite allows.
const BATCH: usize = 1000;

/// Keeps the rows in a database that has the tables of [`migrations`].
///
/// A write first raises the version, which locks that row: writers follow one another, and each checks its change
/// against what the one before it left.
#[derive(Clone, Debug)]
pub struct SeaOrmStore {
    database: DatabaseConnection,
}

impl SeaOrmStore {
    /// A store on a connection pool.
    #[must_use]
    pub fn new(database: DatabaseConnection) -> Self {
        Self { database }
    }

    /// Reads of one moment: a write between two of them is not seen.
    async fn begin_read(&self) -> Result<DatabaseTransaction, StoreError> {
        let options = match self.database.get_database_backend() {
            DbBackend::Postgres => TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                ..TransactionOptions::default()
            },
            _ => TransactionOptions::default(),
        };
        Ok(self.database.begin_with_options(options).await?)
    }

    /// A transaction that no other writer runs beside, and the version that it makes.
    async fn begin_write(&self) -> Result<(DatabaseTransaction, u64), StoreError> {
        let mut options = TransactionOptions::default();
        if self.database.get_database_backend() == DbBackend::Sqlite {
            options.sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
        }
        let transaction = self.database.begin_with_options(options).await?;
        entity::version::Entity::update_many()
            .col_expr(entity::version::Column::Version, Expr::col(entity::version::Column::Version).add(1))
            .exec(&transaction)
            .await?;
        let version = version(&transaction).await?;
        Ok((transaction, version))
    }
}

#[async_trait]
impl MappingStore for SeaOrmStore {
    async fn version(&self) -> Result<u64, StoreError> {
        version(&self.database).await
    }

    async fn load(&self) -> Result<Loaded, StoreError> {
        let transaction = self.begin_read().await?;
        let loaded = read(&transaction, None).await?;
        transaction.commit().await?;
        Ok(loaded)
    }

    async fn import(&self, document: MappingDocument) -> Result<u64, WriteError> {
        check_import(&document)?;
        let (transaction, version) = self.begin_write().await?;
        replace_all::<Tenant>(&transaction, document.tenants).await?;
        replace_all::<Subject>(&transaction, document.subjects).await?;
        replace_all::<Role>(&transaction, document.roles).await?;
        replace_all::<Rule>(&transaction, document.rules).await?;
        commit(transaction).await?;
        Ok(version)
    }

    async fn put(&self, row: Row) -> Result<u64, WriteError> {
        let (transaction, version) = self.begin_write().await?;
        let key = row.key();
        let mut tenants = BTreeSet::from([row.tenant().to_owned()]);
        tenants.extend(tenant_of(&transaction, &key).await?);
        let before = read(&transaction, Some(&tenants)).await?;
        check_put(before, row.clone())?;
        delete(&transaction, &key).await?;
        match row {
            Row::Tenant(row) => insert::<Tenant>(&transaction, vec![row]).await?,
            Row::Subject(row) => insert::<Subject>(&transaction, vec![row]).await?,
            Row::Role(row) => insert::<Role>(&transaction, vec![row]).await?,
            Row::Rule(row) => insert::<Rule>(&transaction, vec![row]).await?,
        }
        commit(transaction).await?;
        Ok(version)
    }

    async fn remove(&self, key: RowKey) -> Result<u64, WriteError> {
        let (transaction, version) = self.begin_write().await?;
        let Some(tenant) = tenant_of(&transaction, &key).await? else {
            return Err(WriteError::NotFound(key));
        };
        let before = read(&transaction, Some(&BTreeSet::from([tenant]))).await?;
        check_remove(before, &key)?;
        delete(&transaction, &key).await?;
        commit(transaction).await?;
        Ok(version)
    }
}

async fn version(database: &impl ConnectionTrait) -> Result<u64, StoreError> {
    let row = entity::version::Entity::find().one(database).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("mapping_version is empty".into()))?;
    u64::try_from(row.version).map_err(|error| DbErr::Type(format!("mapping_version: {error}")).into())
}

/// All rows, or those of some tenants.
async fn read(
    database: &impl ConnectionTrait,
    tenants: Option<&BTreeSet<String>>,
) -> Result<Loaded, StoreError> {
    let mut unreadable = Vec::new();
    let document = MappingDocument {
        tenants: fetch::<Tenant>(database, tenants, &mut unreadable).await?,
        subjects: fetch::<Subject>(database, tenants, &mut unreadable).await?,
        roles: fetch::<Role>(database, tenants, &mut unreadable).await?,
        rules: fetch::<Rule>(database, tenants, &mut unreadable).await?,
    };
    Ok(Loaded { document: document.sorted(), unreadable, version: version(database).await? })
}

/// The tenant of the row with this key, if there is such a row.
async fn tenant_of(database: &impl ConnectionTrait, key: &RowKey) -> Result<Option<String>, StoreError> {
    use entity::{role, rule, subject, tenant};
    use sea_orm::{QuerySelect, SelectExt};

    Ok(match key {
        RowKey::Tenant { id } => {
            tenant::Entity::find_by_id(id.clone()).exists(database).await?.then(|| id.clone())
        }
        RowKey::Subject { issuer, subject } => {
            let row = subject::Entity::find_by_id((issuer.clone(), subject.clone()));
            row.select_only().column(subject::Column::Tenant).into_tuple().one(database).await?
        }
        RowKey::Role { tenant, name } => role::Entity::find_by_id((tenant.clone(), name.clone()))
            .exists(database)
            .await?
            .then(|| tenant.clone()),
        RowKey::Rule { id } => {
            let row = rule::Entity::find_by_id(*id);
            row.select_only().column(rule::Column::Tenant).into_tuple().one(database).await?
        }
    })
}

async fn delete(database: &impl ConnectionTrait, key: &RowKey) -> Result<(), StoreError> {
    use entity::{role, rule, subject, tenant};

    match key {
        RowKey::Tenant { id } => tenant::Entity::delete_by_id(id.clone()).exec(database).await?,
        RowKey::Subject { issuer, subject } => {
            subject::Entity::delete_by_id((issuer.clone(), subject.clone())).exec(database).await?
        }
        RowKey::Role { tenant, name } => {
            role::Entity::delete_by_id((tenant.clone(), name.clone())).exec(database).await?
        }
        RowKey::Rule { id } => rule::Entity::delete_by_id(*id).exec(database).await?,
    };
    Ok(())
}

async fn replace_all<T: Table>(database: &impl ConnectionTrait, rows: Vec<T>) -> Result<(), StoreError> {
    T::Entity::delete_many().exec(database).await?;
    insert(database, rows).await
}

async fn insert<T: Table>(database: &impl ConnectionTrait, rows: Vec<T>) -> Result<(), StoreError> {
    let mut rows = rows.into_iter().map(|row| row.into_model().into_active_model()).peekable();
    while rows.peek().is_some() {
        let batch: Vec<_> = rows.by_ref().take(BATCH).collect();
        T::Entity::insert_many(batch).exec_without_returning(database).await?;
    }
    Ok(())
}

async fn commit(transaction: DatabaseTransaction) -> Result<(), StoreError> {
    Ok(transaction.commit().await?)
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        Self::Unavailable(Box::new(error))
    }
}
