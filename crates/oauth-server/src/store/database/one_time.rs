//! What was used.

use std::time::SystemTime;

use async_trait::async_trait;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, Set,
    sea_query::{Expr, ExprTrait, OnConflict},
};

use super::{SeaOrmStore, delete_first};
use crate::{
    clock::to_millis,
    random::Digest,
    store::{OneTimeStore, StoreError},
};

pub(super) mod used {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "oauth_one_time")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) digest: String,
        pub(in crate::store) expires_at: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(in crate::store) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[async_trait]
impl OneTimeStore for SeaOrmStore {
    async fn use_once(
        &self,
        key: &Digest,
        expires_at: SystemTime,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        use_in(&self.db, key, expires_at, now).await
    }

    async fn prune_one_time(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError> {
        let ended = used::Column::ExpiresAt;
        delete_first::<used::Entity>(&self.db, &ended.lte(to_millis(now)), ended, batch).await
    }
}

/// The same as a part of something larger.
pub(super) async fn use_in(
    db: &impl ConnectionTrait,
    key: &Digest,
    expires_at: SystemTime,
    now: SystemTime,
) -> Result<bool, StoreError> {
    let row = used::ActiveModel { digest: Set(key.to_text()), expires_at: Set(to_millis(expires_at)) };
    let mut over = OnConflict::column(used::Column::Digest);
    over.update_column(used::Column::ExpiresAt)
        .action_and_where(Expr::col((used::Entity, used::Column::ExpiresAt)).lte(to_millis(now)));
    let rows = used::Entity::insert(row).on_conflict(over).exec_without_returning(db).await?;
    Ok(rows == 1)
}
