//! The newest mapping at hand, with a store that can be told to fail and a time that is told.
#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use role_mapper::{
    DEFAULT_MAX_AGE, DenyReason, Loaded, MappingDocument, MappingSnapshots, MappingStore, Query,
    RefreshError, RoleDecision, Row, RowKey, StoreError, TooOld, WriteError, decide,
};
use serde_json::json;

/// Answers what it is told to, and counts.
#[derive(Default)]
struct Scripted {
    rows: Mutex<Loaded>,
    is_down: Mutex<bool>,
    loads: AtomicUsize,
}

impl Scripted {
    fn set(&self, version: u64, tenant: &str) {
        let document = json!({
            "tenants": [{"id": tenant, "name": "T", "admit_unknown_subjects": true}],
            "roles": [{"tenant": tenant, "name": "r", "role_arn": "arn:aws:iam::111122223333:role/r"}],
            "rules": [{"id": 1, "tenant": tenant, "role": "r"}],
        });
        let document: MappingDocument = serde_json::from_value(document).unwrap();
        *self.rows.lock().unwrap() = Loaded { document, unreadable: Vec::new(), version };
    }

    fn is_down(&self, is_down: bool) {
        *self.is_down.lock().unwrap() = is_down;
    }

    fn answer(&self) -> Result<Loaded, StoreError> {
        if *self.is_down.lock().unwrap() {
            return Err(StoreError::Unavailable("refused".into()));
        }
        Ok(self.rows.lock().unwrap().clone())
    }
}

#[async_trait]
impl MappingStore for Scripted {
    async fn version(&self) -> Result<u64, StoreError> {
        Ok(self.answer()?.version)
    }

    async fn load(&self) -> Result<Loaded, StoreError> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        self.answer()
    }

    async fn import(&self, _: MappingDocument) -> Result<u64, WriteError> {
        unreachable!("nothing is written here")
    }

    async fn put(&self, _: Row) -> Result<u64, WriteError> {
        unreachable!("nothing is written here")
    }

    async fn remove(&self, _: RowKey) -> Result<u64, WriteError> {
        unreachable!("nothing is written here")
    }
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
}

async fn started(version: u64, tenant: &str) -> (Arc<Scripted>, MappingSnapshots) {
    let store = Arc::new(Scripted::default());
    store.set(version, tenant);
    let snapshots = MappingSnapshots::load(store.clone(), DEFAULT_MAX_AGE, at(0)).await.unwrap();
    (store, snapshots)
}

/// The version in force, and whether it serves a tenant.
fn serves(snapshots: &MappingSnapshots, tenant: &str, now: SystemTime) -> Result<(u64, bool), TooOld> {
    let current = snapshots.current(now)?;
    let claims = serde_json::Map::new();
    let query =
        Query { issuer: "i", subject: "s", tenant: Some(tenant), claims: &claims, service: "platform" };
    let decision = decide(&current.mapping, &query);
    assert!(matches!(&decision, RoleDecision::Grant(_) | RoleDecision::Deny(DenyReason::UnknownTenant)));
    Ok((current.version, matches!(decision, RoleDecision::Grant(_))))
}

#[tokio::test]
async fn without_a_first_answer_there_is_no_mapping() {
    let store = Arc::new(Scripted::default());
    store.is_down(true);
    let failure = MappingSnapshots::load(store, DEFAULT_MAX_AGE, at(0)).await.unwrap_err();
    assert!(failure.is_transient());
}

#[tokio::test]
async fn rows_are_loaded_only_when_the_version_changed() {
    let (store, snapshots) = started(4, "acme").await;
    assert!(!snapshots.refresh(at(1)).await.unwrap());
    assert!(!snapshots.refresh(at(2)).await.unwrap());
    assert_eq!(store.loads.load(Ordering::Relaxed), 1);
    assert_eq!(snapshots.current(at(2)).unwrap().loaded_at, at(0));
    let held = snapshots.current(at(2)).unwrap();
    store.set(5, "globex");
    assert!(snapshots.refresh(at(3)).await.unwrap());
    assert_eq!(store.loads.load(Ordering::Relaxed), 2);
    assert_eq!(serves(&snapshots, "globex", at(3)), Ok((5, true)));
    assert_eq!(serves(&snapshots, "acme", at(3)), Ok((5, false)));
    assert_eq!(snapshots.current(at(3)).unwrap().loaded_at, at(3));
    // Who took the old one out keeps it.
    assert_eq!(held.version, 4);
}

#[tokio::test]
async fn an_outage_is_bridged_up_to_the_maximum_age_and_not_a_moment_longer() {
    let (store, snapshots) = started(1, "acme").await;
    snapshots.refresh(at(10)).await.unwrap();
    store.is_down(true);
    for seconds in [11, 100, 310] {
        assert!(matches!(snapshots.refresh(at(seconds)).await, Err(RefreshError::Store(_))));
        assert_eq!(serves(&snapshots, "acme", at(seconds)), Ok((1, true)), "{seconds}");
    }
    let late = at(310) + Duration::from_millis(1);
    let age = Duration::from_millis(300_001);
    let too_old = snapshots.current(late).unwrap_err();
    assert_eq!(too_old, TooOld { age, max_age: DEFAULT_MAX_AGE });
    assert_eq!(too_old.to_string(), "the mapping was last confirmed 300 s ago, more than the 300 s allowed");
    // Back again: the version alone confirms what is at hand.
    store.is_down(false);
    assert!(!snapshots.refresh(at(1000)).await.unwrap());
    assert_eq!(serves(&snapshots, "acme", at(1000)), Ok((1, true)));
}

#[tokio::test]
async fn a_change_during_an_outage_arrives_after_it() {
    let (store, snapshots) = started(1, "acme").await;
    store.is_down(true);
    store.set(2, "globex");
    snapshots.refresh(at(1)).await.unwrap_err();
    assert_eq!(serves(&snapshots, "acme", at(1)), Ok((1, true)));
    store.is_down(false);
    assert!(snapshots.refresh(at(2)).await.unwrap());
    assert_eq!(serves(&snapshots, "acme", at(2)), Ok((2, false)));
}

/// A database restored from a backup must not bring back what was revoked since (SEC-65).
/// SEC-65: an older mapping restored under a running process -> it is not taken
#[tokio::test]
async fn a_version_never_goes_backwards() {
    let (store, snapshots) = started(9, "acme").await;
    store.set(7, "revoked");
    let refused = snapshots.refresh(at(1)).await.unwrap_err();
    assert!(matches!(refused, RefreshError::WentBackwards { held: 9, found: 7 }), "{refused}");
    assert_eq!(serves(&snapshots, "revoked", at(1)), Ok((9, false)));
    // Writes bring the number back to where it was: the rows are others than those in force, so it is not believed.
    store.set(9, "revoked");
    let refused = snapshots.refresh(at(2)).await.unwrap_err();
    assert!(matches!(refused, RefreshError::WentBackwards { held: 9, found: 9 }), "{refused}");
    assert_eq!(serves(&snapshots, "revoked", at(2)), Ok((9, false)));
    assert!(snapshots.current(at(301)).is_err(), "nothing confirmed it since");
    // Beyond it, the number means something again.
    store.set(10, "globex");
    assert!(snapshots.refresh(at(302)).await.unwrap());
    assert_eq!(serves(&snapshots, "globex", at(302)), Ok((10, true)));
    assert!(!snapshots.refresh(at(303)).await.unwrap());
}

/// SEC-66: the clock jumps either way -> the age of the mapping is unknown, and it is read anew
#[tokio::test]
async fn a_step_of_the_clock_is_not_an_endless_age() {
    let (_, snapshots) = started(1, "acme").await;
    let back = at(0) - Duration::from_hours(1);
    assert_eq!(serves(&snapshots, "acme", at(0) - Duration::from_mins(5)), Ok((1, true)));
    assert!(snapshots.current(back).is_err());
    snapshots.refresh(back).await.unwrap();
    assert_eq!(serves(&snapshots, "acme", back), Ok((1, true)));
    assert!(snapshots.current(SystemTime::UNIX_EPOCH - Duration::from_hours(1)).is_err());
}

#[tokio::test]
async fn a_broken_row_disables_its_tenant_and_no_refresh() {
    let (store, snapshots) = started(1, "acme").await;
    store.set(2, "acme");
    store.rows.lock().unwrap().document.roles[0].role_arn = "oops".into();
    assert!(snapshots.refresh(at(1)).await.unwrap());
    let current = snapshots.current(at(1)).unwrap();
    let claims = serde_json::Map::new();
    let query =
        Query { issuer: "i", subject: "s", tenant: Some("acme"), claims: &claims, service: "platform" };
    assert_eq!(decide(&current.mapping, &query), RoleDecision::Deny(DenyReason::TenantBroken));
    assert_eq!(current.mapping.problems().len(), 1);
}

#[tokio::test]
async fn refreshes_at_once_load_once() {
    let (store, snapshots) = started(1, "acme").await;
    store.set(2, "acme");
    let (one, two) = tokio::join!(snapshots.refresh(at(1)), snapshots.refresh(at(1)));
    assert_ne!(one.unwrap(), two.unwrap());
    assert_eq!(store.loads.load(Ordering::Relaxed), 2);
}
