//! Grants of a single token, from an assertion or from nothing but the client.

use oauth_server::store::{Grant, GrantKind, Store, StoreError, UsedAssertion};

use super::{MINUTE, digest, grant, no, now, yes};

pub(super) async fn suite(store: &dyn Store) {
    assert_eq!(store.grant("own").await.unwrap(), None);
    let own = Grant { kind: GrantKind::ClientCredentials, expires_at: now() + MINUTE, ..grant("own") };
    assert!(store.insert_grant(&own, None, now(), &yes).await.unwrap());
    assert_eq!(store.grant("own").await.unwrap(), Some(own));
    assert_eq!(store.grant("m").await.unwrap().unwrap().revoked_at, Some(now()));

    let assertion = UsedAssertion { key: digest("assertion"), expires_at: now() + MINUTE };
    let of = |id: &str, kind| Grant { kind, expires_at: now() + MINUTE, ..grant(id) };
    let (first, second) = (of("first", GrantKind::Workload), of("second", GrantKind::IdentityAssertion));
    let insert = async |grant: &Grant, at| store.insert_grant(grant, Some(&assertion), at, &yes).await;
    let unrecorded = store.insert_grant(&first, Some(&assertion), now(), &no).await;
    assert!(matches!(unrecorded, Err(StoreError::NotRecorded(_))));
    assert_eq!(store.grant("first").await.unwrap(), None);
    assert!(insert(&first, now()).await.unwrap(), "what was not recorded did not use it up");
    assert!(!insert(&second, now()).await.unwrap(), "twice");
    assert!(!store.use_once(&assertion.key, now() + MINUTE, now()).await.unwrap());
    assert_eq!(store.grant("second").await.unwrap(), None);
    let ids: Vec<String> = (0..20).map(|index| format!("at-once{index}")).collect();
    let grants: Vec<Grant> = ids.iter().map(|id| of(id, GrantKind::Workload)).collect();
    let other = UsedAssertion { key: digest("other assertion"), expires_at: now() + MINUTE };
    let inserts = grants.iter().map(|grant| store.insert_grant(grant, Some(&other), now(), &yes));
    let inserted = futures_util::future::join_all(inserts).await;
    assert_eq!(inserted.iter().filter(|kept| *kept.as_ref().unwrap()).count(), 1, "at once");
    assert_eq!(store.prune_one_time(now() + MINUTE, 100).await.unwrap(), 2);

    // Kept a little longer than the token, so that a replica whose clock is behind still sees a revocation.
    let soon = now() + 10 * MINUTE;
    assert_eq!(store.prune_grants(soon, 100).await.unwrap(), 0);
    assert!(store.grant("own").await.unwrap().is_some());
    assert_eq!(store.prune_grants(soon + MINUTE, 1).await.unwrap(), 1, "a batch of one");
    assert_eq!(store.prune_grants(soon + MINUTE, 100).await.unwrap(), 2);
    assert_eq!(store.grant("own").await.unwrap(), None);
    assert!(store.grant("m").await.unwrap().is_some(), "a grant of a person is kept for a day");
}
