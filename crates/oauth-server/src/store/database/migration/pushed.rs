//! Pushed requests, and codes that are bound to a key.

use sea_orm_migration::{prelude::*, schema};

use super::super::{grants::code, pushed::request};

pub(super) struct Pushed;

impl MigrationName for Pushed {
    fn name(&self) -> &'static str {
        "oauth_0005_pushed"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Pushed {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(requests()).await?;
        let expires = Index::create()
            .name("oauth_pushed_requests_expires")
            .table(request::Entity)
            .col(request::Column::ExpiresAt)
            .to_owned();
        manager.create_index(expires).await?;
        let key = schema::text_null(code::Column::DpopJkt);
        manager.alter_table(Table::alter().table(code::Entity).add_column(key).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let codes = Table::alter().table(code::Entity).drop_column(code::Column::DpopJkt).to_owned();
        manager.alter_table(codes).await?;
        manager.drop_table(Table::drop().table(request::Entity).to_owned()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn requests() -> TableCreateStatement {
    use request::Column;
    Table::create()
        .table(request::Entity)
        .col(schema::text(Column::Digest).primary_key())
        .col(schema::text(Column::ClientId))
        .col(schema::text(Column::Request))
        .col(schema::big_integer(Column::ExpiresAt))
        .to_owned()
}
