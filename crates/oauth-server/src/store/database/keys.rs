//! Signing keys.

use async_trait::async_trait;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, QueryOrder, TryInsertResult};
use secrecy::{ExposeSecret, SecretSlice};

use super::SeaOrmStore;
use crate::{
    clock::{from_millis, to_millis},
    store::{KeyStore, SigningKeyRecord, StoreError},
};

pub(super) mod signing_key {
    use sea_orm::entity::prelude::*;

    /// `current_for` is the algorithm that the key is the current one of, or null; it is unique, so that there is never
    /// more than one.
    #[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "oauth_signing_keys")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) kid: String,
        pub(in crate::store) algorithm: String,
        #[sea_orm(unique)]
        pub(in crate::store) current_for: Option<String>,
        pub(in crate::store) wrapped: Vec<u8>,
        pub(in crate::store) created_at: i64,
    }

    impl std::fmt::Debug for Model {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Model").field("kid", &self.kid).finish_non_exhaustive()
        }
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(in crate::store) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[async_trait]
impl KeyStore for SeaOrmStore {
    async fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, StoreError> {
        let keys = signing_key::Entity::find()
            .order_by_asc(signing_key::Column::CreatedAt)
            .order_by_asc(signing_key::Column::Kid)
            .all(&self.db)
            .await?;
        Ok(keys.into_iter().map(from_row).collect())
    }

    async fn insert_first_signing_key(&self, key: &SigningKeyRecord) -> Result<bool, StoreError> {
        let row = to_row(key).into_active_model().reset_all();
        let inserted = signing_key::Entity::insert(row)
            .on_conflict_do_nothing_on([signing_key::Column::CurrentFor])
            .exec_without_returning(&self.db)
            .await?;
        Ok(matches!(inserted, TryInsertResult::Inserted(1)))
    }
}

fn to_row(key: &SigningKeyRecord) -> signing_key::Model {
    signing_key::Model {
        kid: key.kid.clone(),
        algorithm: key.algorithm.clone(),
        current_for: key.current.then(|| key.algorithm.clone()),
        wrapped: key.wrapped.expose_secret().to_vec(),
        created_at: to_millis(key.created_at),
    }
}

fn from_row(row: signing_key::Model) -> SigningKeyRecord {
    SigningKeyRecord {
        current: row.current_for.is_some_and(|algorithm| algorithm == row.algorithm),
        kid: row.kid,
        algorithm: row.algorithm,
        wrapped: SecretSlice::from(row.wrapped),
        created_at: from_millis(row.created_at),
    }
}
