//! Device codes.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, TryInsertResult,
    sea_query::{Expr, Query},
};

use super::{SeaOrmStore, clients, commit, delete_first, digest, grants, in_turn, insert, interactions};
use crate::{
    clock::{from_millis, to_millis},
    random::Digest,
    store::{Confirm, DeviceCode, DeviceState, DeviceStore, Grant, RefreshToken, Stage, StoreError},
};

/// Names the advisory lock of new device codes: "oauthdev" in ASCII.
const DEVICE_LOCK: u64 = 0x6f61_7574_6864_6576;

pub(super) mod device_code {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "oauth_device_codes")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) digest: String,
        #[sea_orm(unique)]
        pub(in crate::store) user_code: String,
        pub(in crate::store) client_id: String,
        #[sea_orm(column_type = "Text")]
        pub(in crate::store) resource: String,
        #[sea_orm(column_type = "Text")]
        pub(in crate::store) scope: String,
        #[sea_orm(column_type = "Text", nullable)]
        pub(in crate::store) requester: Option<String>,
        pub(in crate::store) state: String,
        pub(in crate::store) grant_id: Option<String>,
        pub(in crate::store) interval_seconds: i64,
        pub(in crate::store) polled_at: Option<i64>,
        pub(in crate::store) expires_at: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(in crate::store) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

use device_code::{Column, Entity};

#[async_trait]
impl DeviceStore for SeaOrmStore {
    async fn insert_device(
        &self,
        device: &DeviceCode,
        capacity: u64,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        in_turn(&transaction, DEVICE_LOCK).await?;
        if Entity::find().count(&transaction).await? >= capacity {
            return Ok(false);
        }
        let inserted = Entity::insert(to_row(device).into_active_model().reset_all())
            .on_conflict_do_nothing_on([Column::UserCode])
            .exec_without_returning(&transaction)
            .await?;
        if !matches!(inserted, TryInsertResult::Inserted(1)) {
            return Ok(false);
        }
        commit(transaction, confirm).await
    }

    async fn device_by_user_code(&self, user_code: &Digest) -> Result<Option<DeviceCode>, StoreError> {
        let found = Entity::find().filter(Column::UserCode.eq(user_code.to_text())).one(&self.db).await?;
        found.map(from_row).transpose()
    }

    async fn device(&self, digest: &Digest) -> Result<Option<(DeviceCode, Option<Grant>)>, StoreError> {
        let found = Entity::find_by_id(digest.to_text()).one(&self.db).await?;
        let Some(device) = found.map(from_row).transpose()? else { return Ok(None) };
        let grant = match &device.grant_id {
            Some(id) => grants::grant::Entity::find_by_id(id.as_str()).one(&self.db).await?,
            None => None,
        };
        Ok(Some((device, grant.map(grants::grant_of).transpose()?)))
    }

    async fn note_poll(
        &self,
        digest: &Digest,
        seen: Option<SystemTime>,
        now: SystemTime,
        interval: Duration,
    ) -> Result<bool, StoreError> {
        let unchanged = match seen {
            Some(at) => Column::PolledAt.eq(to_millis(at)),
            None => Column::PolledAt.is_null(),
        };
        let noted = Entity::update_many()
            .col_expr(Column::PolledAt, Expr::value(to_millis(now)))
            .col_expr(Column::IntervalSeconds, Expr::value(seconds(interval)))
            .filter(Column::Digest.eq(digest.to_text()))
            .filter(unchanged)
            .exec(&self.db)
            .await?;
        Ok(noted.rows_affected == 1)
    }

    async fn approve_device(
        &self,
        (id, cookie): (&str, &Digest),
        device: &Digest,
        grant: &Grant,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let removed = interactions::interaction::Entity::delete_many()
            .filter(interactions::waiting(id, cookie, Stage::SignIn, now))
            .exec(&transaction)
            .await?;
        let approved = Entity::update_many()
            .col_expr(Column::State, Expr::value(APPROVED))
            .col_expr(Column::GrantId, Expr::value(grant.id.as_str()))
            .filter(Column::Digest.eq(device.to_text()))
            .filter(Column::State.eq(WAITING))
            .filter(Column::ExpiresAt.gt(to_millis(now)))
            .exec(&transaction)
            .await?;
        if (removed.rows_affected, approved.rows_affected) != (1, 1) {
            return Ok(false);
        }
        insert(grants::grant_row(grant)?, &transaction).await?;
        clients::mark_used(&grant.client_id, now, &transaction).await?;
        commit(transaction, confirm).await
    }

    async fn deny_device(
        &self,
        (id, cookie): (&str, &Digest),
        device: &Digest,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        use interactions::interaction;
        let transaction = self.begin().await?;
        let removed = interaction::Entity::delete_many()
            .filter(interaction::Column::Id.eq(id))
            .filter(interaction::Column::CookieDigest.eq(cookie.to_text()))
            .exec(&transaction)
            .await?;
        let denied = move_on(&transaction, device, WAITING, DENIED).await?;
        if removed.rows_affected != 1 || !denied {
            return Ok(false);
        }
        commit(transaction, confirm).await
    }

    async fn redeem_device(
        &self,
        digest: &Digest,
        refresh_token: Option<&RefreshToken>,
        dpop_jkt: Option<&str>,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let used = Entity::update_many()
            .col_expr(Column::State, Expr::value(USED))
            .filter(Column::Digest.eq(digest.to_text()))
            .filter(Column::State.eq(APPROVED))
            .filter(Column::ExpiresAt.gt(to_millis(now)))
            .exec(&transaction)
            .await?;
        let of_device = Query::select()
            .column(Column::GrantId)
            .from(Entity)
            .and_where(Column::Digest.eq(digest.to_text()))
            .to_owned();
        let grant = grants::grant::Column::Id.in_subquery(of_device);
        if used.rows_affected != 1 || !grants::use_grant(grant, dpop_jkt, now, &transaction).await? {
            return Ok(false);
        }
        if let Some(token) = refresh_token {
            insert(grants::refresh_token_row(token), &transaction).await?;
        }
        commit(transaction, confirm).await
    }

    async fn prune_devices(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError> {
        let ended = Column::ExpiresAt;
        delete_first::<Entity>(&self.db, &ended.lte(to_millis(now)), ended, batch).await
    }
}

async fn move_on(
    transaction: &DatabaseTransaction,
    digest: &Digest,
    from: &'static str,
    to: &'static str,
) -> Result<bool, StoreError> {
    let moved = Entity::update_many()
        .col_expr(Column::State, Expr::value(to))
        .filter(Column::Digest.eq(digest.to_text()))
        .filter(Column::State.eq(from))
        .exec(transaction)
        .await?;
    Ok(moved.rows_affected == 1)
}

const WAITING: &str = "waiting";
const APPROVED: &str = "approved";
const DENIED: &str = "denied";
const USED: &str = "used";

fn state_text(state: DeviceState) -> &'static str {
    match state {
        DeviceState::Waiting => WAITING,
        DeviceState::Approved => APPROVED,
        DeviceState::Denied => DENIED,
        DeviceState::Used => USED,
    }
}

fn seconds(interval: Duration) -> i64 {
    i64::try_from(interval.as_secs()).unwrap_or(i64::MAX)
}

fn to_row(device: &DeviceCode) -> device_code::Model {
    device_code::Model {
        digest: device.digest.to_text(),
        user_code: device.user_code.to_text(),
        client_id: device.client_id.clone(),
        resource: device.resource.clone(),
        scope: device.scope.clone(),
        requester: device.requester.clone(),
        state: state_text(device.state).to_owned(),
        grant_id: device.grant_id.clone(),
        interval_seconds: seconds(device.interval),
        polled_at: device.polled_at.map(to_millis),
        expires_at: to_millis(device.expires_at),
    }
}

fn from_row(row: device_code::Model) -> Result<DeviceCode, StoreError> {
    const WHAT: &str = "device code";
    let state = match row.state.as_str() {
        WAITING => DeviceState::Waiting,
        APPROVED => DeviceState::Approved,
        DENIED => DeviceState::Denied,
        USED => DeviceState::Used,
        _ => return Err(StoreError::Corrupt { what: WHAT }),
    };
    Ok(DeviceCode {
        digest: digest(&row.digest, WHAT)?,
        user_code: digest(&row.user_code, WHAT)?,
        client_id: row.client_id,
        resource: row.resource,
        scope: row.scope,
        requester: row.requester,
        state,
        grant_id: row.grant_id,
        interval: Duration::from_secs(u64::try_from(row.interval_seconds).unwrap_or(0)),
        polled_at: row.polled_at.map(from_millis),
        expires_at: from_millis(row.expires_at),
    })
}
