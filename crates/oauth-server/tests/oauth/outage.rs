//! What happens when the database or the audit log is down: 503, and nothing half done.

use std::sync::Arc;

use http::{StatusCode, header};
use pg_fixture::PgCluster;
use serde_json::json;

use crate::support::{
    Answer, Browser, Harness, PASSWORD, REDIRECT, authorize_params, authorize_url, database, redeem_params,
};

fn assert_unavailable(answer: &Answer, what: &str) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{what}: {}", answer.body);
    assert!(answer.headers.contains_key(header::RETRY_AFTER), "{what}");
    assert_eq!(answer.header(header::LOCATION), None, "{what}");
    if answer.header(header::CONTENT_TYPE) == Some("application/json") {
        assert_eq!(answer.error(), "temporarily_unavailable", "{what}");
    } else {
        assert!(answer.body.contains("This does not work right now"), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_database_costs_nothing_but_time() {
    let mut cluster = PgCluster::start();
    let harness = Harness::on(Arc::new(database(&cluster.create_database()).await)).await;
    let client = harness.client().await;
    let code = harness.code(&client).await;
    let tokens = harness.tokens(&client).await;
    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    let mut browser = Browser::default();
    let authorize = authorize_url(&authorize_params(&client));
    let consent = browser.consent_page(&harness, &authorize).await;

    cluster.stop();
    let register = json!({ "redirect_uris": [REDIRECT] });
    assert_unavailable(&harness.post_json("/register", &register).await, "register");
    assert_unavailable(&harness.get(&authorize).await, "authorize");
    assert_unavailable(&browser.submit(&harness, &consent, &[("decision", "allow")]).await, "consent");
    assert_unavailable(&harness.post_form("/token", &redeem_params(&client, &code)).await, "code");
    assert_unavailable(&harness.refresh(&client, refresh_token).await, "refresh");
    let revoke = [("client_id", client.as_str()), ("token", refresh_token)];
    assert_unavailable(&harness.post_form("/revoke", &revoke).await, "revoke");
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/jwks.json"] {
        assert_eq!(harness.get(path).await.status, StatusCode::OK, "{path}");
    }

    cluster.restart();
    let answer = browser.submit(&harness, &consent, &[("decision", "allow")]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    let answer = harness.post_form("/token", &redeem_params(&client, &code)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(harness.refresh(&client, refresh_token).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_done() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let code = harness.code(&client).await;
    let tokens = harness.tokens(&client).await;
    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    let authorize = authorize_url(&authorize_params(&client));
    let (mut asked, mut signing_in) = (Browser::default(), Browser::default());
    let consent = asked.consent_page(&harness, &authorize).await;
    let sign_in = signing_in.allow(&harness, &authorize).await;
    let allow = [("decision", "allow")];
    let password = [("username", "ada"), ("password", PASSWORD)];

    harness.break_audit(true);
    let register = json!({ "redirect_uris": [REDIRECT] });
    assert_unavailable(&harness.post_json("/register", &register).await, "register");
    assert_unavailable(&asked.submit(&harness, &consent, &allow).await, "consent");
    assert_unavailable(&asked.submit(&harness, &consent, &[("decision", "cancel")]).await, "cancel");
    assert_unavailable(&signing_in.submit(&harness, &sign_in, &password).await, "sign-in");
    assert_unavailable(&harness.post_form("/token", &redeem_params(&client, &code)).await, "code");
    assert_unavailable(&harness.refresh(&client, refresh_token).await, "refresh");

    harness.break_audit(false);
    assert_eq!(asked.submit(&harness, &consent, &allow).await.status, StatusCode::SEE_OTHER);
    let answer = signing_in.submit(&harness, &sign_in, &password).await;
    assert!(answer.location_param("code").is_some());
    assert_eq!(harness.post_form("/token", &redeem_params(&client, &code)).await.status, StatusCode::OK);
    assert_eq!(harness.refresh(&client, refresh_token).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_revocation_holds_even_if_it_cannot_be_recorded() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let tokens = harness.tokens(&client).await;
    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    harness.break_audit(true);
    let form = [("client_id", client.as_str()), ("token", refresh_token)];
    assert_unavailable(&harness.post_form("/revoke", &form).await, "revoke");
    harness.break_audit(false);
    assert_eq!(harness.refresh(&client, refresh_token).await.error(), "invalid_grant");
}
