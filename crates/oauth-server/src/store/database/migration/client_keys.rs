//! Clients have keys, and secrets that still count for a while.

use sea_orm_migration::{prelude::*, schema};

use super::super::clients::client;

pub(super) struct ClientKeys;

impl MigrationName for ClientKeys {
    fn name(&self) -> &'static str {
        "oauth_0004_client_keys"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for ClientKeys {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        use client::Column;
        let columns = [
            schema::text_null(Column::Keys),
            schema::text_null(Column::PreviousDigest),
            schema::big_integer_null(Column::PreviousEndsAt),
        ];
        for column in columns {
            manager.alter_table(Table::alter().table(client::Entity).add_column(column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        use client::Column;
        for column in [Column::Keys, Column::PreviousDigest, Column::PreviousEndsAt] {
            manager.alter_table(Table::alter().table(client::Entity).drop_column(column).to_owned()).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
