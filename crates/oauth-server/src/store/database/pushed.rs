//! Pushed requests.

use std::time::SystemTime;

use async_trait::async_trait;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, sea_query::Expr};

use super::{SeaOrmStore, delete_first, from_json, insert, to_json};
use crate::{
    clock::to_millis,
    random::Digest,
    store::{CodeRequest, PushedRequest, PushedRequestStore, StoreError},
};

pub(super) mod request {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "oauth_pushed_requests")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) digest: String,
        pub(in crate::store) client_id: String,
        #[sea_orm(column_type = "Text")]
        pub(in crate::store) request: String,
        pub(in crate::store) expires_at: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(in crate::store) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[async_trait]
impl PushedRequestStore for SeaOrmStore {
    async fn insert_pushed(&self, pushed: &PushedRequest, capacity: u64) -> Result<(), StoreError> {
        let row = request::Model {
            digest: pushed.digest.to_text(),
            client_id: pushed.request.client_id.clone(),
            request: to_json(&pushed.request, "pushed request")?,
            expires_at: to_millis(pushed.expires_at),
        };
        insert(row, &self.db).await?;
        let excess = request::Entity::find().count(&self.db).await?.saturating_sub(capacity);
        if excess > 0 {
            let (any, order) = (Expr::value(true), request::Column::ExpiresAt);
            delete_first::<request::Entity>(&self.db, &any, order, excess).await?;
        }
        Ok(())
    }

    async fn take_pushed(
        &self,
        digest: &Digest,
        client_id: &str,
        now: SystemTime,
    ) -> Result<Option<CodeRequest>, StoreError> {
        let Some(row) = request::Entity::find_by_id(digest.to_text()).one(&self.db).await? else {
            return Ok(None);
        };
        // Rows never change, so what was read is what is deleted; whoever deletes it has it.
        let taken = request::Entity::delete_many()
            .filter(request::Column::Digest.eq(digest.to_text()))
            .filter(request::Column::ClientId.eq(client_id))
            .filter(request::Column::ExpiresAt.gt(to_millis(now)))
            .exec(&self.db)
            .await?;
        if taken.rows_affected != 1 {
            return Ok(None);
        }
        from_json(&row.request, "pushed request").map(Some)
    }

    async fn prune_pushed(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError> {
        let ended = request::Column::ExpiresAt;
        delete_first::<request::Entity>(&self.db, &ended.lte(to_millis(now)), ended, batch).await
    }
}
