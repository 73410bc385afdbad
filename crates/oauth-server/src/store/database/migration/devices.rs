//! Device codes.

use sea_orm_migration::{prelude::*, schema};

use super::super::devices::device_code;

pub(super) struct Devices;

impl MigrationName for Devices {
    fn name(&self) -> &'static str {
        "oauth_0003_devices"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Devices {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        use device_code::Column;
        let table = Table::create()
            .table(device_code::Entity)
            .col(schema::text(Column::Digest).primary_key())
            .col(schema::text(Column::UserCode).unique_key())
            .col(schema::text(Column::ClientId))
            .col(schema::text(Column::Resource))
            .col(schema::text(Column::Scope))
            .col(schema::text_null(Column::Requester))
            .col(schema::text(Column::State))
            .col(schema::text_null(Column::GrantId))
            .col(schema::big_integer(Column::IntervalSeconds))
            .col(schema::big_integer_null(Column::PolledAt))
            .col(schema::big_integer(Column::ExpiresAt))
            .to_owned();
        manager.create_table(table).await?;
        let index = Index::create()
            .name("oauth_device_codes_expires")
            .table(device_code::Entity)
            .col(Column::ExpiresAt)
            .to_owned();
        manager.create_index(index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(device_code::Entity).to_owned()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
