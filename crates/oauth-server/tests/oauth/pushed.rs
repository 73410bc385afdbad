//! Pushed authorization requests (RFC 9126).

use std::{sync::Arc, time::Duration};

use http::{StatusCode, header};
use oauth_server::store::MemoryStore;
use serde_json::json;

use crate::{
    holder::{Holder, proof_claims, with_proof},
    support::{
        Answer, Browser, Harness, REDIRECT, RESOURCE, authorize_params, authorize_url, claims, config,
        form_request, redeem_params, static_users, with,
    },
};

async fn push(harness: &Harness, params: &[(&str, &str)]) -> Answer {
    harness.post_form("/par", params).await
}

async fn handle(harness: &Harness, params: &[(&str, &str)]) -> String {
    let answer = push(harness, params).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    answer.json()["request_uri"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_pushed_request_is_all_that_counts() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let answer = push(&harness, &authorize_params(&client)).await;
    assert_eq!(
        (answer.status, answer.header(header::CACHE_CONTROL)),
        (StatusCode::CREATED, Some("no-store"))
    );
    assert_eq!(answer.json()["expires_in"], 60);
    let request_uri = answer.json()["request_uri"].as_str().unwrap().to_owned();
    let random = request_uri.strip_prefix("urn:ietf:params:oauth:request_uri:").unwrap();
    assert_eq!(random.len(), 43);
    let params = [
        ("client_id", client.as_str()),
        ("request_uri", &request_uri),
        ("redirect_uri", "https://evil.example/"),
        ("scope", "platform:read"),
        ("state", "of somebody else"),
        ("response_type", "token"),
    ];
    let answer = Browser::default().sign_in(&harness, &authorize_url(&params)).await;
    assert!(answer.location().starts_with(&format!("{REDIRECT}?")), "{}", answer.location());
    assert_eq!(answer.location_param("state").as_deref(), Some("s t&ate"));
    let code = answer.location_param("code").unwrap();
    let tokens = harness.post_form("/token", &redeem_params(&client, &code)).await.json();
    let claims = claims(tokens["access_token"].as_str().unwrap());
    assert_eq!((&claims["scope"], &claims["aud"]), (&json!("platform"), &json!(RESOURCE)));
}

/// SEC-15: a handle that was used, is a minute old, is another client's or was never given out -> 400 page, no redirect
#[tokio::test]
async fn a_handle_is_for_its_client_once_within_a_minute() {
    let harness = Harness::new().await;
    let (client, other) = (harness.client().await, harness.client().await);
    let open = async |client: &str, handle: &str| {
        harness.get(&authorize_url(&[("client_id", client), ("request_uri", handle)])).await
    };
    let refused = |answer: &Answer| {
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
        assert_eq!((answer.header(header::LOCATION), answer.header(header::SET_COOKIE)), (None, None));
        assert!(answer.body.contains("This link is over"), "{}", answer.body);
    };
    let first = handle(&harness, &authorize_params(&client)).await;
    refused(&open(&other, &first).await);
    assert_eq!(open(&client, &first).await.status, StatusCode::SEE_OTHER, "another client did not use it up");
    refused(&open(&client, &first).await);
    let second = handle(&harness, &authorize_params(&client)).await;
    harness.advance(Duration::from_secs(59));
    let third = handle(&harness, &authorize_params(&client)).await;
    harness.advance(Duration::from_secs(1));
    refused(&open(&client, &second).await);
    assert_eq!(open(&client, &third).await.status, StatusCode::SEE_OTHER);
    for unknown in ["", "x", &"A".repeat(43), "%00"] {
        refused(&open(&client, &format!("urn:ietf:params:oauth:request_uri:{unknown}")).await);
    }
}

/// SEC-15: a `request`, a `request_uri` within the push -> 400 `request_not_supported`, `invalid_request`
/// SEC-1: a redirect that is not registered -> 400 `invalid_request`
/// SEC-7: no challenge, or `plain` -> 400 `invalid_request`
/// SEC-23: parameters in the URL, twice, of another type or as a GET -> 4xx
#[tokio::test]
async fn what_is_wrong_is_told_to_the_client() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let good = || authorize_params(&client);
    let cases = [
        ("request_not_supported", with(good(), "request", Some("e30.e30."))),
        ("invalid_request", with(good(), "request_uri", Some("urn:ietf:params:oauth:request_uri:x"))),
        ("invalid_request", with(good(), "request_uri", Some("https://x.example/r"))),
        ("invalid_request", with(good(), "redirect_uri", Some("https://evil.example/"))),
        ("invalid_request", with(good(), "redirect_uri", None)),
        ("invalid_request", with(good(), "response_type", None)),
        ("unsupported_response_type", with(good(), "response_type", Some("token"))),
        ("invalid_request", with(good(), "code_challenge", None)),
        ("invalid_request", with(good(), "code_challenge_method", Some("plain"))),
        ("invalid_request", with(good(), "dpop_jkt", Some("x"))),
        ("invalid_target", with(good(), "resource", Some("https://other.example/"))),
        ("invalid_scope", with(good(), "scope", Some("admin"))),
        ("invalid_request", [good(), vec![("scope", "platform")]].concat()),
        ("invalid_target", [good(), vec![("resource", RESOURCE)]].concat()),
    ];
    for (error, params) in cases {
        let answer = push(&harness, &params).await;
        assert_eq!((answer.status, answer.error().as_str()), (StatusCode::BAD_REQUEST, error), "{params:?}");
        assert_eq!(answer.header(header::LOCATION), None, "{params:?}");
    }
    let unknown = push(&harness, &with(good(), "client_id", Some("nobody"))).await;
    assert_eq!((unknown.status, unknown.error().as_str()), (StatusCode::UNAUTHORIZED, "invalid_client"));
    assert_eq!(harness.get("/par").await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(harness.post_form("/par?a=b", &good()).await.error(), "invalid_request");
    assert_eq!(harness.post_json("/par", &json!({})).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

/// SEC-15: a confidential client's request from somebody without its secret -> 401 `invalid_client`
#[tokio::test]
async fn a_confidential_client_authenticates() {
    let harness = Harness::new().await;
    let body = json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "client_secret_post" });
    let registered = harness.post_json("/register", &body).await.json();
    let (client, secret) =
        (registered["client_id"].as_str().unwrap(), registered["client_secret"].as_str().unwrap());
    assert_eq!(push(&harness, &authorize_params(client)).await.error(), "invalid_client");
    let wrong = with(authorize_params(client), "client_secret", Some("wrong"));
    assert_eq!(push(&harness, &wrong).await.error(), "invalid_client");
    let right = with(authorize_params(client), "client_secret", Some(secret));
    handle(&harness, &right).await;
}

/// SEC-15: a client that must push and comes with its parameters in the URL -> 303 with `invalid_request`
#[tokio::test]
async fn a_client_can_be_made_to_push() {
    let harness = Harness::new().await;
    let body = json!({ "redirect_uris": [REDIRECT], "require_pushed_authorization_requests": true });
    let registered = harness.post_json("/register", &body).await.json();
    assert_eq!(registered["require_pushed_authorization_requests"], true);
    let client = registered["client_id"].as_str().unwrap();
    let answer = harness.get(&authorize_url(&authorize_params(client))).await;
    assert_eq!(answer.location_param("error").as_deref(), Some("invalid_request"));
    assert_eq!(answer.location_param("state").as_deref(), Some("s t&ate"));
    let request_uri = handle(&harness, &authorize_params(client)).await;
    let params = [("client_id", client), ("request_uri", request_uri.as_str())];
    assert!(harness.get(&authorize_url(&params)).await.location().starts_with("/consent"));
}

/// SEC-30: a code whose request was pushed with a proof, redeemed without it -> 400 `invalid_grant`
/// SEC-30: a proof for `/token`, one used before, or of another key than `dpop_jkt` -> 400
#[tokio::test]
async fn a_proof_at_the_push_binds_the_code() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let holder = Holder::new();
    let proven = |id: &str, path: &str, params: &[(&str, &str)]| {
        with_proof(form_request("/par", params), &holder.sign(&proof_claims(path, id)))
    };
    let good = authorize_params(&client);
    let answer = harness.send(proven("1", "/par", &good)).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    assert_eq!(harness.send(proven("1", "/par", &good)).await.error(), "invalid_dpop_proof", "used");
    assert_eq!(harness.send(proven("2", "/token", &good)).await.error(), "invalid_dpop_proof");
    let other = Holder::new().thumbprint();
    let contradicting = with(authorize_params(&client), "dpop_jkt", Some(&other));
    assert_eq!(harness.send(proven("3", "/par", &contradicting)).await.error(), "invalid_request");
    let request_uri = answer.json()["request_uri"].as_str().unwrap().to_owned();
    let url = authorize_url(&[("client_id", &client), ("request_uri", &request_uri)]);
    let code = Browser::default().sign_in(&harness, &url).await.location_param("code").unwrap();
    let form = redeem_params(&client, &code);
    assert_eq!(harness.post_form("/token", &form).await.error(), "invalid_grant");
    assert_eq!(holder.token(&harness, "4", &form).await.status, StatusCode::OK);
}

/// SEC-15: more pushed requests than are kept -> the oldest give way
#[tokio::test]
async fn what_is_pushed_is_bounded() {
    let mut config = config();
    config.max_pushed_requests = 2;
    let harness = Harness::with(config, Arc::new(MemoryStore::default()), vec![static_users()]).await;
    let client = harness.client().await;
    let mut handles = Vec::new();
    for _ in 0..3 {
        handles.push(handle(&harness, &authorize_params(&client)).await);
        harness.advance(Duration::from_secs(1));
    }
    for (handle, status) in handles.iter().zip([400, 303, 303]) {
        let answer = harness.get(&authorize_url(&[("client_id", &client), ("request_uri", handle)])).await;
        assert_eq!(answer.status, status);
    }
}
