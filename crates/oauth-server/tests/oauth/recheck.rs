//! A provider is asked again at every refresh.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use http::{StatusCode, header};
use oauth_server::store::{MemoryStore, Store};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::{
    provider::Provider,
    support::{
        Browser, Harness, authorize_params, authorize_url, claims, config, form_request, redeem_params,
    },
};

async fn start(store: Arc<dyn Store>) -> (Harness, Arc<Provider>) {
    let provider = Provider::start(1_800_000_000).await;
    let source = provider.source_with("idp", |config| {
        config.recheck = true;
        config.scopes = vec!["offline_access".into()];
    });
    (Harness::with(config(), store, vec![source]).await, provider)
}

/// The client and its tokens after a sign-in at the provider.
async fn signed_in(harness: &Harness, provider: &Provider) -> (String, Value) {
    let client = harness.client().await;
    let mut browser = Browser::default();
    let upstream = browser.allow(harness, &authorize_url(&authorize_params(&client))).await;
    assert_eq!(upstream.location_param("prompt").as_deref(), Some("consent"));
    let back = format!("/callback/idp?{}", provider.sign_in(upstream.location()));
    let answer = browser.get(harness, &back).await;
    let code = answer.location_param("code").unwrap_or_else(|| panic!("{answer:?}"));
    let tokens = harness.post_form("/token", &redeem_params(&client, &code)).await.json();
    (client, tokens)
}

fn refresh_token(tokens: &Value) -> &str {
    tokens["refresh_token"].as_str().unwrap()
}

#[tokio::test]
async fn a_refresh_asks_the_provider_and_follows_its_claims() {
    let (harness, provider) = start(Arc::new(MemoryStore::default())).await;
    let (client, tokens) = signed_in(&harness, &provider).await;
    let first = claims(tokens["access_token"].as_str().unwrap());
    assert_eq!(first["hints"]["groups"][0], "analysts");
    harness.advance(Duration::from_mins(1));
    let answer = harness.refresh(&client, refresh_token(&tokens)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let second = answer.json();
    assert_eq!(claims(second["access_token"].as_str().unwrap())["hints"]["groups"][0], "readers");
    assert_eq!(provider.rechecks.load(Ordering::SeqCst), 1);
    harness.advance(Duration::from_mins(1));
    let third = harness.refresh(&client, refresh_token(&second)).await;
    assert_eq!(third.status, StatusCode::OK, "the provider's own rotation is followed: {}", third.body);
    assert_eq!(provider.rechecks.load(Ordering::SeqCst), 2);
}

/// SEC-18: a refresh for a person who was disabled at the identity provider -> 400 `invalid_grant`, the grant is revoked
#[tokio::test]
async fn a_person_who_was_disabled_loses_access_at_the_next_refresh() {
    let (harness, provider) = start(Arc::new(MemoryStore::default())).await;
    let (client, tokens) = signed_in(&harness, &provider).await;
    provider.disabled.store(true, Ordering::SeqCst);
    harness.advance(Duration::from_mins(1));
    let answer = harness.refresh(&client, refresh_token(&tokens)).await;
    assert_eq!((answer.status, answer.error().as_str()), (StatusCode::BAD_REQUEST, "invalid_grant"));
    let session = claims(tokens["access_token"].as_str().unwrap())["sid"].as_str().unwrap().to_owned();
    assert!(harness.server.revocations().is_revoked(&session));
    assert!(harness.events().contains(&"token_revoke success upstream_refused".to_owned()));
    provider.disabled.store(false, Ordering::SeqCst);
    assert_eq!(harness.refresh(&client, refresh_token(&tokens)).await.status, StatusCode::BAD_REQUEST);
}

/// SEC-18: a refresh while the identity provider does not answer -> 503 with Retry-After, and it works afterwards
#[tokio::test]
async fn without_an_answer_nothing_is_issued_and_nothing_lost() {
    let (harness, provider) = start(Arc::new(MemoryStore::default())).await;
    let (client, tokens) = signed_in(&harness, &provider).await;
    harness.advance(Duration::from_mins(1));
    provider.down.store(true, Ordering::SeqCst);
    let answer = harness.refresh(&client, refresh_token(&tokens)).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.header(header::RETRY_AFTER).is_some());
    provider.down.store(false, Ordering::SeqCst);
    let answer = harness.refresh(&client, refresh_token(&tokens)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_refreshes_at_once_ask_once_and_all_get_an_answer() {
    let (harness, provider) = start(Arc::new(MemoryStore::default())).await;
    let (client, tokens) = signed_in(&harness, &provider).await;
    harness.advance(Duration::from_mins(1));
    let form =
        [("grant_type", "refresh_token"), ("client_id", &*client), ("refresh_token", refresh_token(&tokens))];
    let attempts = (0..10).map(|_| {
        let (router, request) = (harness.router.clone(), form_request("/token", &form));
        tokio::spawn(async move { router.oneshot(request).await.unwrap().status() })
    });
    let statuses = futures_util::future::join_all(attempts.collect::<Vec<_>>()).await;
    assert!(statuses.iter().all(|status| *status.as_ref().unwrap() == StatusCode::OK), "{statuses:?}");
    assert_eq!(provider.rechecks.load(Ordering::SeqCst), 1);
}

/// A refresh that is under way at the provider.
async fn asked(
    harness: &Harness,
    provider: &Provider,
    form: &[(&str, &str)],
) -> tokio::task::JoinHandle<StatusCode> {
    let (router, request) = (harness.router.clone(), form_request("/token", form));
    let request = tokio::spawn(async move { router.oneshot(request).await.unwrap().status() });
    while provider.rechecks.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    request
}

/// SEC-18: a refresh for a disabled person, broken off while the provider is asked, and sent again -> 400 `invalid_grant`, the grant is revoked
#[tokio::test]
async fn who_breaks_off_gets_no_answer_in_place_of_the_providers() {
    let (harness, provider) = start(Arc::new(MemoryStore::default())).await;
    let (client, tokens) = signed_in(&harness, &provider).await;
    let form =
        [("grant_type", "refresh_token"), ("client_id", &*client), ("refresh_token", refresh_token(&tokens))];
    provider.disabled.store(true, Ordering::SeqCst);
    harness.advance(Duration::from_mins(1));
    let held = provider.held.lock().await;
    let broken_off = asked(&harness, &provider, &form).await;
    broken_off.abort();
    assert!(broken_off.await.unwrap_err().is_cancelled());
    drop(held);
    let answer = harness.refresh(&client, refresh_token(&tokens)).await;
    assert_eq!((answer.status, answer.error().as_str()), (StatusCode::BAD_REQUEST, "invalid_grant"));
    let session = claims(tokens["access_token"].as_str().unwrap())["sid"].as_str().unwrap().to_owned();
    assert!(harness.server.revocations().is_revoked(&session));
}

/// SEC-18: two refreshes at once while the identity provider does not answer -> 503 for both
#[tokio::test]
async fn a_question_is_no_answer_for_who_asks_at_the_same_time() {
    let (harness, provider) = start(Arc::new(MemoryStore::default())).await;
    let (client, tokens) = signed_in(&harness, &provider).await;
    let form =
        [("grant_type", "refresh_token"), ("client_id", &*client), ("refresh_token", refresh_token(&tokens))];
    harness.advance(Duration::from_mins(1));
    let held = provider.held.lock().await;
    let first = asked(&harness, &provider, &form).await;
    let second = tokio::spawn(harness.router.clone().oneshot(form_request("/token", &form)));
    tokio::task::yield_now().await;
    provider.down.store(true, Ordering::SeqCst);
    drop(held);
    assert_eq!(second.await.unwrap().unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(first.await.unwrap(), StatusCode::SERVICE_UNAVAILABLE);
}
