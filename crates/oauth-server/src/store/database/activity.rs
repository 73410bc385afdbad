//! Activity.

use std::time::SystemTime;

use async_trait::async_trait;
use sea_orm::{
    ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait as _},
};

use super::{SeaOrmStore, delete_first, from_json, insert, to_json};
use crate::{
    clock::{from_millis, to_millis},
    store::{Activity, ActivityStore, StoreError},
};

pub(super) mod entry {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "oauth_activity")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) id: String,
        #[sea_orm(column_type = "Text")]
        pub(in crate::store) issuer: String,
        #[sea_orm(column_type = "Text")]
        pub(in crate::store) subject: String,
        pub(in crate::store) at: i64,
        pub(in crate::store) kind: String,
        #[sea_orm(column_type = "Text", nullable)]
        pub(in crate::store) client: Option<String>,
        #[sea_orm(column_type = "Text", nullable)]
        pub(in crate::store) device: Option<String>,
        #[sea_orm(column_type = "Text", nullable)]
        pub(in crate::store) network: Option<String>,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(in crate::store) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[async_trait]
impl ActivityStore for SeaOrmStore {
    async fn insert_activity(&self, activity: &Activity, capacity: u64) -> Result<(), StoreError> {
        insert(to_row(activity)?, &self.db).await?;
        let own = of(&activity.issuer, &activity.subject);
        let kept = entry::Entity::find().filter(own.clone()).count(&self.db).await?;
        let excess = kept.saturating_sub(capacity);
        if excess > 0 {
            delete_first::<entry::Entity>(&self.db, &own, entry::Column::At, excess).await?;
        }
        Ok(())
    }

    async fn activity_of(
        &self,
        issuer: &str,
        subject: &str,
        limit: u64,
    ) -> Result<Vec<Activity>, StoreError> {
        let newest = entry::Entity::find()
            .filter(of(issuer, subject))
            .order_by_desc(entry::Column::At)
            .order_by_desc(entry::Column::Id)
            .limit(limit);
        newest.all(&self.db).await?.into_iter().map(from_row).collect()
    }

    async fn prune_activity(&self, before: SystemTime, batch: u64) -> Result<u64, StoreError> {
        let at = entry::Column::At;
        delete_first::<entry::Entity>(&self.db, &at.lt(to_millis(before)), at, batch).await
    }
}

fn of(issuer: &str, subject: &str) -> Expr {
    entry::Column::Issuer.eq(issuer).and(entry::Column::Subject.eq(subject))
}

fn to_row(found: &Activity) -> Result<entry::Model, StoreError> {
    Ok(entry::Model {
        id: found.id.clone(),
        issuer: found.issuer.clone(),
        subject: found.subject.clone(),
        at: to_millis(found.at),
        kind: to_json(&found.kind, "activity")?,
        client: found.client.clone(),
        device: found.device.clone(),
        network: found.network.clone(),
    })
}

fn from_row(row: entry::Model) -> Result<Activity, StoreError> {
    Ok(Activity {
        id: row.id,
        issuer: row.issuer,
        subject: row.subject,
        at: from_millis(row.at),
        kind: from_json(&row.kind, "activity")?,
        client: row.client,
        device: row.device,
        network: row.network,
    })
}
