//! Secrets that all replicas share.

use async_trait::async_trait;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, sea_query::Expr};
use secrecy::{ExposeSecret, SecretSlice};

use super::SeaOrmStore;
use crate::{
    clock::{from_millis, to_millis},
    store::{SecretRecord, SecretStore, StoreError},
};

pub(super) mod secret {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "oauth_secrets")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) name: String,
        pub(in crate::store) wrapped: Vec<u8>,
        pub(in crate::store) created_at: i64,
    }

    impl std::fmt::Debug for Model {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Model").field("name", &self.name).finish_non_exhaustive()
        }
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(in crate::store) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[async_trait]
impl SecretStore for SeaOrmStore {
    async fn secret_or_insert(&self, secret: &SecretRecord) -> Result<SecretRecord, StoreError> {
        let row = secret::Model {
            name: secret.name.clone(),
            wrapped: secret.wrapped.expose_secret().to_vec(),
            created_at: to_millis(secret.created_at),
        };
        secret::Entity::insert(row.into_active_model().reset_all())
            .on_conflict_do_nothing_on([secret::Column::Name])
            .exec_without_returning(&self.db)
            .await?;
        self.secret(&secret.name).await?.ok_or(StoreError::Corrupt { what: "shared secret" })
    }

    async fn secret(&self, name: &str) -> Result<Option<SecretRecord>, StoreError> {
        let kept = secret::Entity::find_by_id(name).one(&self.db).await?;
        Ok(kept.map(|kept| SecretRecord {
            name: kept.name,
            wrapped: SecretSlice::from(kept.wrapped),
            created_at: from_millis(kept.created_at),
        }))
    }

    async fn replace_secret(
        &self,
        name: &str,
        from: &SecretSlice<u8>,
        to: &SecretSlice<u8>,
    ) -> Result<bool, StoreError> {
        let replaced = secret::Entity::update_many()
            .col_expr(secret::Column::Wrapped, Expr::value(to.expose_secret().to_vec()))
            .filter(secret::Column::Name.eq(name))
            .filter(secret::Column::Wrapped.eq(from.expose_secret().to_vec()))
            .exec(&self.db)
            .await?;
        Ok(replaced.rows_affected == 1)
    }
}
