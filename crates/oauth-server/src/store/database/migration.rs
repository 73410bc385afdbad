//! How the tables come to be. A migration that was released is never edited: a change is a new one.

mod asking;
mod client_keys;
mod devices;
mod documents;
mod key_ring;
mod nonces;
mod people;
mod purposes;
mod pushed;
mod registration;
mod upstream;

use sea_orm_migration::{prelude::*, schema};

use super::{
    clients::client,
    grants::{code, grant, refresh_token},
    interactions::interaction,
    keys::signing_key,
};

/// The migrations of this crate, for the binary to run among its own. Their names start with `oauth_`.
#[must_use]
pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(CreateTables),
        Box::new(purposes::Purposes),
        Box::new(devices::Devices),
        Box::new(client_keys::ClientKeys),
        Box::new(key_ring::Ring),
        Box::new(documents::Documents),
        Box::new(people::People),
        Box::new(upstream::Upstream),
        Box::new(registration::Registration),
        Box::new(pushed::Pushed),
        Box::new(asking::Asking),
        Box::new(nonces::Nonces),
    ]
}

struct CreateTables;

impl MigrationName for CreateTables {
    fn name(&self) -> &'static str {
        "oauth_0001_create_tables"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for CreateTables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [clients(), interactions(), grants(), codes(), refresh_tokens(), signing_keys()] {
            manager.create_table(table).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(client::Entity).to_owned()).await?;
        manager.drop_table(Table::drop().table(interaction::Entity).to_owned()).await?;
        manager.drop_table(Table::drop().table(grant::Entity).to_owned()).await?;
        manager.drop_table(Table::drop().table(code::Entity).to_owned()).await?;
        manager.drop_table(Table::drop().table(refresh_token::Entity).to_owned()).await?;
        manager.drop_table(Table::drop().table(signing_key::Entity).to_owned()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

fn clients() -> TableCreateStatement {
    use client::Column;
    Table::create()
        .table(client::Entity)
        .col(schema::text(Column::Id).primary_key())
        .col(schema::text_null(Column::Name))
        .col(schema::text(Column::Authentication))
        .col(schema::text_null(Column::SecretDigest))
        .col(schema::text(Column::RedirectUris))
        .col(schema::boolean("refreshes"))
        .col(schema::big_integer(Column::RegisteredAt))
        .col(schema::big_integer_null(Column::FirstUsedAt))
        .to_owned()
}

fn interactions() -> TableCreateStatement {
    Table::create()
        .table(interaction::Entity)
        .col(schema::text("id").primary_key())
        .col(schema::text("stage"))
        .col(schema::text("cookie_digest"))
        .col(schema::text("client_id"))
        .col(schema::text("redirect_uri"))
        .col(schema::boolean("redirect_uri_given"))
        .col(schema::text_null("state"))
        .col(schema::text("resource"))
        .col(schema::text("scope"))
        .col(schema::text("code_challenge"))
        .col(schema::big_integer("created_at"))
        .col(schema::big_integer("expires_at"))
        .to_owned()
}

fn grants() -> TableCreateStatement {
    use grant::Column;
    Table::create()
        .table(grant::Entity)
        .col(schema::text(Column::Id).primary_key())
        .col(schema::text(Column::ClientId))
        .col(schema::text(Column::Issuer))
        .col(schema::text(Column::Subject))
        .col(schema::text_null(Column::Tenant))
        .col(schema::text_null(Column::DisplayName))
        .col(schema::text_null(Column::Email))
        .col(schema::text(Column::Hints))
        .col(schema::text(Column::IdentitySource))
        .col(schema::text(Column::Resource))
        .col(schema::text(Column::Scope))
        .col(schema::big_integer(Column::AuthenticatedAt))
        .col(schema::big_integer(Column::ExpiresAt))
        .col(schema::big_integer_null(Column::RevokedAt))
        .to_owned()
}

fn codes() -> TableCreateStatement {
    use code::Column;
    Table::create()
        .table(code::Entity)
        .col(schema::text(Column::Digest).primary_key())
        .col(schema::text(Column::GrantId))
        .col(schema::text_null(Column::RedirectUri))
        .col(schema::text(Column::CodeChallenge))
        .col(schema::big_integer(Column::ExpiresAt))
        .col(schema::big_integer_null(Column::UsedAt))
        .to_owned()
}

fn refresh_tokens() -> TableCreateStatement {
    use refresh_token::Column;
    Table::create()
        .table(refresh_token::Entity)
        .col(schema::text(Column::Digest).primary_key())
        .col(schema::text(Column::GrantId))
        .col(schema::big_integer(Column::ExpiresAt))
        .col(schema::big_integer_null(Column::UsedAt))
        .to_owned()
}

fn signing_keys() -> TableCreateStatement {
    use signing_key::Column;
    Table::create()
        .table(signing_key::Entity)
        .col(schema::text(Column::Kid).primary_key())
        .col(schema::text(Column::Algorithm))
        .col(schema::text_null("current_for").unique_key())
        .col(schema::blob(Column::Wrapped))
        .col(schema::big_integer(Column::CreatedAt))
        .to_owned()
}

fn indexes() -> [IndexCreateStatement; 6] {
    fn index(name: &str, table: impl IntoTableRef, column: impl IntoIndexColumn) -> IndexCreateStatement {
        Index::create().name(name).table(table).col(column).to_owned()
    }
    [
        index("oauth_clients_registered", client::Entity, client::Column::RegisteredAt),
        index("oauth_interactions_expires", interaction::Entity, interaction::Column::ExpiresAt),
        index("oauth_grants_expires", grant::Entity, grant::Column::ExpiresAt),
        index("oauth_grants_revoked", grant::Entity, grant::Column::RevokedAt),
        index("oauth_codes_expires", code::Entity, code::Column::ExpiresAt),
        index("oauth_refresh_tokens_expires", refresh_token::Entity, refresh_token::Column::ExpiresAt),
    ]
}
