//! Clients manage their registration, and tokens let them register.

use sea_orm_migration::{prelude::*, schema};

use super::super::{clients::client, grants::grant, registration_tokens::registration_token};

const GRANTS_INDEX: &str = "oauth_grants_client";

pub(super) struct Registration;

impl MigrationName for Registration {
    fn name(&self) -> &'static str {
        "oauth_0006_registration"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Registration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = schema::text_null(client::Column::RegistrationToken);
        manager.alter_table(Table::alter().table(client::Entity).add_column(column).to_owned()).await?;
        manager.create_table(registration_tokens()).await?;
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name(GRANTS_INDEX).table(grant::Entity).to_owned()).await?;
        manager.drop_table(Table::drop().table(registration_token::Entity).to_owned()).await?;
        let client = Table::alter().table(client::Entity).to_owned();
        manager.alter_table(client.clone().drop_column(client::Column::RegistrationToken).to_owned()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn registration_tokens() -> TableCreateStatement {
    use registration_token::Column;
    Table::create()
        .table(registration_token::Entity)
        .col(schema::text(Column::Id).primary_key())
        .col(schema::text(Column::Digest).unique_key())
        .col(schema::text_null(Column::Label))
        .col(schema::big_integer(Column::UsesLeft))
        .col(schema::big_integer(Column::CreatedAt))
        .col(schema::big_integer(Column::ExpiresAt))
        .to_owned()
}

fn indexes() -> [IndexCreateStatement; 2] {
    [
        Index::create().name(GRANTS_INDEX).table(grant::Entity).col(grant::Column::ClientId).to_owned(),
        Index::create()
            .name("oauth_registration_tokens_expires")
            .table(registration_token::Entity)
            .col(registration_token::Column::ExpiresAt)
            .to_owned(),
    ]
}
