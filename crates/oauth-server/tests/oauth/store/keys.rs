//! What every store promises about signing keys.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use oauth_server::{
    KeyRing, KeySettings,
    keys::KeyTimes,
    seal::Sealing,
    store::{SeaOrmStore, SigningKeyRecord, Store, StoreError},
};
use pg_fixture::PgCluster;
use sea_orm::{ConnectionTrait as _, Statement};
use sea_orm_migration::MigratorTrait as _;
use secrecy::{ExposeSecret as _, SecretSlice};

use super::{MINUTE, no, now, yes};
use crate::support::{Migrator, connect, sqlite};

fn key(sequence: u64) -> SigningKeyRecord {
    let times = KeyTimes { sequence, created_at: now(), activates_at: now() + MINUTE, revoked_at: None };
    let wrapped = SecretSlice::from(vec![0, sequence.to_le_bytes()[0], 255]);
    SigningKeyRecord {
        kid: format!("{sequence}-{}", wrapped.expose_secret().len()),
        algorithm: "ES256".into(),
        wrapped,
        times,
    }
}

/// Everything about the keys, comparable.
async fn kept_keys(store: &dyn Store) -> Vec<(String, Vec<u8>, KeyTimes)> {
    let keys = store.signing_keys().await.unwrap();
    keys.into_iter().map(|key| (key.kid, key.wrapped.expose_secret().to_vec(), key.times)).collect()
}

pub(super) async fn rows(store: &dyn Store) {
    let refused = |result: &Result<bool, StoreError>| matches!(result, Err(StoreError::NotRecorded(_)));
    assert!(refused(&store.insert_signing_key(&key(1), &no).await));
    assert!(kept_keys(store).await.is_empty());
    for sequence in [2, 1] {
        assert!(store.insert_signing_key(&key(sequence), &yes).await.unwrap());
    }
    let other = SigningKeyRecord { kid: "other".into(), ..key(2) };
    assert!(!store.insert_signing_key(&other, &yes).await.unwrap(), "the place is taken");
    let sequences: Vec<u64> = kept_keys(store).await.iter().map(|(_, _, times)| times.sequence).collect();
    assert_eq!(sequences, [1, 2], "in the order of their places");

    let (from, to) = (key(2).wrapped, SecretSlice::from(b"sealed".to_vec()));
    assert!(store.reseal_signing_key("2-3", &from, &to).await.unwrap());
    assert!(!store.reseal_signing_key("2-3", &from, &to).await.unwrap(), "it is not as it was read");
    assert_eq!(kept_keys(store).await[1].1, b"sealed");

    let before = kept_keys(store).await;
    assert!(!store.revoke_signing_key("2-3", Some(&other), now(), &yes).await.unwrap(), "no free place");
    assert!(refused(&store.revoke_signing_key("2-3", Some(&key(3)), now(), &no).await));
    assert!(!store.revoke_signing_key("nobody", None, now(), &yes).await.unwrap());
    assert_eq!(kept_keys(store).await, before, "none of that did anything");
    assert!(store.revoke_signing_key("2-3", Some(&key(3)), now(), &yes).await.unwrap());
    assert!(!store.revoke_signing_key("2-3", Some(&key(4)), now(), &yes).await.unwrap(), "only once");
    let after = kept_keys(store).await;
    assert_eq!((&after[1].1, after[1].2.revoked_at), (&vec![], Some(now())), "nothing is left of it");
    assert_eq!(after.len(), 3);
    store.delete_signing_keys(&[1, 3]).await.unwrap();
    assert_eq!(kept_keys(store).await.len(), 1);
    store.delete_signing_keys(&[2]).await.unwrap();
}

async fn ring(store: &dyn Store, at: SystemTime) -> KeyRing {
    let settings = KeySettings::default();
    KeyRing::load(store, settings, Sealing::unsealed(), &|_| Ok(()), at).await.unwrap()
}

/// Replicas that start, and rotate, at the same moment end with one key each time, and the same for all.
pub(super) async fn rings(store: &dyn Store) {
    let rings = futures_util::future::join_all((0..8).map(|_| ring(store, now()))).await;
    let old = now() + Duration::from_hours(90 * 24);
    for (at, count) in [(now(), 1), (old, 2), (old, 2), (old + 11 * MINUTE, 2), (old + 100 * MINUTE, 1)] {
        let refreshes = rings.iter().map(|ring| ring.refresh(store, &|_| Ok(()), at));
        futures_util::future::join_all(refreshes).await.into_iter().for_each(|done| done.unwrap());
        let sets: BTreeSet<String> = rings.iter().map(|ring| ring.jwks_json(at)).collect();
        assert_eq!(sets.len(), 1, "all publish the same at {at:?}");
        assert_eq!(sets.first().unwrap().matches("\"kid\"").count(), count, "at {at:?}");
    }
    assert_eq!(store.signing_keys().await.unwrap().len(), 2);
    let later = old + Duration::from_hours(30);
    rings[0].refresh(store, &|_| Ok(()), later).await.unwrap();
    assert_eq!(store.signing_keys().await.unwrap().len(), 1, "the first one is forgotten");
}

#[tokio::test]
async fn former_signing_keys_take_their_places_and_go_back() {
    let cluster = PgCluster::start();
    let (_directory, sqlite) = sqlite();
    let before =
        Migrator::migrations().iter().position(|found| found.name() == "oauth_0003_key_ring").unwrap();
    let former = "INSERT INTO oauth_signing_keys (kid, algorithm, current_for, wrapped, created_at) \
                  VALUES ('b', 'EdDSA', 'EdDSA', 'two', 2000), ('a', 'ES256', 'ES256', 'one', 1000)";
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    for url in [sqlite, cluster.create_database()] {
        let db = connect(&url).await;
        Migrator::up(&db, Some(u32::try_from(before).unwrap())).await.unwrap();
        db.execute_unprepared(former).await.unwrap();
        for _ in 0..2 {
            Migrator::up(&db, Some(1)).await.unwrap();
            let kept = kept_keys(&SeaOrmStore::new(db.clone())).await;
            let times = |sequence| KeyTimes {
                sequence,
                created_at: at(sequence),
                activates_at: at(sequence),
                revoked_at: None,
            };
            assert_eq!(kept[0], ("a".to_owned(), b"one".to_vec(), times(1)));
            assert_eq!(kept[1], ("b".to_owned(), b"two".to_vec(), times(2)));
            Migrator::down(&db, Some(1)).await.unwrap();
            let current = "SELECT kid FROM oauth_signing_keys WHERE current_for = algorithm";
            let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), current)).await;
            assert_eq!(rows.unwrap().len(), 2);
        }
    }
}
