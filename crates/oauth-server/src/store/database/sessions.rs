//! Sessions.

use std::time::SystemTime;

use async_trait::async_trait;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, sea_query::Expr};

use super::{
    SeaOrmStore, commit, delete_first, digest, from_json, insert,
    interactions::{interaction, waiting},
    to_json,
};
use crate::{
    clock::{from_millis, to_millis},
    identity::Identity,
    random::Digest,
    store::{Confirm, NewSession, Session, SessionStore, Stage, StoreError},
};

pub(super) mod session {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "oauth_sessions")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) cookie_digest: String,
        #[sea_orm(column_type = "Text")]
        pub(in crate::store) issuer: String,
        #[sea_orm(column_type = "Text")]
        pub(in crate::store) subject: String,
        #[sea_orm(column_type = "Text", nullable)]
        pub(in crate::store) tenant: Option<String>,
        #[sea_orm(column_type = "Text", nullable)]
        pub(in crate::store) display_name: Option<String>,
        #[sea_orm(column_type = "Text", nullable)]
        pub(in crate::store) email: Option<String>,
        #[sea_orm(column_type = "Text")]
        pub(in crate::store) hints: String,
        pub(in crate::store) identity_source: String,
        #[sea_orm(column_type = "Text", nullable)]
        pub(in crate::store) upstream_session: Option<String>,
        pub(in crate::store) created_at: i64,
        pub(in crate::store) last_seen_at: i64,
        pub(in crate::store) expires_at: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(in crate::store) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[async_trait]
impl SessionStore for SeaOrmStore {
    async fn complete_page(
        &self,
        id: &str,
        sign_in_cookie: &Digest,
        started: &NewSession<'_>,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let row = to_row(started.session)?;
        let transaction = self.begin().await?;
        let removed = interaction::Entity::delete_many()
            .filter(waiting(id, sign_in_cookie, Stage::SignIn, now))
            .exec(&transaction)
            .await?;
        if removed.rows_affected != 1 {
            return Ok(false);
        }
        if let Some(replaced) = started.replaces {
            session::Entity::delete_by_id(replaced.to_text()).exec(&transaction).await?;
        }
        insert(row, &transaction).await?;
        let excess = session::Entity::find().count(&transaction).await?.saturating_sub(started.capacity);
        if excess > 0 {
            let (any, order) = (Expr::value(true), session::Column::ExpiresAt);
            delete_first::<session::Entity>(&transaction, &any, order, excess).await?;
        }
        commit(transaction, confirm).await
    }

    async fn session(&self, cookie: &Digest) -> Result<Option<Session>, StoreError> {
        session::Entity::find_by_id(cookie.to_text()).one(&self.db).await?.map(from_row).transpose()
    }

    async fn touch_session(
        &self,
        cookie: &Digest,
        now: SystemTime,
        expires_at: SystemTime,
    ) -> Result<(), StoreError> {
        session::Entity::update_many()
            .col_expr(session::Column::LastSeenAt, Expr::value(to_millis(now)))
            .col_expr(session::Column::ExpiresAt, Expr::value(to_millis(expires_at)))
            .filter(session::Column::CookieDigest.eq(cookie.to_text()))
            .filter(session::Column::ExpiresAt.gt(to_millis(now)))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    async fn end_session(&self, cookie: &Digest, confirm: Confirm<'_>) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let ended = session::Entity::delete_by_id(cookie.to_text()).exec(&transaction).await?;
        if ended.rows_affected != 1 {
            return Ok(false);
        }
        commit(transaction, confirm).await
    }

    async fn prune_sessions(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError> {
        let ended = session::Column::ExpiresAt;
        delete_first::<session::Entity>(&self.db, &ended.lte(to_millis(now)), ended, batch).await
    }
}

fn to_row(found: &Session) -> Result<session::Model, StoreError> {
    Ok(session::Model {
        cookie_digest: found.cookie.to_text(),
        issuer: found.identity.issuer.clone(),
        subject: found.identity.subject.clone(),
        tenant: found.identity.tenant.clone(),
        display_name: found.identity.display_name.clone(),
        email: found.identity.email.clone(),
        hints: to_json(&found.identity.hints, "session")?,
        identity_source: found.identity_source.clone(),
        upstream_session: found.upstream_session.clone(),
        created_at: to_millis(found.created_at),
        last_seen_at: to_millis(found.last_seen_at),
        expires_at: to_millis(found.expires_at),
    })
}

fn from_row(row: session::Model) -> Result<Session, StoreError> {
    Ok(Session {
        cookie: digest(&row.cookie_digest, "session")?,
        identity: Identity {
            issuer: row.issuer,
            subject: row.subject,
            tenant: row.tenant,
            display_name: row.display_name,
            email: row.email,
            hints: from_json(&row.hints, "session")?,
        },
        identity_source: row.identity_source,
        upstream_session: row.upstream_session,
        created_at: from_millis(row.created_at),
        last_seen_at: from_millis(row.last_seen_at),
        expires_at: from_millis(row.expires_at),
    })
}
