//! Signing keys take over from each other at stated times.

use sea_orm_migration::{prelude::*, schema};

use super::super::keys::signing_key;

/// The former table for as long as it is copied.
const FORMER: &str = "oauth_signing_keys_former";

pub(super) struct Ring;

impl MigrationName for Ring {
    fn name(&self) -> &'static str {
        "oauth_0003_key_ring"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Ring {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // The newest key signs; those before it stay published until their tokens are over.
        let copy = "INSERT INTO oauth_signing_keys (kid, algorithm, wrapped, sequence, created_at, activates_at) \
                    SELECT kid, algorithm, wrapped, ROW_NUMBER() OVER (ORDER BY created_at, kid), created_at, created_at \
                    FROM oauth_signing_keys_former";
        replace(manager, signing_keys(), copy).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let copy = "INSERT INTO oauth_signing_keys (kid, algorithm, wrapped, created_at, current_for) \
                    SELECT kid, algorithm, wrapped, created_at, CASE WHEN sequence = (SELECT MAX(sequence) \
                    FROM oauth_signing_keys_former AS newer \
                    WHERE newer.algorithm = former.algorithm AND newer.revoked_at IS NULL) THEN algorithm END \
                    FROM oauth_signing_keys_former AS former WHERE former.revoked_at IS NULL";
        replace(manager, super::signing_keys(), copy).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// SQLite cannot drop a unique column, so the table is made anew.
async fn replace(manager: &SchemaManager<'_>, table: TableCreateStatement, copy: &str) -> Result<(), DbErr> {
    manager.rename_table(Table::rename().table(signing_key::Entity, FORMER).to_owned()).await?;
    manager.create_table(table).await?;
    manager.get_connection().execute_unprepared(copy).await?;
    manager.drop_table(Table::drop().table(FORMER).to_owned()).await
}

fn signing_keys() -> TableCreateStatement {
    use signing_key::Column;
    Table::create()
        .table(signing_key::Entity)
        .col(schema::text(Column::Kid).primary_key())
        .col(schema::text(Column::Algorithm))
        .col(schema::blob(Column::Wrapped))
        .col(schema::big_integer(Column::Sequence).unique_key())
        .col(schema::big_integer(Column::CreatedAt))
        .col(schema::big_integer(Column::ActivatesAt))
        .col(schema::big_integer_null(Column::RevokedAt))
        .to_owned()
}
