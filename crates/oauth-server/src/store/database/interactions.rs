//! Interactions.

use std::time::SystemTime;

use async_trait::async_trait;
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, sea_query::Expr};

use super::{SeaOrmStore, clients, commit, delete_first, digest, from_json, grants, insert, to_json};
use crate::{
    clock::{from_millis, to_millis},
    random::Digest,
    store::{Code, Confirm, Grant, Interaction, InteractionStore, Stage, StoreError},
};

const CONSENT: &str = "consent";
const SIGN_IN: &str = "sign_in";

pub(super) mod interaction {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "oauth_interactions")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) id: String,
        pub(in crate::store) stage: String,
        pub(in crate::store) cookie_digest: String,
        #[sea_orm(column_type = "Text")]
        pub(in crate::store) purpose: String,
        pub(in crate::store) created_at: i64,
        pub(in crate::store) expires_at: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(in crate::store) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[async_trait]
impl InteractionStore for SeaOrmStore {
    async fn insert_interaction(&self, interaction: &Interaction, capacity: u64) -> Result<(), StoreError> {
        insert(to_row(interaction)?, &self.db).await?;
        let excess = interaction::Entity::find().count(&self.db).await?.saturating_sub(capacity);
        if excess > 0 {
            let (any, order) = (Expr::value(true), interaction::Column::ExpiresAt);
            delete_first::<interaction::Entity>(&self.db, &any, order, excess).await?;
        }
        Ok(())
    }

    async fn interaction(&self, id: &str) -> Result<Option<Interaction>, StoreError> {
        interaction::Entity::find_by_id(id).one(&self.db).await?.map(from_row).transpose()
    }

    async fn approve_interaction(
        &self,
        id: &str,
        consent_cookie: &Digest,
        sign_in_cookie: &Digest,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let moved = interaction::Entity::update_many()
            .col_expr(interaction::Column::Stage, Expr::value(stage_text(Stage::SignIn)))
            .col_expr(interaction::Column::CookieDigest, Expr::value(sign_in_cookie.to_text()))
            .filter(waiting(id, consent_cookie, Stage::Consent, now))
            .exec(&transaction)
            .await?;
        if moved.rows_affected != 1 {
            return Ok(false);
        }
        commit(transaction, confirm).await
    }

    async fn cancel_interaction(
        &self,
        id: &str,
        cookie: &Digest,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let removed = interaction::Entity::delete_many()
            .filter(interaction::Column::Id.eq(id))
            .filter(interaction::Column::CookieDigest.eq(cookie.to_text()))
            .exec(&transaction)
            .await?;
        if removed.rows_affected != 1 {
            return Ok(false);
        }
        commit(transaction, confirm).await
    }

    async fn complete_interaction(
        &self,
        id: &str,
        sign_in_cookie: &Digest,
        grant: &Grant,
        code: &Code,
        now: SystemTime,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let grant_row = grants::grant_row(grant)?;
        let transaction = self.begin().await?;
        let removed = interaction::Entity::delete_many()
            .filter(waiting(id, sign_in_cookie, Stage::SignIn, now))
            .exec(&transaction)
            .await?;
        if removed.rows_affected != 1 {
            return Ok(false);
        }
        insert(grant_row, &transaction).await?;
        insert(grants::code_row(code), &transaction).await?;
        clients::mark_used(&grant.client_id, now, &transaction).await?;
        commit(transaction, confirm).await
    }

    async fn prune_interactions(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError> {
        let ended = interaction::Column::ExpiresAt;
        delete_first::<interaction::Entity>(&self.db, &ended.lte(to_millis(now)), ended, batch).await
    }
}

/// The interaction `id`, unexpired, in this stage and bound to this cookie.
pub(super) fn waiting(id: &str, cookie: &Digest, stage: Stage, now: SystemTime) -> Condition {
    Condition::all()
        .add(interaction::Column::Id.eq(id))
        .add(interaction::Column::CookieDigest.eq(cookie.to_text()))
        .add(interaction::Column::Stage.eq(stage_text(stage)))
        .add(interaction::Column::ExpiresAt.gt(to_millis(now)))
}

/// How a stage is written.
fn stage_text(stage: Stage) -> &'static str {
    match stage {
        Stage::Consent => CONSENT,
        Stage::SignIn => SIGN_IN,
    }
}

fn to_row(found: &Interaction) -> Result<interaction::Model, StoreError> {
    Ok(interaction::Model {
        id: found.id.clone(),
        stage: stage_text(found.stage).to_owned(),
        cookie_digest: found.cookie.to_text(),
        purpose: to_json(&found.purpose, "interaction")?,
        created_at: to_millis(found.created_at),
        expires_at: to_millis(found.expires_at),
    })
}

fn from_row(row: interaction::Model) -> Result<Interaction, StoreError> {
    let stage = match row.stage.as_str() {
        CONSENT => Stage::Consent,
        SIGN_IN => Stage::SignIn,
        _ => return Err(StoreError::Corrupt { what: "interaction" }),
    };
    Ok(Interaction {
        id: row.id,
        stage,
        cookie: digest(&row.cookie_digest, "interaction")?,
        purpose: from_json(&row.purpose, "interaction")?,
        created_at: from_millis(row.created_at),
        expires_at: from_millis(row.expires_at),
    })
}
