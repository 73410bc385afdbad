//! What every store promises of documents.

use std::time::Duration;

use oauth_server::store::{DocumentRecord, Store, StoreError};

use super::{MINUTE, no, now, yes};

fn document(url: &str, minute: u32) -> DocumentRecord {
    let fetched_at = now() + minute * MINUTE;
    DocumentRecord {
        url: url.into(),
        body: format!("{{\"minute\":{minute}}}"),
        fetched_at,
        fresh_until: fetched_at + 5 * MINUTE,
        expires_at: fetched_at + Duration::from_hours(1),
    }
}

pub(super) async fn documents(store: &dyn Store) {
    let keep = async |document: &DocumentRecord| store.keep_document(document, 2, &yes).await.unwrap();
    assert_eq!(store.document("https://a.example/a").await.unwrap(), None);
    let refused = store.keep_document(&document("https://a.example/a", 1), 2, &no).await;
    assert!(matches!(refused, Err(StoreError::NotRecorded(_))), "{refused:?}");
    assert_eq!(store.document("https://a.example/a").await.unwrap(), None);

    assert!(keep(&document("https://a.example/a", 1)).await);
    assert!(keep(&document("https://a.example/a", 2)).await);
    assert!(keep(&document("https://a.example/a", 0)).await, "one is kept");
    let kept = store.document("https://a.example/a").await.unwrap();
    assert_eq!(kept, Some(document("https://a.example/a", 2)), "the newest");

    assert!(keep(&document("https://a.example/b", 1)).await);
    assert!(!keep(&document("https://a.example/c", 1)).await, "there is no room");
    assert_eq!(store.document("https://a.example/c").await.unwrap(), None);
    assert!(keep(&document("https://a.example/b", 3)).await, "what is kept is renewed all the same");

    let hour = Duration::from_hours(1);
    assert_eq!(store.prune_documents(now() + hour, 100).await.unwrap(), 0);
    assert_eq!(store.prune_documents(now() + hour + 2 * MINUTE, 100).await.unwrap(), 1);
    assert_eq!(store.document("https://a.example/a").await.unwrap(), None);
    assert!(keep(&document("https://a.example/c", 1)).await);
    assert_eq!(store.prune_documents(now() + 2 * hour, 1).await.unwrap(), 1, "a batch at a time");
    assert_eq!(store.prune_documents(now() + 2 * hour, 1).await.unwrap(), 1);

    let urls: Vec<String> = (0..8).map(|index| format!("https://a.example/{index}")).collect();
    let all =
        futures_util::future::join_all(urls.iter().map(async |url| keep(&document(url, 1)).await)).await;
    assert_eq!(all.iter().filter(|kept| **kept).count(), 2, "however many come at once");
    assert_eq!(store.prune_documents(now() + 2 * hour, 100).await.unwrap(), 2);
}
