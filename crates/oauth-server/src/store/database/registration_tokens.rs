//! Initial access tokens.

use std::time::SystemTime;

use async_trait::async_trait;
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder,
    sea_query::{Expr, ExprTrait},
};

use super::{SeaOrmStore, commit, delete_first, digest, insert};
use crate::{
    clock::{from_millis, to_millis},
    random::Digest,
    store::{Confirm, RegistrationToken, RegistrationTokenStore, StoreError},
};

pub(super) mod registration_token {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "oauth_registration_tokens")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) id: String,
        pub(in crate::store) digest: String,
        #[sea_orm(column_type = "Text", nullable)]
        pub(in crate::store) label: Option<String>,
        pub(in crate::store) uses_left: i64,
        pub(in crate::store) created_at: i64,
        pub(in crate::store) expires_at: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(in crate::store) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use registration_token::{Column, Entity, Model};

#[async_trait]
impl RegistrationTokenStore for SeaOrmStore {
    async fn insert_registration_token(
        &self,
        token: &RegistrationToken,
        confirm: Confirm<'_>,
    ) -> Result<(), StoreError> {
        let transaction = self.begin().await?;
        insert(to_row(token), &transaction).await?;
        commit(transaction, confirm).await.map(drop)
    }

    async fn use_registration_token(&self, digest: &Digest, now: SystemTime) -> Result<bool, StoreError> {
        let used = Entity::update_many()
            .col_expr(Column::UsesLeft, Expr::col(Column::UsesLeft).sub(1))
            .filter(Column::Digest.eq(digest.to_text()))
            .filter(Column::UsesLeft.gt(0))
            .filter(Column::ExpiresAt.gt(to_millis(now)))
            .exec(&self.db)
            .await?;
        Ok(used.rows_affected == 1)
    }

    async fn registration_tokens(&self) -> Result<Vec<RegistrationToken>, StoreError> {
        let order = Entity::find().order_by_asc(Column::CreatedAt).order_by_asc(Column::Id);
        order.all(&self.db).await?.into_iter().map(from_row).collect()
    }

    async fn remove_registration_token(&self, id: &str, confirm: Confirm<'_>) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        if Entity::delete_by_id(id).exec(&transaction).await?.rows_affected != 1 {
            return Ok(false);
        }
        commit(transaction, confirm).await
    }

    async fn prune_registration_tokens(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError> {
        let ended = Column::ExpiresAt;
        delete_first::<Entity>(&self.db, &ended.lte(to_millis(now)), ended, batch).await
    }
}

fn to_row(token: &RegistrationToken) -> Model {
    Model {
        id: token.id.clone(),
        digest: token.digest.to_text(),
        label: token.label.clone(),
        uses_left: token.uses_left.into(),
        created_at: to_millis(token.created_at),
        expires_at: to_millis(token.expires_at),
    }
}

fn from_row(row: Model) -> Result<RegistrationToken, StoreError> {
    let what = "registration token";
    Ok(RegistrationToken {
        id: row.id,
        digest: digest(&row.digest, what)?,
        label: row.label,
        uses_left: u32::try_from(row.uses_left).map_err(|_| StoreError::Corrupt { what })?,
        created_at: from_millis(row.created_at),
        expires_at: from_millis(row.expires_at),
    })
}
