//! Tokens of identity providers.

use std::time::SystemTime;

use async_trait::async_trait;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait as _, Func},
};

use super::{SeaOrmStore, delete_first, grants::grant, insert, one_time::use_in, sessions::session, to_json};
use crate::{
    clock::to_millis,
    identity::Identity,
    store::{StoreError, UpstreamCheck, UpstreamStore, UpstreamToken, UsedAssertion},
};

pub(super) mod upstream_token {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "oauth_upstream_tokens")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) grant_id: String,
        pub(in crate::store) sealed: Vec<u8>,
        pub(in crate::store) checked_at: i64,
        pub(in crate::store) asked_at: Option<i64>,
        pub(in crate::store) expires_at: i64,
    }

    impl std::fmt::Debug for Model {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Model").field("grant_id", &self.grant_id).finish_non_exhaustive()
        }
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(in crate::store) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use upstream_token::{Column, Entity};

#[async_trait]
impl UpstreamStore for SeaOrmStore {
    async fn insert_upstream_token(&self, token: &UpstreamToken) -> Result<(), StoreError> {
        let row = upstream_token::Model {
            grant_id: token.grant_id.clone(),
            sealed: token.sealed.clone(),
            checked_at: to_millis(token.checked_at),
            asked_at: token.asked_at.map(to_millis),
            expires_at: to_millis(token.expires_at),
        };
        insert(row, &self.db).await
    }

    async fn begin_upstream_check(
        &self,
        grant_id: &str,
        due: SystemTime,
        lost: SystemTime,
        now: SystemTime,
    ) -> Result<UpstreamCheck, StoreError> {
        let nobody_asks =
            Condition::any().add(Column::AskedAt.is_null()).add(Column::AskedAt.lte(to_millis(lost)));
        let begun = Entity::update_many()
            .col_expr(Column::AskedAt, Expr::value(to_millis(now)))
            .filter(Column::GrantId.eq(grant_id))
            .filter(Column::CheckedAt.lte(to_millis(due)))
            .filter(nobody_asks)
            .exec(&self.db)
            .await?;
        let found = Entity::find_by_id(grant_id).one(&self.db).await?;
        Ok(match found {
            None => UpstreamCheck::Unknown,
            Some(token) if begun.rows_affected == 1 => UpstreamCheck::Ask(token.sealed),
            Some(token) if token.checked_at > to_millis(due) => UpstreamCheck::Recent,
            Some(_) => UpstreamCheck::Asking,
        })
    }

    async fn finish_upstream_check(
        &self,
        grant_id: &str,
        sealed: &[u8],
        identity: Option<&Identity>,
    ) -> Result<(), StoreError> {
        let answered = Func::coalesce([Expr::col(Column::AskedAt), Expr::col(Column::CheckedAt)]);
        let transaction = self.begin().await?;
        Entity::update_many()
            .col_expr(Column::Sealed, Expr::value(sealed.to_vec()))
            .col_expr(Column::CheckedAt, answered.into())
            .col_expr(Column::AskedAt, Expr::value(None::<i64>))
            .filter(Column::GrantId.eq(grant_id))
            .exec(&transaction)
            .await?;
        if let Some(identity) = identity {
            grant::Entity::update_many()
                .col_expr(grant::Column::Tenant, Expr::value(identity.tenant.clone()))
                .col_expr(grant::Column::DisplayName, Expr::value(identity.display_name.clone()))
                .col_expr(grant::Column::Email, Expr::value(identity.email.clone()))
                .col_expr(grant::Column::Hints, Expr::value(to_json(&identity.hints, "grant")?))
                .filter(grant::Column::Id.eq(grant_id))
                .exec(&transaction)
                .await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn abandon_upstream_check(&self, grant_id: &str) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::AskedAt, Expr::value(None::<i64>))
            .filter(Column::GrantId.eq(grant_id))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    async fn revoke_upstream(
        &self,
        logout: &UsedAssertion,
        (source, subject): (&str, &str),
        named: Option<&str>,
        now: SystemTime,
    ) -> Result<Option<Vec<String>>, StoreError> {
        let mut revoke = grant::Entity::update_many()
            .col_expr(grant::Column::RevokedAt, Expr::value(to_millis(now)))
            .filter(grant::Column::IdentitySource.eq(source))
            .filter(grant::Column::Subject.eq(subject))
            .filter(grant::Column::RevokedAt.is_null())
            .filter(grant::Column::ExpiresAt.gt(to_millis(now)));
        let mut end = session::Entity::delete_many()
            .filter(session::Column::IdentitySource.eq(source))
            .filter(session::Column::Subject.eq(subject));
        if let Some(named) = named {
            let column = grant::Column::UpstreamSession;
            revoke = revoke.filter(column.eq(named).or(column.is_null()));
            let column = session::Column::UpstreamSession;
            end = end.filter(column.eq(named).or(column.is_null()));
        }
        let transaction = self.begin().await?;
        if !use_in(&transaction, &logout.key, logout.expires_at, now).await? {
            return Ok(None);
        }
        let revoked = revoke.exec_with_returning(&transaction).await?;
        end.exec(&transaction).await?;
        transaction.commit().await?;
        Ok(Some(revoked.into_iter().map(|grant| grant.id).collect()))
    }

    async fn prune_upstream_tokens(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError> {
        let ended = Column::ExpiresAt;
        delete_first::<Entity>(&self.db, &ended.lte(to_millis(now)), ended, batch).await
    }
}
