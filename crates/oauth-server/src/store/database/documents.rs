//! Documents.

use std::time::SystemTime;

use async_trait::async_trait;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait};

use super::{SeaOrmStore, commit, delete_first, in_turn, insert};
use crate::{
    clock::{from_millis, to_millis},
    store::{Confirm, DocumentRecord, DocumentStore, StoreError},
};

/// Names the documents' advisory lock among all locks of the database: "oauthdoc" in ASCII.
const DOCUMENT_LOCK: u64 = 0x6f61_7574_6864_6f63;

pub(super) mod document {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "oauth_documents")]
    pub(in crate::store) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(in crate::store) url: String,
        #[sea_orm(column_type = "Text")]
        pub(in crate::store) body: String,
        pub(in crate::store) fetched_at: i64,
        pub(in crate::store) fresh_until: i64,
        pub(in crate::store) expires_at: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(in crate::store) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[async_trait]
impl DocumentStore for SeaOrmStore {
    async fn document(&self, url: &str) -> Result<Option<DocumentRecord>, StoreError> {
        Ok(document::Entity::find_by_id(url).one(&self.db).await?.map(from_row))
    }

    async fn keep_document(
        &self,
        document: &DocumentRecord,
        capacity: u64,
        confirm: Confirm<'_>,
    ) -> Result<bool, StoreError> {
        let row = to_row(document);
        let transaction = self.begin().await?;
        in_turn(&transaction, DOCUMENT_LOCK).await?;
        match document::Entity::find_by_id(&document.url).one(&transaction).await? {
            Some(kept) if kept.fetched_at >= row.fetched_at => return Ok(true),
            Some(_) => {
                row.into_active_model().reset_all().update(&transaction).await?;
            }
            None if document::Entity::find().count(&transaction).await? >= capacity => return Ok(false),
            None => insert(row, &transaction).await?,
        }
        commit(transaction, confirm).await
    }

    async fn prune_documents(&self, now: SystemTime, batch: u64) -> Result<u64, StoreError> {
        let ended = document::Column::ExpiresAt;
        delete_first::<document::Entity>(&self.db, &ended.lte(to_millis(now)), ended, batch).await
    }
}

fn to_row(document: &DocumentRecord) -> document::Model {
    document::Model {
        url: document.url.clone(),
        body: document.body.clone(),
        fetched_at: to_millis(document.fetched_at),
        fresh_until: to_millis(document.fresh_until),
        expires_at: to_millis(document.expires_at),
    }
}

fn from_row(row: document::Model) -> DocumentRecord {
    DocumentRecord {
        url: row.url,
        body: row.body,
        fetched_at: from_millis(row.fetched_at),
        fresh_until: from_millis(row.fresh_until),
        expires_at: from_millis(row.expires_at),
    }
}
