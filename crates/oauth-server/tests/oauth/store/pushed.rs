//! Pushed requests, and codes and grants that are bound to a key.

use oauth_server::store::{CodeRequest, Interaction, Purpose, PushedRequest, Store};

use super::{MINUTE, code, digest, interaction, issued, now, yes};

fn request() -> CodeRequest {
    let Interaction { purpose: Purpose::Code(request), .. } = interaction("i") else { panic!("not a code") };
    CodeRequest { dpop_jkt: Some("thumbprint".into()), ..request }
}

pub(super) async fn suite(store: &dyn Store) {
    let pushed = |name: &str, minutes| PushedRequest {
        digest: digest(name),
        request: request(),
        expires_at: now() + minutes * MINUTE,
    };
    let take =
        async |name: &str, client: &str, at| store.take_pushed(&digest(name), client, at).await.unwrap();
    store.insert_pushed(&pushed("one", 1), 2).await.unwrap();
    assert_eq!(take("other", "c", now()).await, None);
    assert_eq!(take("one", "d", now()).await, None, "another client");
    assert_eq!(take("one", "c", now() + MINUTE).await, None, "over");
    assert_eq!(take("one", "c", now()).await, Some(request()));
    assert_eq!(take("one", "c", now()).await, None, "twice");

    for (name, minutes) in [("a", 3), ("b", 1), ("c", 2)] {
        store.insert_pushed(&pushed(name, minutes), 2).await.unwrap();
    }
    assert_eq!(take("b", "c", now()).await, None, "the first to be over gave way");
    let at_once = (0..20).map(|_| take("a", "c", now()));
    let taken = futures_util::future::join_all(at_once).await;
    assert_eq!(taken.into_iter().flatten().count(), 1, "at once");
    store.insert_pushed(&pushed("d", 2), 2).await.unwrap();
    assert_eq!(store.prune_pushed(now() + MINUTE, 100).await.unwrap(), 0);
    assert_eq!(store.prune_pushed(now() + 2 * MINUTE, 1).await.unwrap(), 1, "a batch of one");
    assert_eq!(store.prune_pushed(now() + 2 * MINUTE, 100).await.unwrap(), 1);

    issued(store, "bound").await;
    let (kept, grant) = store.code(&digest("bound")).await.unwrap().unwrap();
    assert_eq!(kept.dpop_jkt, code("bound", "bound").dpop_jkt);
    assert_eq!(grant.dpop_jkt.as_deref(), Some("thumbprint"));
    assert!(store.redeem_code(&digest("bound"), None, Some("proven"), now(), &yes).await.unwrap());
    let (_, grant) = store.code(&digest("bound")).await.unwrap().unwrap();
    assert_eq!(grant.dpop_jkt.as_deref(), Some("proven"));
}
