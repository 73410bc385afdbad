//! Revocation.

use http::{Method, StatusCode, header};
use oauth_server::RevocationView;
use serde_json::Value;

use crate::support::{Harness, claims, request};

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

async fn revoke(harness: &Harness, client: &str, token: &str) -> StatusCode {
    harness.post_form("/revoke", &[("client_id", client), ("token", token)]).await.status
}

/// SEC-22: a refresh after either token was revoked -> 400 `invalid_grant`, calls are refused at once
#[tokio::test]
async fn either_token_ends_the_whole_grant_at_once() {
    for kind in ["refresh_token", "access_token"] {
        let harness = Harness::new().await;
        let client = harness.client().await;
        let tokens = harness.tokens(&client).await;
        let sid = text(&claims(text(&tokens["access_token"]))["sid"]).to_owned();
        assert_eq!(revoke(&harness, &client, text(&tokens[kind])).await, StatusCode::OK);
        assert!(harness.server.revocations().is_revoked(&sid), "{kind}");
        let refreshed = harness.refresh(&client, text(&tokens["refresh_token"])).await;
        assert_eq!(refreshed.error(), "invalid_grant", "{kind}");
        // Again is the same answer, and nothing more to record.
        assert_eq!(revoke(&harness, &client, text(&tokens[kind])).await, StatusCode::OK);
        let revoked =
            harness.events().iter().filter(|event| *event == "token_revoke success by_client").count();
        assert_eq!(revoked, 1, "{kind}");
    }
}

/// SEC-22: a revoked token at another replica -> known as revoked with its next reading of the store
#[tokio::test]
async fn another_replica_learns_of_it_from_the_store() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let tokens = harness.tokens(&client).await;
    let sid = text(&claims(text(&tokens["access_token"]))["sid"]).to_owned();
    let replica = RevocationView::new(std::time::Duration::from_mins(15));
    replica.refresh(harness.store.as_ref(), harness.now()).await.unwrap();
    assert!(!replica.is_revoked(&sid));
    let version = replica.version();
    revoke(&harness, &client, text(&tokens["refresh_token"])).await;
    replica.refresh(harness.store.as_ref(), harness.now()).await.unwrap();
    assert!(replica.is_revoked(&sid));
    assert!(replica.version() > version);
}

/// SEC-22: revoking unknown, forged, expired and other clients' tokens -> the same 200, and nothing is revoked
#[tokio::test]
async fn unknown_foreign_and_dead_tokens_are_answered_alike_and_left_alone() {
    let harness = Harness::new().await;
    let (client, other) = (harness.client().await, harness.client().await);
    let tokens = harness.tokens(&client).await;
    let access = text(&tokens["access_token"]);
    let tampered = format!("{access}x");
    for token in ["unknown", "a.b.c", tampered.as_str(), "é"] {
        assert_eq!(revoke(&harness, &client, token).await, StatusCode::OK, "{token}");
    }
    for token in [access, text(&tokens["refresh_token"])] {
        assert_eq!(revoke(&harness, &other, token).await, StatusCode::OK);
    }
    harness.advance(std::time::Duration::from_mins(15));
    assert_eq!(revoke(&harness, &client, access).await, StatusCode::OK, "expired");
    assert_eq!(harness.refresh(&client, text(&tokens["refresh_token"])).await.status, StatusCode::OK);
    assert_eq!(harness.server.revocations().version(), 0);
}

/// SEC-22, SEC-23: /revoke without a client, with a repeated parameter, by query or GET -> 400, 401, 405 or 415
#[tokio::test]
async fn a_bad_request_is_refused() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let own = format!("client_id={client}");
    let cases = [
        (request(Method::POST, "/revoke", &form, &own), 400, Some("invalid_request")),
        (request(Method::POST, "/revoke", &form, "token=x"), 401, Some("invalid_client")),
        (request(Method::POST, "/revoke", &form, "token=x&client_id=nobody"), 401, Some("invalid_client")),
        (
            request(Method::POST, "/revoke", &form, &format!("{own}&token=x&token=y")),
            400,
            Some("invalid_request"),
        ),
        (request(Method::POST, "/revoke?token=x", &form, &own), 400, Some("invalid_request")),
        (request(Method::POST, "/revoke", &[], &own), 415, Some("invalid_request")),
        (request(Method::GET, "/revoke?token=x", &[], ""), 405, None),
    ];
    for (request, status, error) in cases {
        let shown = format!("{request:?}");
        let answer = harness.send(request).await;
        assert_eq!(answer.status.as_u16(), status, "{shown}");
        if let Some(error) = error {
            assert_eq!(answer.error(), error, "{shown}");
            assert_eq!(answer.header(header::CACHE_CONTROL), Some("no-store"));
        }
    }
}

/// SEC-22: a grant revoked at another replica -> known here without a request
#[tokio::test]
async fn maintenance_follows_the_store_and_deletes_what_has_expired() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let unused = harness.client().await;
    let tokens = harness.tokens(&client).await;
    let sid = text(&claims(text(&tokens["access_token"]))["sid"]).to_owned();
    harness.advance(std::time::Duration::from_hours(25));
    // As another replica does it: in the store only.
    harness.store.revoke_grant(&sid, harness.now()).await.unwrap();
    assert!(!harness.server.revocations().is_revoked(&sid));
    let maintenance = tokio::spawn(harness.server.clone().maintain());
    while !harness.server.revocations().is_revoked(&sid)
        || harness.store.client(&unused).await.unwrap().is_some()
    {
        tokio::task::yield_now().await;
    }
    assert!(!maintenance.is_finished());
    maintenance.abort();
    assert!(harness.store.client(&client).await.unwrap().is_some());
}
