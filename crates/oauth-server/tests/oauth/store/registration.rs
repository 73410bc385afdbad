//! Clients that are changed and removed, and tokens that let others register.

use oauth_server::store::{Client, ClientAuthentication, Grant, RegistrationToken, Store, StoreError};

use super::{MINUTE, client, digest, grant, no, now, yes};

pub(super) async fn suite(store: &dyn Store) {
    changes(store).await;
    removals(store).await;
    tokens(store).await;
}

async fn changes(store: &dyn Store) {
    // Nobody forgets these: somebody used them.
    for id in ["r1", "r2", "r3"] {
        let used = Client { first_used_at: Some(now()), ..client(id) };
        assert!(store.insert_client(&used, u64::MAX, now(), &yes).await.unwrap());
    }
    let page = async |after, limit| {
        let found = store.clients(after, limit).await.unwrap();
        found.into_iter().map(|client| client.id).collect::<Vec<_>>()
    };
    assert_eq!(page(Some("r"), 2).await, ["r1", "r2"]);
    assert_eq!(page(Some("r2"), 1).await, ["r3"]);
    assert!(page(Some("zzz"), 9).await.is_empty());
    assert_eq!(page(None, 1).await.len(), 1);

    let before = store.client("r1").await.unwrap().unwrap();
    let after = Client {
        authentication: ClientAuthentication::None,
        name: None,
        registration_token: Some(digest("next")),
        registered_at: now() + MINUTE,
        first_used_at: None,
        ..before.clone()
    };
    let refused = store.replace_client(&before, &after, &no).await;
    assert!(matches!(refused, Err(StoreError::NotRecorded(_))));
    assert_eq!(store.client("r1").await.unwrap(), Some(before.clone()));
    assert!(store.replace_client(&before, &after, &yes).await.unwrap());
    let kept = Client { registered_at: now(), first_used_at: Some(now()), ..after.clone() };
    assert_eq!(store.client("r1").await.unwrap(), Some(kept.clone()), "what happened stays");
    assert!(!store.replace_client(&before, &after, &yes).await.unwrap(), "its credentials are others now");
    let others = [
        Client { registration_token: None, ..kept.clone() },
        Client { authentication: before.authentication.clone(), ..kept.clone() },
        Client { id: "nobody".into(), ..kept.clone() },
    ];
    for other in &others {
        assert!(!store.replace_client(other, &after, &yes).await.unwrap(), "{other:?}");
    }
    assert!(store.replace_client(&kept, &kept, &yes).await.unwrap());

    let next: Vec<Client> = (0..20)
        .map(|index| Client { registration_token: Some(digest(&index.to_string())), ..kept.clone() })
        .collect();
    let attempts = next.iter().map(|next| store.replace_client(&kept, next, &yes));
    let taken = futures_util::future::join_all(attempts).await;
    assert_eq!(taken.iter().filter(|taken| *taken.as_ref().unwrap()).count(), 1, "at once");
}

async fn removals(store: &dyn Store) {
    let of = |id: &str, client_id: &str| Grant { client_id: client_id.into(), ..grant(id) };
    for own in [of("g1", "r2"), of("g2", "r2"), of("g3", "r3")] {
        assert!(store.insert_grant(&own, None, now(), &yes).await.unwrap());
    }
    let later = now() + MINUTE;
    let found = store.client("r2").await.unwrap().unwrap();
    let other = Client { registration_token: Some(digest("other")), ..found.clone() };
    assert_eq!(store.remove_client(&other, later, &yes).await.unwrap(), None);
    assert!(matches!(store.remove_client(&found, later, &no).await, Err(StoreError::NotRecorded(_))));
    assert_eq!(store.grant("g1").await.unwrap().unwrap().revoked_at, None);
    let mut revoked = store.remove_client(&found, later, &yes).await.unwrap().unwrap();
    revoked.sort_unstable();
    assert_eq!(revoked, ["g1", "g2"]);
    assert_eq!(store.client("r2").await.unwrap(), None);
    assert_eq!(store.remove_client(&found, later, &yes).await.unwrap(), None, "again");
    let revoked_at = async |id| store.grant(id).await.unwrap().unwrap().revoked_at;
    assert_eq!(revoked_at("g1").await, Some(later));
    assert_eq!(revoked_at("g2").await, Some(later));
    assert_eq!(revoked_at("g3").await, None, "another client's");
    assert!(store.client("r3").await.unwrap().is_some());
}

async fn tokens(store: &dyn Store) {
    let token = RegistrationToken {
        id: "t1".into(),
        digest: digest("initial"),
        label: Some("Databricks é".into()),
        uses_left: 2,
        created_at: now(),
        expires_at: now() + MINUTE,
    };
    assert!(matches!(store.insert_registration_token(&token, &no).await, Err(StoreError::NotRecorded(_))));
    assert!(store.registration_tokens().await.unwrap().is_empty());
    store.insert_registration_token(&token, &yes).await.unwrap();
    let second = RegistrationToken {
        id: "t2".into(),
        digest: digest("second"),
        label: None,
        uses_left: u32::MAX,
        expires_at: now() + 2 * MINUTE,
        ..token.clone()
    };
    store.insert_registration_token(&second, &yes).await.unwrap();
    assert_eq!(store.registration_tokens().await.unwrap(), [token.clone(), second.clone()]);

    let used = async |text, at| store.use_registration_token(&digest(text), at).await.unwrap();
    assert!(!used("unknown", now()).await);
    assert!(!used("initial", token.expires_at).await, "over");
    let attempts = (0..20).map(|_| used("initial", now()));
    let attempted = futures_util::future::join_all(attempts).await;
    assert_eq!(attempted.into_iter().filter(|used| *used).count(), 2, "as often as it says");
    assert_eq!(store.registration_tokens().await.unwrap()[0].uses_left, 0);

    assert!(matches!(store.remove_registration_token("t2", &no).await, Err(StoreError::NotRecorded(_))));
    assert!(used("second", now()).await);
    assert!(store.remove_registration_token("t2", &yes).await.unwrap());
    assert!(!store.remove_registration_token("t2", &yes).await.unwrap());
    assert!(!used("second", now()).await);
    assert_eq!(store.prune_registration_tokens(now(), 9).await.unwrap(), 0);
    assert_eq!(store.prune_registration_tokens(token.expires_at, 9).await.unwrap(), 1);
    assert!(store.registration_tokens().await.unwrap().is_empty());
}
