//! People have sessions in browsers, and can read what happened in their name.

use sea_orm_migration::{prelude::*, schema};

use super::super::{activity::entry, sessions::session};

pub(super) struct People;

impl MigrationName for People {
    fn name(&self) -> &'static str {
        "oauth_0005_people"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for People {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [sessions(), activity()] {
            manager.create_table(table).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(session::Entity).to_owned()).await?;
        manager.drop_table(Table::drop().table(entry::Entity).to_owned()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn sessions() -> TableCreateStatement {
    use session::Column;
    Table::create()
        .table(session::Entity)
        .col(schema::text(Column::CookieDigest).primary_key())
        .col(schema::text(Column::Issuer))
        .col(schema::text(Column::Subject))
        .col(schema::text_null(Column::Tenant))
        .col(schema::text_null(Column::DisplayName))
        .col(schema::text_null(Column::Email))
        .col(schema::text(Column::Hints))
        .col(schema::text(Column::IdentitySource))
        .col(schema::text_null(Column::UpstreamSession))
        .col(schema::big_integer(Column::CreatedAt))
        .col(schema::big_integer(Column::LastSeenAt))
        .col(schema::big_integer(Column::ExpiresAt))
        .to_owned()
}

fn activity() -> TableCreateStatement {
    use entry::Column;
    Table::create()
        .table(entry::Entity)
        .col(schema::text(Column::Id).primary_key())
        .col(schema::text(Column::Issuer))
        .col(schema::text(Column::Subject))
        .col(schema::big_integer(Column::At))
        .col(schema::text(Column::Kind))
        .col(schema::text_null(Column::Client))
        .col(schema::text_null(Column::Device))
        .col(schema::text_null(Column::Network))
        .to_owned()
}

fn indexes() -> [IndexCreateStatement; 3] {
    [
        Index::create()
            .name("oauth_sessions_expires")
            .table(session::Entity)
            .col(session::Column::ExpiresAt)
            .to_owned(),
        Index::create()
            .name("oauth_activity_person")
            .table(entry::Entity)
            .col(entry::Column::Issuer)
            .col(entry::Column::Subject)
            .col(entry::Column::At)
            .to_owned(),
        Index::create().name("oauth_activity_at").table(entry::Entity).col(entry::Column::At).to_owned(),
    ]
}
