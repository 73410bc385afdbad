//! The tables, as migrations for the binary to compose.

use sea_orm::{
    DbErr, EntityTrait, Set,
    sea_query::{ColumnDef, Index, IndexCreateStatement, IntoIden, Table, TableCreateStatement},
};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager, async_trait};

use super::entity::{role, rule, subject, tenant, version};

/// Everything that [`SeaOrmStore`](super::SeaOrmStore) needs, in order. All tables start with `mapping_`.
#[must_use]
pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(CreateTables)]
}

struct CreateTables;

impl MigrationName for CreateTables {
    fn name(&self) -> &'static str {
        "mapping_0001_create_tables"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for CreateTables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [tenants(), subjects(), roles(), rules(), versions()] {
            manager.create_table(table).await?;
        }
        manager
            .create_index(tenant_index("mapping_subjects_tenant", subject::Entity, subject::Column::Tenant))
            .await?;
        manager
            .create_index(tenant_index("mapping_rules_tenant", rule::Entity, rule::Column::Tenant))
            .await?;
        let first = version::ActiveModel { id: Set(1), version: Set(0) };
        version::Entity::insert(first).exec_without_returning(manager.get_connection()).await?;
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn tenants() -> TableCreateStatement {
    use tenant::Column;

    Table::create()
        .table(tenant::Entity)
        .col(ColumnDef::new(Column::Id).text().not_null().primary_key())
        .col(ColumnDef::new(Column::Name).text().not_null())
        .col(ColumnDef::new(Column::Active).boolean().not_null())
        .col(ColumnDef::new(Column::AdmitUnknownSubjects).boolean().not_null())
        .take()
}

fn subjects() -> TableCreateStatement {
    use subject::Column;

    Table::create()
        .table(subject::Entity)
        .col(ColumnDef::new(Column::Issuer).text().not_null())
        .col(ColumnDef::new(Column::Subject).text().not_null())
        .col(ColumnDef::new(Column::Tenant).text().not_null())
        .col(ColumnDef::new(Column::Active).boolean().not_null())
        .col(ColumnDef::new(Column::DisplayName).text())
        .primary_key(Index::create().col(Column::Issuer).col(Column::Subject))
        .take()
}

fn roles() -> TableCreateStatement {
    use role::Column;

    Table::create()
        .table(role::Entity)
        .col(ColumnDef::new(Column::Tenant).text().not_null())
        .col(ColumnDef::new(Column::Name).text().not_null())
        .col(ColumnDef::new(Column::RoleArn).text().not_null())
        .col(ColumnDef::new(Column::Tags).text().not_null())
        .col(ColumnDef::new(Column::SessionPolicy).text())
        .col(ColumnDef::new(Column::DurationSeconds).big_integer().not_null())
        .col(ColumnDef::new(Column::RequestsPerMinute).big_integer())
        .col(ColumnDef::new(Column::Burst).big_integer())
        .primary_key(Index::create().col(Column::Tenant).col(Column::Name))
        .take()
}

fn rules() -> TableCreateStatement {
    use rule::Column;

    Table::create()
        .table(rule::Entity)
        .col(ColumnDef::new(Column::Id).big_integer().not_null().primary_key())
        .col(ColumnDef::new(Column::Tenant).text().not_null())
        .col(ColumnDef::new(Column::Priority).big_integer().not_null())
        .col(ColumnDef::new(Column::Issuer).text())
        .col(ColumnDef::new(Column::Subject).text())
        .col(ColumnDef::new(Column::Conditions).text().not_null())
        .col(ColumnDef::new(Column::Service).text())
        .col(ColumnDef::new(Column::Role).text().not_null())
        .take()
}

/// One row, raised by every write.
fn versions() -> TableCreateStatement {
    use version::Column;

    Table::create()
        .table(version::Entity)
        .col(ColumnDef::new(Column::Id).big_integer().not_null().primary_key())
        .col(ColumnDef::new(Column::Version).big_integer().not_null())
        .take()
}

fn tenant_index(
    name: &'static str,
    table: impl IntoIden + 'static,
    tenant: impl IntoIden + 'static,
) -> IndexCreateStatement {
    Index::create().name(name).table(table.into_iden()).col(tenant.into_iden()).take()
}
