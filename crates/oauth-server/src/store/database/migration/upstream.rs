//! Tokens of identity providers.

use sea_orm_migration::{prelude::*, schema};

use super::super::{grants::grant, upstream::upstream_token};

const SUBJECT_INDEX: &str = "oauth_grants_subject";

pub(super) struct Upstream;

impl MigrationName for Upstream {
    fn name(&self) -> &'static str {
        "oauth_0004_upstream"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Upstream {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        use upstream_token::Column;
        let table = Table::create()
            .table(upstream_token::Entity)
            .col(schema::text(Column::GrantId).primary_key())
            .col(schema::blob(Column::Sealed))
            .col(schema::big_integer(Column::CheckedAt))
            .col(schema::big_integer(Column::ExpiresAt))
            .to_owned();
        manager.create_table(table).await?;
        let expires = Index::create()
            .name("oauth_upstream_tokens_expires")
            .table(upstream_token::Entity)
            .col(Column::ExpiresAt)
            .to_owned();
        manager.create_index(expires).await?;
        let subject = Index::create()
            .name(SUBJECT_INDEX)
            .table(grant::Entity)
            .col(grant::Column::IdentitySource)
            .col(grant::Column::Subject)
            .to_owned();
        manager.create_index(subject).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name(SUBJECT_INDEX).table(grant::Entity).to_owned()).await?;
        manager.drop_table(Table::drop().table(upstream_token::Entity).to_owned()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
