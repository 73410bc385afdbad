//! Activity in memory.

use std::time::SystemTime;

use async_trait::async_trait;

use super::{MemoryStore, excess, first, remove};
use crate::store::{Activity, ActivityStore, StoreError};

#[async_trait]
impl ActivityStore for MemoryStore {
    async fn insert_activity(&self, activity: &Activity, capacity: u64) -> Result<(), StoreError> {
        let entries = &mut self.tables().activity;
        entries.insert(activity.id.clone(), activity.clone());
        let same = |found: &&Activity| found.issuer == activity.issuer && found.subject == activity.subject;
        let of_person = || entries.values().filter(same).map(|found| (found.at, found.id.clone()));
        for id in first(of_person(), excess(of_person().count(), capacity)) {
            entries.remove(&id);
        }
        Ok(())
    }

    async fn activity_of(
        &self,
        issuer: &str,
        subject: &str,
        limit: u64,
    ) -> Result<Vec<Activity>, StoreError> {
        let tables = self.tables();
        let own = tables.activity.values().filter(|found| found.issuer == issuer && found.subject == subject);
        let mut own: Vec<Activity> = own.cloned().collect();
        own.sort_by(|one, other| (other.at, &other.id).cmp(&(one.at, &one.id)));
        own.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(own)
    }

    async fn prune_activity(&self, before: SystemTime, batch: u64) -> Result<u64, StoreError> {
        Ok(remove(&mut self.tables().activity, batch, |found| found.at < before))
    }
}
