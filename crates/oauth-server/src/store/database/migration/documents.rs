//! Clients may be described by documents, and grants remember by which.

use sea_orm_migration::{prelude::*, schema};

use super::super::{documents::document, grants::grant};

pub(super) struct Documents;

impl MigrationName for Documents {
    fn name(&self) -> &'static str {
        "oauth_0005_documents"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Documents {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(documents()).await?;
        let index = Index::create()
            .name("oauth_documents_expires")
            .table(document::Entity)
            .col(document::Column::ExpiresAt)
            .to_owned();
        manager.create_index(index).await?;
        let fingerprint = schema::text_null(grant::Column::ClientFingerprint).take();
        manager.alter_table(Table::alter().table(grant::Entity).add_column(fingerprint).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let fingerprint = grant::Column::ClientFingerprint;
        manager.alter_table(Table::alter().table(grant::Entity).drop_column(fingerprint).to_owned()).await?;
        manager.drop_table(Table::drop().table(document::Entity).to_owned()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn documents() -> TableCreateStatement {
    use document::Column;
    Table::create()
        .table(document::Entity)
        .col(schema::text(Column::Url).primary_key())
        .col(schema::text(Column::Body))
        .col(schema::big_integer(Column::FetchedAt))
        .col(schema::big_integer(Column::FreshUntil))
        .col(schema::big_integer(Column::ExpiresAt))
        .to_owned()
}
