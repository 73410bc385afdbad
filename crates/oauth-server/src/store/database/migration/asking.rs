//! Providers are asked by one at a time, and whoever asks may be lost on the way.

use sea_orm_migration::{prelude::*, schema};

use super::super::upstream::upstream_token::{Column, Entity};

pub(super) struct Asking;

impl MigrationName for Asking {
    fn name(&self) -> &'static str {
        "oauth_0007_asking"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Asking {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = schema::big_integer_null(Column::AskedAt);
        manager.alter_table(Table::alter().table(Entity).add_column(column).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table(Entity).drop_column(Column::AskedAt).to_owned()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
