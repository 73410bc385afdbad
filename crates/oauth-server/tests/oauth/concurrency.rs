//! Fifty clients at the token endpoint with one code.

use std::sync::Arc;

use http::StatusCode;
use oauth_server::store::Store;
use pg_fixture::PgCluster;
use tower::ServiceExt as _;

use crate::support::{Harness, database, form_request, redeem_params, sqlite};

async fn fifty(store: Arc<dyn Store>) {
    let harness = Harness::on(store).await;
    let client = harness.client().await;
    let code = harness.code(&client).await;
    let attempts = (0..50).map(|_| {
        let router = harness.router.clone();
        let request = form_request("/token", &redeem_params(&client, &code));
        tokio::spawn(async move { router.oneshot(request).await.unwrap().status() })
    });
    let statuses = futures_util::future::join_all(attempts.collect::<Vec<_>>()).await;
    let count = |status| statuses.iter().filter(|found| *found.as_ref().unwrap() == status).count();
    assert_eq!((count(StatusCode::OK), count(StatusCode::BAD_REQUEST)), (1, 49));
    // Every one of the others was a second valid use: what the first got is revoked, and recorded once.
    let events = harness.events();
    let recorded = |event: &str| events.iter().filter(|found| *found == event).count();
    assert_eq!(recorded("token_issue success -"), 1);
    assert_eq!(recorded("token_revoke success code_replayed"), 1);
}

/// SEC-8: fifty redemptions of one code at once on SQLite -> one 200, 49 times 400, the grant is revoked
#[tokio::test(flavor = "multi_thread")]
async fn one_of_fifty_gets_tokens_on_sqlite() {
    let (_directory, url) = sqlite();
    fifty(Arc::new(database(&url).await)).await;
}

/// SEC-8: fifty redemptions of one code at once on PostgreSQL -> one 200, 49 times 400, the grant is revoked
#[tokio::test(flavor = "multi_thread")]
async fn one_of_fifty_gets_tokens_on_postgresql() {
    let cluster = PgCluster::start();
    fifty(Arc::new(database(&cluster.create_database()).await)).await;
}
