//! Clients.

use std::time::SystemTime;

use async_trait::async_trait;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, NotSet, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};

use super::{
    SeaOrmStore, commit, delete_first, digest, from_json, grants::revoke_grants_of, in_turn, insert, to_json,
};
use crate::{
    clock::{from_millis, to_millis},
    random::Digest,
    store::{
        Client, ClientAuthentication, ClientStore, Confirm, PRIVATE_KEY_JWT, PreviousSecret, SecretMethod,
        StoreError,
    },
};

/// Names the registrations' advisory lock among all locks of the database: "oauthreg" in ASCII.
const REGISTRATION_LOCK: u64 = 0x6f61_7574_6872_6567;

pub(super) mod client {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "oauth_clients")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) id: String,
        pub(in crate::store) name: Option<String>,
        pub(in crate::store) authentication: String,
        pub(in crate::store) secret_digest: Option<String>,
        #[sea_orm(column_type = "Text")]
        pub(in crate::store) redirect_uris: String,
        #[sea_orm(column_type = "Text")]
        pub(in crate::store) grant_types: String,
        pub(in crate::store) origin: String,
        #[sea_orm(column_type = "Text")]
        pub(in crate::store) settings: String,
        pub(in crate::store) registered_at: i64,
        pub(in crate::store) first_used_at: Option<i64>,
        #[sea_orm(column_type = "Text", nullable)]
        pub(in crate::store) keys: Option<String>,
        pub(in crate::store) previous_digest: Option<String>,
        pub(in crate::store) previous_ends_at: Option<i64>,
        pub(in crate::store) registration_token: Option<String>,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(in crate::store) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[async_trait]
impl ClientStore for SeaOrmStore {
    async fn insert_client(
        &self,
        client: &Client,
        max_unused: u64,
        replaceable_before: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let row = to_row(client)?;
        let unused = client::Column::FirstUsedAt.is_null();
        let transaction = self.begin().await?;
        in_turn(&transaction, REGISTRATION_LOCK).await?;
        let kept = client::Entity::find().filter(unused.clone()).count(&transaction).await?;
        let excess = (kept + 1).saturating_sub(max_unused);
        if excess > 0 {
            let old = unused.and(client::Column::RegisteredAt.lt(to_millis(replaceable_before)));
            let order = client::Column::RegisteredAt;
            let replaced = delete_first::<client::Entity>(&transaction, &old, order, excess).await?;
            if replaced < excess {
                return Ok(false);
            }
        }
        insert(row, &transaction).await?;
        commit(transaction, confirm).await
    }

    async fn client(&self, id: &str) -> Result<Option<Client>, StoreError> {
        client::Entity::find_by_id(id).one(&self.db).await?.map(from_row).transpose()
    }

    async fn clients(&self, after: Option<&str>, limit: u64) -> Result<Vec<Client>, StoreError> {
        let order = client::Column::Id;
        let found = client::Entity::find().order_by_asc(order).limit(limit);
        let found = match after {
            Some(after) => found.filter(order.gt(after)),
            None => found,
        };
        found.all(&self.db).await?.into_iter().map(from_row).collect()
    }

    async fn replace_client(
        &self,
        before: &Client,
        after: &Client,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let secret = before.authentication.secret_digest();
        let mut row = to_row(after)?.into_active_model().reset_all();
        row.id = NotSet;
        row.registered_at = NotSet;
        row.first_used_at = NotSet;
        let transaction = self.begin().await?;
        let replaced = client::Entity::update_many()
            .set(row)
            .filter(client::Column::Id.eq(before.id.as_str()))
            .filter(is(client::Column::SecretDigest, secret))
            .filter(is(client::Column::RegistrationToken, before.registration_token))
            .exec(&transaction)
            .await?;
        if replaced.rows_affected != 1 {
            return Ok(false);
        }
        commit(transaction, confirm).await
    }

    async fn remove_client(
        &self,
        client: &Client,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<Option<Vec<String>>, StoreError> {
        let transaction = self.begin().await?;
        let deleted = client::Entity::delete_many()
            .filter(client::Column::Id.eq(client.id.as_str()))
            .filter(is(client::Column::RegistrationToken, client.registration_token))
            .exec(&transaction)
            .await?;
        if deleted.rows_affected != 1 {
            return Ok(None);
        }
        let revoked = revoke_grants_of(&client.id, now, &transaction).await?;
        commit(transaction, confirm).await?;
        Ok(Some(revoked))
    }

    async fn prune_clients(&self, unused_before: SystemTime, batch: u64) -> Result<u64, StoreError> {
        let unused = client::Column::FirstUsedAt
            .is_null()
            .and(client::Column::RegisteredAt.lt(to_millis(unused_before)));
        delete_first::<client::Entity>(&self.db, &unused, client::Column::RegisteredAt, batch).await
    }
}

/// Notes when a person first signed in with a client.
pub(super) async fn mark_used(
    id: &str,
    now: SystemTime,
    transaction: &DatabaseTransaction,
) -> Result<(), StoreError> {
    client::Entity::update_many()
        .col_expr(client::Column::FirstUsedAt, Expr::value(to_millis(now)))
        .filter(client::Column::Id.eq(id))
        .filter(client::Column::FirstUsedAt.is_null())
        .exec(transaction)
        .await?;
    Ok(())
}

/// Whether a column holds exactly this digest, or none.
fn is(column: client::Column, expected: Option<Digest>) -> Expr {
    match expected {
        Some(digest) => column.eq(digest.to_text()),
        None => column.is_null(),
    }
}

fn to_row(client: &Client) -> Result<client::Model, StoreError> {
    let (mut secret, mut previous, mut keys) = (None, None, None);
    match &client.authentication {
        ClientAuthentication::None => {}
        ClientAuthentication::Secret { digest, previous: before, .. } => {
            secret = Some(digest.to_text());
            previous = before.as_ref();
        }
        ClientAuthentication::PrivateKeyJwt(own) => keys = Some(to_json(own, "client")?),
    }
    Ok(client::Model {
        id: client.id.clone(),
        name: client.name.clone(),
        authentication: client.authentication.as_str().to_owned(),
        secret_digest: secret,
        redirect_uris: to_json(&client.redirect_uris, "client")?,
        grant_types: to_json(&client.grant_types, "client")?,
        origin: to_json(&client.origin, "client")?,
        settings: to_json(&client.settings, "client")?,
        registered_at: to_millis(client.registered_at),
        first_used_at: client.first_used_at.map(to_millis),
        keys,
        previous_digest: previous.map(|previous| previous.digest.to_text()),
        previous_ends_at: previous.map(|previous| to_millis(previous.ends_at)),
        registration_token: client.registration_token.map(Digest::to_text),
    })
}

fn from_row(row: client::Model) -> Result<Client, StoreError> {
    Ok(Client {
        authentication: authentication(&row)?,
        id: row.id,
        name: row.name,
        redirect_uris: from_json(&row.redirect_uris, "client")?,
        grant_types: from_json(&row.grant_types, "client")?,
        origin: from_json(&row.origin, "client")?,
        settings: from_json(&row.settings, "client")?,
        registered_at: from_millis(row.registered_at),
        first_used_at: row.first_used_at.map(from_millis),
        registration_token: row.registration_token.map(|text| digest(&text, "client")).transpose()?,
    })
}

fn authentication(row: &client::Model) -> Result<ClientAuthentication, StoreError> {
    let methods = [SecretMethod::Basic, SecretMethod::Post];
    let method = methods.into_iter().find(|method| method.as_str() == row.authentication);
    match (method, &row.secret_digest, &row.keys) {
        (Some(method), Some(text), None) => Ok(ClientAuthentication::Secret {
            method,
            digest: digest(text, "client")?,
            previous: previous_secret(row)?,
        }),
        (None, None, None) if row.authentication == ClientAuthentication::None.as_str() => {
            Ok(ClientAuthentication::None)
        }
        (None, None, Some(keys)) if row.authentication == PRIVATE_KEY_JWT => {
            Ok(ClientAuthentication::PrivateKeyJwt(from_json(keys, "client")?))
        }
        _ => Err(StoreError::Corrupt { what: "client" }),
    }
}

fn previous_secret(row: &client::Model) -> Result<Option<PreviousSecret>, StoreError> {
    match (&row.previous_digest, row.previous_ends_at) {
        (Some(text), Some(ends_at)) => {
            Ok(Some(PreviousSecret { digest: digest(text, "client")?, ends_at: from_millis(ends_at) }))
        }
        (None, None) => Ok(None),
        _ => Err(StoreError::Corrupt { what: "client" }),
    }
}
