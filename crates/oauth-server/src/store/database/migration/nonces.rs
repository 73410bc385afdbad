//! A code carries the nonce of its request into the ID token.

use sea_orm_migration::{prelude::*, schema};

use super::super::grants::code;

pub(super) struct Nonces;

impl MigrationName for Nonces {
    fn name(&self) -> &'static str {
        "oauth_0006_nonces"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Nonces {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let nonce = schema::text_null(code::Column::Nonce);
        manager.alter_table(Table::alter().table(code::Entity).add_column(nonce).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let nonce = code::Column::Nonce;
        manager.alter_table(Table::alter().table(code::Entity).drop_column(nonce).to_owned()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
