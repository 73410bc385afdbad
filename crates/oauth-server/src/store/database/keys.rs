//! Signing keys.

use std::time::SystemTime;

use async_trait::async_trait;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    TryInsertResult, sea_query::Expr,
};
use secrecy::{ExposeSecret, SecretSlice};

use super::{SeaOrmStore, commit};
use crate::{
    clock::{from_millis, to_millis},
    keys::KeyTimes,
    store::{Confirm, KeyStore, SigningKeyRecord, StoreError},
};

pub(super) mod signing_key {
    use sea_orm::entity::prelude::*;

    /// `sequence` is unique, so that of several processes that make the next key one succeeds.
    #[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "oauth_signing_keys")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) kid: String,
        pub(in crate::store) algorithm: String,
        pub(in crate::store) wrapped: Vec<u8>,
        #[sea_orm(unique)]
        pub(in crate::store) sequence: i64,
        pub(in crate::store) created_at: i64,
        pub(in crate::store) activates_at: i64,
        pub(in crate::store) revoked_at: Option<i64>,
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

use signing_key::{Column, Entity};

#[async_trait]
impl KeyStore for SeaOrmStore {
    async fn signing_keys(&self) -> Result<Vec<SigningKeyRecord>, StoreError> {
        let keys = Entity::find().order_by_asc(Column::Sequence).all(&self.db).await?;
        keys.into_iter().map(from_row).collect()
    }

    async fn insert_signing_key(
        &self,
        key: &SigningKeyRecord,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        if !insert(key, &transaction).await? {
            return Ok(false);
        }
        commit(transaction, confirm).await
    }

    async fn revoke_signing_key(
        &self,
        kid: &str,
        successor: Option<&SigningKeyRecord>,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let revoked = Entity::update_many()
            .col_expr(Column::RevokedAt, Expr::value(to_millis(now)))
            .col_expr(Column::Wrapped, Expr::value(Vec::<u8>::new()))
            .filter(Column::Kid.eq(kid))
            .filter(Column::RevokedAt.is_null())
            .exec(&transaction)
            .await?;
        if revoked.rows_affected == 0 {
            return Ok(false);
        }
        if let Some(successor) = successor
            && !insert(successor, &transaction).await?
        {
            return Ok(false);
        }
        commit(transaction, confirm).await
    }

    async fn reseal_signing_key(
        &self,
        kid: &str,
        from: &SecretSlice<u8>,
        to: &SecretSlice<u8>,
    ) -> Result<bool, StoreError> {
        let resealed = Entity::update_many()
            .col_expr(Column::Wrapped, Expr::value(to.expose_secret().to_vec()))
            .filter(Column::Kid.eq(kid))
            .filter(Column::Wrapped.eq(from.expose_secret().to_vec()))
            .exec(&self.db)
            .await?;
        Ok(resealed.rows_affected == 1)
    }

    async fn delete_signing_keys(&self, sequences: &[u64]) -> Result<(), StoreError> {
        let sequences = sequences.iter().map(|sequence| to_place(*sequence));
        Entity::delete_many().filter(Column::Sequence.is_in(sequences)).exec(&self.db).await?;
        Ok(())
    }
}

async fn insert(key: &SigningKeyRecord, db: &impl ConnectionTrait) -> Result<bool, StoreError> {
    let inserted = Entity::insert(to_row(key).into_active_model().reset_all())
        .on_conflict_do_nothing_on([Column::Sequence])
        .exec_without_returning(db)
        .await?;
    Ok(matches!(inserted, TryInsertResult::Inserted(1)))
}

fn to_row(key: &SigningKeyRecord) -> signing_key::Model {
    signing_key::Model {
        kid: key.kid.clone(),
        algorithm: key.algorithm.clone(),
        wrapped: key.wrapped.expose_secret().to_vec(),
        sequence: to_place(key.times.sequence),
        created_at: to_millis(key.times.created_at),
        activates_at: to_millis(key.times.activates_at),
        revoked_at: key.times.revoked_at.map(to_millis),
    }
}

fn from_row(row: signing_key::Model) -> Result<SigningKeyRecord, StoreError> {
    let sequence =
        u64::try_from(row.sequence).map_err(|_| StoreError::Corrupt { what: "place of a signing key" })?;
    Ok(SigningKeyRecord {
        kid: row.kid,
        algorithm: row.algorithm,
        wrapped: SecretSlice::from(row.wrapped),
        times: KeyTimes {
            sequence,
            created_at: from_millis(row.created_at),
            activates_at: from_millis(row.activates_at),
            revoked_at: row.revoked_at.map(from_millis),
        },
    })
}

fn to_place(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}
