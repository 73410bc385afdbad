//! Interactions have a purpose, clients and grants say more, and there are things that count once.

use sea_orm_migration::{prelude::*, schema};

use super::super::{
    clients::client, grants::grant, interactions::interaction, one_time::used, secrets::secret,
};

const IDENTITY_INDEX: &str = "oauth_grants_identity";

pub(super) struct Purposes;

impl MigrationName for Purposes {
    fn name(&self) -> &'static str {
        "oauth_0002_purposes"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Purposes {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Interactions live for minutes: those under way begin again.
        manager.drop_table(Table::drop().table(interaction::Entity).to_owned()).await?;
        for table in [interactions(), one_time_uses(), secrets()] {
            manager.create_table(table).await?;
        }
        for column in client_columns() {
            manager.alter_table(Table::alter().table(client::Entity).add_column(column).to_owned()).await?;
        }
        let refreshing = "UPDATE oauth_clients SET grant_types = '[\"authorization_code\",\"refresh_token\"]' WHERE refreshes";
        manager.get_connection().execute_unprepared(refreshing).await?;
        manager.alter_table(Table::alter().table(client::Entity).drop_column("refreshes").to_owned()).await?;
        for column in grant_columns() {
            manager.alter_table(Table::alter().table(grant::Entity).add_column(column).to_owned()).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            interaction::Entity.into_table_ref(),
            used::Entity.into_table_ref(),
            secret::Entity.into_table_ref(),
        ] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        manager.create_table(super::interactions()).await?;
        let client = Table::alter().table(client::Entity).to_owned();
        let refreshes = schema::boolean("refreshes").default(false).take();
        manager.alter_table(client.clone().add_column(refreshes).to_owned()).await?;
        let refreshing = "UPDATE oauth_clients SET refreshes = TRUE WHERE grant_types LIKE '%refresh_token%'";
        manager.get_connection().execute_unprepared(refreshing).await?;
        for column in [client::Column::GrantTypes, client::Column::Origin, client::Column::Settings] {
            manager.alter_table(client.clone().drop_column(column).to_owned()).await?;
        }
        manager.drop_index(Index::drop().name(IDENTITY_INDEX).table(grant::Entity).to_owned()).await?;
        for column in [
            grant::Column::Kind,
            grant::Column::LastUsedAt,
            grant::Column::DpopJkt,
            grant::Column::Device,
            grant::Column::UpstreamSession,
        ] {
            manager.alter_table(Table::alter().table(grant::Entity).drop_column(column).to_owned()).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn interactions() -> TableCreateStatement {
    use interaction::Column;
    Table::create()
        .table(interaction::Entity)
        .col(schema::text(Column::Id).primary_key())
        .col(schema::text(Column::Stage))
        .col(schema::text(Column::CookieDigest))
        .col(schema::text(Column::Purpose))
        .col(schema::big_integer(Column::CreatedAt))
        .col(schema::big_integer(Column::ExpiresAt))
        .to_owned()
}

fn one_time_uses() -> TableCreateStatement {
    use used::Column;
    Table::create()
        .table(used::Entity)
        .col(schema::text(Column::Digest).primary_key())
        .col(schema::big_integer(Column::ExpiresAt))
        .to_owned()
}

fn secrets() -> TableCreateStatement {
    use secret::Column;
    Table::create()
        .table(secret::Entity)
        .col(schema::text(Column::Name).primary_key())
        .col(schema::blob(Column::Wrapped))
        .col(schema::big_integer(Column::CreatedAt))
        .to_owned()
}

fn client_columns() -> [ColumnDef; 3] {
    use client::Column;
    [
        schema::text(Column::GrantTypes).default("[\"authorization_code\"]").take(),
        schema::text(Column::Origin).default("\"dynamic\"").take(),
        schema::text(Column::Settings).default("{}").take(),
    ]
}

fn grant_columns() -> [ColumnDef; 5] {
    use grant::Column;
    [
        schema::text(Column::Kind).default("\"code\"").take(),
        schema::big_integer_null(Column::LastUsedAt),
        schema::text_null(Column::DpopJkt),
        schema::text_null(Column::Device),
        schema::text_null(Column::UpstreamSession),
    ]
}

fn indexes() -> [IndexCreateStatement; 3] {
    [
        Index::create()
            .name("oauth_interactions_expires")
            .table(interaction::Entity)
            .col(interaction::Column::ExpiresAt)
            .to_owned(),
        Index::create()
            .name("oauth_one_time_expires")
            .table(used::Entity)
            .col(used::Column::ExpiresAt)
            .to_owned(),
        Index::create()
            .name(IDENTITY_INDEX)
            .table(grant::Entity)
            .col(grant::Column::Issuer)
            .col(grant::Column::Subject)
            .to_owned(),
    ]
}
