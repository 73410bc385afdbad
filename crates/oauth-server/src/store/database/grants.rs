//! Grants, codes and refresh tokens.

use std::time::SystemTime;

use async_trait::async_trait;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, ExprTrait, QueryFilter,
    QueryOrder, QuerySelect,
    sea_query::{Expr, Query},
};

use super::{SeaOrmStore, commit, delete_first, digest, from_json, insert, one_time::use_in, to_json};
use crate::{
    clock::{after, before, from_millis, to_millis},
    identity::Identity,
    random::Digest,
    store::{
        Code, Confirm, Grant, GrantKind, GrantStore, Person, Position, RETENTION, RefreshToken,
        SHORT_RETENTION, StoreError, USED_RETENTION, UsedAssertion,
    },
};

pub(super) mod grant {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "oauth_grants")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) id: String,
        pub(in crate::store) client_id: String,
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
        #[sea_orm(column_type = "Text")]
        pub(in crate::store) resource: String,
        #[sea_orm(column_type = "Text")]
        pub(in crate::store) scope: String,
        pub(in crate::store) authenticated_at: i64,
        pub(in crate::store) expires_at: i64,
        pub(in crate::store) revoked_at: Option<i64>,
        pub(in crate::store) kind: String,
        pub(in crate::store) last_used_at: Option<i64>,
        pub(in crate::store) dpop_jkt: Option<String>,
        #[sea_orm(column_type = "Text", nullable)]
        pub(in crate::store) device: Option<String>,
        #[sea_orm(column_type = "Text", nullable)]
        pub(in crate::store) upstream_session: Option<String>,
        pub(in crate::store) client_fingerprint: Option<String>,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(in crate::store) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod code {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "oauth_codes")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) digest: String,
        pub(in crate::store) grant_id: String,
        #[sea_orm(column_type = "Text", nullable)]
        pub(in crate::store) redirect_uri: Option<String>,
        pub(in crate::store) code_challenge: String,
        pub(in crate::store) dpop_jkt: Option<String>,
        #[sea_orm(column_type = "Text", nullable)]
        pub(in crate::store) nonce: Option<String>,
        pub(in crate::store) expires_at: i64,
        pub(in crate::store) used_at: Option<i64>,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(in crate::store) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod refresh_token {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "oauth_refresh_tokens")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) digest: String,
        pub(in crate::store) grant_id: String,
        pub(in crate::store) expires_at: i64,
        pub(in crate::store) used_at: Option<i64>,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(in crate::store) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[async_trait]
impl GrantStore for SeaOrmStore {
    async fn grant(&self, id: &str) -> Result<Option<Grant>, StoreError> {
        grant::Entity::find_by_id(id).one(&self.db).await?.map(grant_of).transpose()
    }

    async fn insert_grant(
        &self,
        grant: &Grant,
        assertion: Option<&UsedAssertion>,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        if let Some(UsedAssertion { key, expires_at }) = assertion
            && !use_in(&transaction, key, *expires_at, now).await?
        {
            return Ok(false);
        }
        insert(grant_row(grant)?, &transaction).await?;
        commit(transaction, confirm).await
    }

    async fn code(&self, digest: &Digest) -> Result<Option<(Code, Grant)>, StoreError> {
        let Some(row) = code::Entity::find_by_id(digest.to_text()).one(&self.db).await? else {
            return Ok(None);
        };
        let grant = grant::Entity::find_by_id(row.grant_id.as_str()).one(&self.db).await?;
        let Some(grant) = grant else { return Ok(None) };
        Ok(Some((code_of(row)?, grant_of(grant)?)))
    }

    async fn redeem_code(
        &self,
        digest: &Digest,
        refresh_token: Option<&RefreshToken>,
        dpop_jkt: Option<&str>,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let used = code::Entity::update_many()
            .col_expr(code::Column::UsedAt, Expr::value(to_millis(now)))
            .filter(code::Column::Digest.eq(digest.to_text()))
            .filter(code::Column::UsedAt.is_null())
            .filter(code::Column::ExpiresAt.gt(to_millis(now)))
            .exec(&transaction)
            .await?;
        let of_code = Query::select()
            .column(code::Column::GrantId)
            .from(code::Entity)
            .and_where(code::Column::Digest.eq(digest.to_text()))
            .to_owned();
        let grant = grant::Column::Id.in_subquery(of_code);
        if used.rows_affected != 1 || !use_grant(grant, dpop_jkt, now, &transaction).await? {
            return Ok(false);
        }
        if let Some(token) = refresh_token {
            insert(refresh_token_row(token), &transaction).await?;
        }
        commit(transaction, confirm).await
    }

    async fn refresh_token(&self, digest: &Digest) -> Result<Option<(RefreshToken, Grant)>, StoreError> {
        let Some(row) = refresh_token::Entity::find_by_id(digest.to_text()).one(&self.db).await? else {
            return Ok(None);
        };
        let grant = grant::Entity::find_by_id(row.grant_id.as_str()).one(&self.db).await?;
        let Some(grant) = grant else { return Ok(None) };
        Ok(Some((refresh_token_of(row)?, grant_of(grant)?)))
    }

    async fn rotate_refresh_token(
        &self,
        digest: &Digest,
        successor: &RefreshToken,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let used = refresh_token::Entity::update_many()
            .col_expr(refresh_token::Column::UsedAt, Expr::value(to_millis(now)))
            .col_expr(refresh_token::Column::ExpiresAt, Expr::value(to_millis(after(now, USED_RETENTION))))
            .filter(refresh_token::Column::Digest.eq(digest.to_text()))
            .filter(refresh_token::Column::GrantId.eq(successor.grant_id.as_str()))
            .filter(refresh_token::Column::UsedAt.is_null())
            .filter(refresh_token::Column::ExpiresAt.gt(to_millis(now)))
            .exec(&transaction)
            .await?;
        let grant = grant::Column::Id.eq(successor.grant_id.as_str());
        if used.rows_affected != 1 || !use_grant(grant, None, now, &transaction).await? {
            return Ok(false);
        }
        insert(refresh_token_row(successor), &transaction).await?;
        commit(transaction, confirm).await
    }

    async fn revoke_grant(&self, id: &str, now: SystemTime) -> Result<bool, StoreError> {
        let revoked = grant::Entity::update_many()
            .col_expr(grant::Column::RevokedAt, Expr::value(to_millis(now)))
            .filter(grant::Column::Id.eq(id))
            .filter(grant::Column::RevokedAt.is_null())
            .exec(&self.db)
            .await?;
        Ok(revoked.rows_affected == 1)
    }

    async fn grants_of(
        &self,
        person: Person<'_>,
        after: Option<&Position>,
        limit: u64,
        now: SystemTime,
    ) -> Result<Vec<Grant>, StoreError> {
        let (at, id) = (grant::Column::AuthenticatedAt, grant::Column::Id);
        let mut own = grant::Entity::find().filter(own(person, now));
        if let Some(after) = after {
            let millis = to_millis(after.authenticated_at);
            let later = at.lt(millis).or(at.eq(millis).and(id.lt(after.id.as_str())));
            own = own.filter(later);
        }
        let rows = own.order_by_desc(at).order_by_desc(id).limit(limit).all(&self.db).await?;
        rows.into_iter().map(grant_of).collect()
    }

    async fn revoke_grant_of(
        &self,
        person: Person<'_>,
        id: &str,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<Option<Grant>, StoreError> {
        let transaction = self.begin().await?;
        let revoked = grant::Entity::update_many()
            .col_expr(grant::Column::RevokedAt, Expr::value(to_millis(now)))
            .filter(grant::Column::Id.eq(id))
            .filter(own(person, now))
            .exec(&transaction)
            .await?;
        if revoked.rows_affected != 1 {
            return Ok(None);
        }
        let grant = grant::Entity::find_by_id(id).one(&transaction).await?.map(grant_of).transpose()?;
        commit(transaction, confirm).await?;
        Ok(grant)
    }

    async fn revoke_grants_of(
        &self,
        person: Person<'_>,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<Vec<String>, StoreError> {
        let transaction = self.begin().await?;
        grant::Entity::update_many()
            .col_expr(grant::Column::RevokedAt, Expr::value(to_millis(now)))
            .filter(own(person, now))
            .exec(&transaction)
            .await?;
        // What somebody else revoked in the same millisecond may be among them: it is revoked all the same.
        let revoked = grant::Entity::find()
            .filter(grant::Column::Issuer.eq(person.issuer))
            .filter(grant::Column::Subject.eq(person.subject))
            .filter(grant::Column::RevokedAt.eq(to_millis(now)));
        let revoked = ids(revoked, &transaction).await?;
        commit(transaction, confirm).await?;
        Ok(revoked)
    }

    async fn revoke_grants(
        &self,
        before: SystemTime,
        now: SystemTime,
        batch: u64,
    ) -> Result<u64, StoreError> {
        let first = Query::select()
            .column(grant::Column::Id)
            .from(grant::Entity)
            .and_where(grant::Column::RevokedAt.is_null())
            .and_where(grant::Column::ExpiresAt.gt(to_millis(now)))
            .and_where(grant::Column::AuthenticatedAt.lt(to_millis(before)))
            .limit(batch)
            .to_owned();
        let revoked = grant::Entity::update_many()
            .col_expr(grant::Column::RevokedAt, Expr::value(to_millis(now)))
            .filter(grant::Column::Id.in_subquery(first))
            .filter(grant::Column::RevokedAt.is_null())
            .exec(&self.db)
            .await?;
        Ok(revoked.rows_affected)
    }

    async fn revoked_since(&self, since: SystemTime) -> Result<Vec<String>, StoreError> {
        let revoked = grant::Entity::find().filter(grant::Column::RevokedAt.gte(to_millis(since)));
        Ok(ids(revoked, &self.db).await?)
    }

    async fn prune_grants(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError> {
        let [retained, short] = [RETENTION, SHORT_RETENTION].map(|kept| to_millis(before(now, kept)));
        let now = to_millis(now);
        let ended = code::Column::ExpiresAt;
        let mut deleted = delete_first::<code::Entity>(&self.db, &ended.lte(retained), ended, batch).await?;
        let ended = refresh_token::Column::ExpiresAt;
        deleted += delete_first::<refresh_token::Entity>(&self.db, &ended.lte(now), ended, batch).await?;
        let ended = grant::Column::ExpiresAt;
        deleted += delete_first::<grant::Entity>(&self.db, &ended.lte(retained), ended, batch).await?;
        let kinds = GrantKind::OF_ONE_TOKEN.iter().map(|kind| to_json(kind, "grant"));
        let of_one_token = grant::Column::Kind.is_in(kinds.collect::<Result<Vec<_>, _>>()?);
        let over = ended.lte(short).and(of_one_token);
        deleted += delete_first::<grant::Entity>(&self.db, &over, ended, batch).await?;
        Ok(deleted)
    }
}

/// Marks a grant as used, and binds it to a key if there is one, if it is in force. On PostgreSQL this waits for a revocation that is about to be committed, and
/// then looks again.
pub(super) async fn use_grant(
    grant: Expr,
    dpop_jkt: Option<&str>,
    now: SystemTime,
    transaction: &DatabaseTransaction,
) -> Result<bool, StoreError> {
    let mut used = grant::Entity::update_many();
    if let Some(jkt) = dpop_jkt {
        used = used.col_expr(grant::Column::DpopJkt, Expr::value(jkt));
    }
    let used = used
        .col_expr(grant::Column::LastUsedAt, Expr::value(to_millis(now)))
        .filter(grant)
        .filter(grant::Column::RevokedAt.is_null())
        .filter(grant::Column::ExpiresAt.gt(to_millis(now)))
        .exec(transaction)
        .await?;
    Ok(used.rows_affected == 1)
}

/// What is in force of a person's grants.
fn own(person: Person<'_>, now: SystemTime) -> Condition {
    Condition::all()
        .add(grant::Column::Issuer.eq(person.issuer))
        .add(grant::Column::Subject.eq(person.subject))
        .add(grant::Column::RevokedAt.is_null())
        .add(grant::Column::ExpiresAt.gt(to_millis(now)))
}

/// Revokes every grant of a client. Gives those that were in force.
pub(super) async fn revoke_grants_of(
    client_id: &str,
    now: SystemTime,
    transaction: &DatabaseTransaction,
) -> Result<Vec<String>, StoreError> {
    let own = grant::Column::ClientId.eq(client_id);
    grant::Entity::update_many()
        .col_expr(grant::Column::RevokedAt, Expr::value(to_millis(now)))
        .filter(own.clone())
        .filter(grant::Column::RevokedAt.is_null())
        .exec(transaction)
        .await?;
    let revoked = grant::Entity::find().filter(own).filter(grant::Column::RevokedAt.eq(to_millis(now)));
    Ok(ids(revoked, transaction).await?)
}

async fn ids(
    grants: sea_orm::Select<grant::Entity>,
    db: &impl ConnectionTrait,
) -> Result<Vec<String>, DbErr> {
    grants.select_only().column(grant::Column::Id).into_tuple().all(db).await
}

pub(super) fn grant_row(grant: &Grant) -> Result<grant::Model, StoreError> {
    Ok(grant::Model {
        id: grant.id.clone(),
        client_id: grant.client_id.clone(),
        issuer: grant.identity.issuer.clone(),
        subject: grant.identity.subject.clone(),
        tenant: grant.identity.tenant.clone(),
        display_name: grant.identity.display_name.clone(),
        email: grant.identity.email.clone(),
        hints: to_json(&grant.identity.hints, "grant")?,
        identity_source: grant.identity_source.clone(),
        resource: grant.resource.clone(),
        scope: grant.scope.clone(),
        authenticated_at: to_millis(grant.authenticated_at),
        expires_at: to_millis(grant.expires_at),
        revoked_at: grant.revoked_at.map(to_millis),
        kind: to_json(&grant.kind, "grant")?,
        last_used_at: grant.last_used_at.map(to_millis),
        dpop_jkt: grant.dpop_jkt.clone(),
        device: grant.device.clone(),
        upstream_session: grant.upstream_session.clone(),
        client_fingerprint: grant.client_fingerprint.clone(),
    })
}

pub(super) fn grant_of(row: grant::Model) -> Result<Grant, StoreError> {
    Ok(Grant {
        id: row.id,
        client_id: row.client_id,
        identity: Identity {
            issuer: row.issuer,
            subject: row.subject,
            tenant: row.tenant,
            display_name: row.display_name,
            email: row.email,
            hints: from_json(&row.hints, "grant")?,
        },
        identity_source: row.identity_source,
        resource: row.resource,
        scope: row.scope,
        authenticated_at: from_millis(row.authenticated_at),
        expires_at: from_millis(row.expires_at),
        revoked_at: row.revoked_at.map(from_millis),
        kind: from_json(&row.kind, "grant")?,
        last_used_at: row.last_used_at.map(from_millis),
        dpop_jkt: row.dpop_jkt,
        device: row.device,
        upstream_session: row.upstream_session,
        client_fingerprint: row.client_fingerprint,
    })
}

pub(super) fn code_row(code: &Code) -> code::Model {
    code::Model {
        digest: code.digest.to_text(),
        grant_id: code.grant_id.clone(),
        redirect_uri: code.redirect_uri.clone(),
        code_challenge: code.code_challenge.clone(),
        dpop_jkt: code.dpop_jkt.clone(),
        nonce: code.nonce.clone(),
        expires_at: to_millis(code.expires_at),
        used_at: code.used_at.map(to_millis),
    }
}

fn code_of(row: code::Model) -> Result<Code, StoreError> {
    Ok(Code {
        digest: digest(&row.digest, "code")?,
        grant_id: row.grant_id,
        redirect_uri: row.redirect_uri,
        code_challenge: row.code_challenge,
        dpop_jkt: row.dpop_jkt,
        nonce: row.nonce,
        expires_at: from_millis(row.expires_at),
        used_at: row.used_at.map(from_millis),
    })
}

pub(super) fn refresh_token_row(token: &RefreshToken) -> refresh_token::Model {
    refresh_token::Model {
        digest: token.digest.to_text(),
        grant_id: token.grant_id.clone(),
        expires_at: to_millis(token.expires_at),
        used_at: token.used_at.map(to_millis),
    }
}

fn refresh_token_of(row: refresh_token::Model) -> Result<RefreshToken, StoreError> {
    Ok(RefreshToken {
        digest: digest(&row.digest, "refresh token")?,
        grant_id: row.grant_id,
        expires_at: from_millis(row.expires_at),
        used_at: row.used_at.map(from_millis),
    })
}
