//! The device authorization grant: a client here, a person there.

use std::{net::IpAddr, sync::Arc, time::Duration};

use http::{Request, StatusCode};
use oauth_server::{ClientAddress, DeviceClients, OAuthConfig, store::MemoryStore};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::holder::Holder;
use crate::support::{
    Answer, Browser, Harness, PASSWORD, REDIRECT, RESOURCE, claims, config, form_request, static_users,
};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

async fn harness() -> Harness {
    let config = OAuthConfig { device_clients: DeviceClients::Any, ..config() };
    Harness::with(config, Arc::new(MemoryStore::default()), vec![static_users()]).await
}

async fn client(harness: &Harness, grant_types: &[&str]) -> String {
    let body = json!({ "client_name": "Agent", "redirect_uris": [REDIRECT], "grant_types": grant_types });
    let answer = harness.post_json("/register", &body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    answer.json()["client_id"].as_str().unwrap().to_owned()
}

async fn device_client(harness: &Harness) -> String {
    client(harness, &["authorization_code", "refresh_token", GRANT_TYPE]).await
}

async fn begin(harness: &Harness, client: &str) -> Value {
    let mut request = form_request("/device_authorization", &[("client_id", client), ("scope", "platform")]);
    request.extensions_mut().insert(ClientAddress(IpAddr::from([192, 0, 2, 7])));
    let answer = harness.send(request).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.json()
}

async fn poll(harness: &Harness, client: &str, begun: &Value) -> Answer {
    let code = begun["device_code"].as_str().unwrap();
    harness
        .post_form("/token", &[("grant_type", GRANT_TYPE), ("client_id", client), ("device_code", code)])
        .await
}

/// SEC-18: a device's bound refresh token without a proof -> 400 `invalid_grant`
#[tokio::test]
async fn a_device_binds_its_tokens_to_its_key() {
    let harness = harness().await;
    let client = device_client(&harness).await;
    let begun = begin(&harness, &client).await;
    let holder = Holder::new();
    let code = begun["device_code"].as_str().unwrap();
    let form = [("grant_type", GRANT_TYPE), ("client_id", client.as_str()), ("device_code", code)];
    assert_eq!(holder.token(&harness, "1", &form).await.error(), "authorization_pending");
    allow(&harness, &mut Browser::default(), begun["user_code"].as_str().unwrap()).await;
    harness.advance(Duration::from_secs(5));
    let tokens = holder.token(&harness, "1", &form).await.json();
    assert_eq!(tokens["token_type"], "DPoP", "{tokens}");
    assert_eq!(claims(tokens["access_token"].as_str().unwrap())["cnf"]["jkt"], holder.thumbprint());
    let refused = harness.refresh(&client, tokens["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refused.error(), "invalid_grant");
}

/// The confirmation page for a code that a person types.
async fn typed(harness: &Harness, browser: &mut Browser, code: &str) -> Answer {
    let answer = browser.send(harness, form_request("/device", &[("user_code", code)])).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    browser.get(harness, answer.location()).await
}

async fn allow(harness: &Harness, browser: &mut Browser, code: &str) -> Answer {
    let page = typed(harness, browser, code).await;
    let answer = browser.submit(harness, &page, &[("decision", "allow")]).await;
    let page = browser.get(harness, answer.location()).await;
    let fields = [("username", "ada"), ("password", PASSWORD), ("decision", "sign-in")];
    browser.submit(harness, &page, &fields).await
}

#[tokio::test]
async fn a_person_lets_a_device_in() {
    let harness = harness().await;
    let client = device_client(&harness).await;
    let begun = begin(&harness, &client).await;
    let code = begun["user_code"].as_str().unwrap();
    assert_eq!(begun["verification_uri"], "http://localhost:8080/device");
    assert_eq!((&begun["expires_in"], &begun["interval"]), (&json!(600), &json!(5)));
    let complete = begun["verification_uri_complete"].as_str().unwrap();
    assert_eq!(complete, format!("http://localhost:8080/device?user_code={code}"));
    assert_eq!(poll(&harness, &client, &begun).await.error(), "authorization_pending");

    let mut browser = Browser::default();
    let page = browser.get(&harness, "/device").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("name=\"user_code\""), "{}", page.body);
    let done = allow(&harness, &mut browser, &code.to_lowercase().replace('-', " ")).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.body);
    assert!(done.body.contains("The device is connected"), "{}", done.body);

    harness.advance(Duration::from_secs(5));
    let answer = poll(&harness, &client, &begun).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let tokens = answer.json();
    let claims = claims(tokens["access_token"].as_str().unwrap());
    assert_eq!((&claims["sub"], &claims["aud"]), (&json!("auth0|ada/é"), &json!(RESOURCE)));
    assert_eq!((&claims["client_id"], &claims["scope"]), (&json!(client), &json!("platform")));
    let refreshed = harness.refresh(&client, tokens["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refreshed.status, StatusCode::OK, "{}", refreshed.body);
    let events = harness.events();
    for event in ["device_authorization success -", "consent success -", "login success -"] {
        assert!(events.iter().any(|found| found == event), "{event}: {events:?}");
    }
}

/// SEC-37: a link with the code in it, opened by a person -> nothing is let in; client, code and requester are shown
#[tokio::test]
async fn a_link_alone_lets_nothing_in() {
    let harness = harness().await;
    let client = device_client(&harness).await;
    let begun = begin(&harness, &client).await;
    let link = begun["verification_uri_complete"].as_str().unwrap();
    let path = link.strip_prefix("http://localhost:8080").unwrap();
    let mut browser = Browser::default();
    let page = browser.consent_page(&harness, path).await;
    let code = begun["user_code"].as_str().unwrap();
    for shown in ["Agent", code, "192.0.2.7"] {
        assert!(page.body.contains(shown), "{shown}: {}", page.body);
    }
    assert_eq!(poll(&harness, &client, &begun).await.error(), "authorization_pending");
}

/// SEC-13: the confirmation form without its anti-forgery value, or from another browser -> 403 or 400, nothing is let in
#[tokio::test]
async fn the_confirmation_is_bound_to_the_browser() {
    let harness = harness().await;
    let client = device_client(&harness).await;
    let begun = begin(&harness, &client).await;
    let mut browser = Browser::default();
    let page = typed(&harness, &mut browser, begun["user_code"].as_str().unwrap()).await;
    let stranger = Browser::default().submit(&harness, &page, &[("decision", "allow")]).await;
    assert_eq!(stranger.status, StatusCode::BAD_REQUEST);
    let id = page.hidden().into_iter().find(|(name, _)| name == "interaction").unwrap().1;
    let forged = [("interaction", id.as_str()), ("csrf", "x"), ("decision", "allow")];
    let answer = browser.send(&harness, form_request("/consent", &forged)).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(poll(&harness, &client, &begun).await.error(), "authorization_pending");
}

#[tokio::test]
async fn a_person_who_says_no_ends_the_code() {
    let harness = harness().await;
    let client = device_client(&harness).await;
    let begun = begin(&harness, &client).await;
    let mut browser = Browser::default();
    let page = typed(&harness, &mut browser, begun["user_code"].as_str().unwrap()).await;
    let answer = browser.submit(&harness, &page, &[("decision", "cancel")]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body.contains("was not connected"), "{}", answer.body);
    assert_eq!(poll(&harness, &client, &begun).await.error(), "access_denied");
    let code = [("user_code", begun["user_code"].as_str().unwrap())];
    let again = browser.send(&harness, form_request("/device", &code)).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN, "the code opens nothing any more");
}

/// SEC-36: polling faster than the interval -> `slow_down`, five seconds more each time, remembered
#[tokio::test]
async fn whoever_asks_too_early_waits_longer() {
    let harness = harness().await;
    let client = device_client(&harness).await;
    let begun = begin(&harness, &client).await;
    let cases = [
        (0, "authorization_pending"),
        (5, "authorization_pending"),
        (4, "slow_down"),
        (9, "slow_down"),
        (10, "slow_down"),
        (20, "authorization_pending"),
        (19, "slow_down"),
        (25, "authorization_pending"),
    ];
    for (after, expected) in cases {
        harness.advance(Duration::from_secs(after));
        assert_eq!(poll(&harness, &client, &begun).await.error(), expected, "after {after} s");
    }
}

/// SEC-36: ten polls of an approved code at once -> one gets tokens, nine get `invalid_grant`
/// SEC-36: a used device code again -> 400 `invalid_grant`
#[tokio::test]
async fn a_device_code_is_used_once() {
    let harness = harness().await;
    let client = device_client(&harness).await;
    let begun = begin(&harness, &client).await;
    allow(&harness, &mut Browser::default(), begun["user_code"].as_str().unwrap()).await;
    let code = begun["device_code"].as_str().unwrap().to_owned();
    let polls = (0..10).map(|_| {
        let form = [("grant_type", GRANT_TYPE), ("client_id", &*client), ("device_code", &*code)];
        let (router, request) = (harness.router.clone(), form_request("/token", &form));
        tokio::spawn(async move { router.oneshot(request).await.unwrap().status() })
    });
    let statuses = futures_util::future::join_all(polls.collect::<Vec<_>>()).await;
    let issued = statuses.iter().filter(|status| *status.as_ref().unwrap() == StatusCode::OK).count();
    assert_eq!(issued, 1);
    assert_eq!(poll(&harness, &client, &begun).await.error(), "invalid_grant");
}

/// SEC-36: another client's device code, one that never was, one too late -> `invalid_grant`, `invalid_grant`, `expired_token`
#[tokio::test]
async fn a_device_code_is_its_clients_own() {
    let harness = harness().await;
    let (client, other) = (device_client(&harness).await, device_client(&harness).await);
    let begun = begin(&harness, &client).await;
    assert_eq!(poll(&harness, &other, &begun).await.error(), "invalid_grant");
    let unknown = json!({ "device_code": "unknown" });
    assert_eq!(poll(&harness, &client, &unknown).await.error(), "invalid_grant");
    harness.advance(Duration::from_mins(10));
    assert_eq!(poll(&harness, &client, &begun).await.error(), "expired_token");
    let code = [("user_code", begun["user_code"].as_str().unwrap())];
    let late = Browser::default().send(&harness, form_request("/device", &code)).await;
    assert_eq!(late.status, StatusCode::FORBIDDEN);
}

/// SEC-35: guessing user codes -> 429 with Retry-After for the address that guesses, not for another
#[tokio::test]
async fn guessing_is_slowed() {
    let harness = harness().await;
    let client = device_client(&harness).await;
    let begun = begin(&harness, &client).await;
    let from = |address: [u8; 4], code: &str| {
        let mut request: Request<axum::body::Body> = form_request("/device", &[("user_code", code)]);
        request.extensions_mut().insert(ClientAddress(IpAddr::from(address)));
        request
    };
    let mut wrong = 0;
    let limited = loop {
        let answer = harness.send(from([203, 0, 113, 1], "BCDF-GHJK")).await;
        if answer.status != StatusCode::FORBIDDEN {
            break answer;
        }
        wrong += 1;
        assert!(wrong < 100, "never limited");
    };
    assert_eq!(limited.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(limited.header(http::header::RETRY_AFTER).is_some());
    let code = begun["user_code"].as_str().unwrap();
    assert_eq!(harness.send(from([203, 0, 113, 1], code)).await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(harness.send(from([198, 51, 100, 1], code)).await.status, StatusCode::SEE_OTHER);
}

/// SEC-38: a client that registered itself, while only the operator's may -> `unauthorized_client`
/// SEC-38: a client that is not registered for device codes -> `unauthorized_client`
#[tokio::test]
async fn strangers_need_the_operators_leave() {
    let harness = harness().await;
    let without = client(&harness, &["authorization_code"]).await;
    let form = [("client_id", without.as_str())];
    assert_eq!(harness.post_form("/device_authorization", &form).await.error(), "unauthorized_client");

    let default = Harness::new().await;
    let client = device_client(&default).await;
    let form = [("client_id", client.as_str())];
    let answer = default.post_form("/device_authorization", &form).await;
    assert_eq!((answer.status, answer.error().as_str()), (StatusCode::BAD_REQUEST, "unauthorized_client"));

    let off = OAuthConfig { device_clients: DeviceClients::Off, ..config() };
    let off = Harness::with(off, Arc::new(MemoryStore::default()), vec![static_users()]).await;
    assert_eq!(off.get("/device").await.status, StatusCode::NOT_FOUND);
    let metadata = off.get("/.well-known/oauth-authorization-server").await.json();
    assert!(metadata.get("device_authorization_endpoint").is_none());
    let metadata = default.get("/.well-known/oauth-authorization-server").await.json();
    assert_eq!(metadata["device_authorization_endpoint"], "http://localhost:8080/device_authorization");
}

/// SEC-19: an unknown resource or scope at the device authorization endpoint -> `invalid_target`, `invalid_scope`
/// SEC-23: an unknown client, parameters in the URL, a repeated parameter -> 401 `invalid_client`, 400 `invalid_request`
#[tokio::test]
async fn device_requests_are_read_strictly() {
    let harness = harness().await;
    let client = device_client(&harness).await;
    let ask = async |path: &str, form: &[(&str, &str)]| harness.post_form(path, form).await.error();
    let id = ("client_id", client.as_str());
    let path = "/device_authorization";
    assert_eq!(ask(path, &[id, ("resource", "https://other.example")]).await, "invalid_target");
    assert_eq!(ask(path, &[id, ("scope", "nonsense")]).await, "invalid_scope");
    assert_eq!(ask(path, &[("client_id", "unknown")]).await, "invalid_client");
    assert_eq!(ask("/device_authorization?x=1", &[id]).await, "invalid_request");
    assert_eq!(ask(path, &[id, ("scope", "platform"), ("scope", "platform")]).await, "invalid_request");
}

/// SEC-36: codes asked for again and again from one address -> 429 with Retry-After, others still get theirs
#[tokio::test]
async fn one_address_does_not_take_every_code() {
    let harness = harness().await;
    let client = device_client(&harness).await;
    let from = |last: u8| {
        let mut request =
            form_request("/device_authorization", &[("client_id", &client), ("scope", "platform")]);
        request.extensions_mut().insert(ClientAddress(IpAddr::from([198, 51, 100, last])));
        harness.send(request)
    };
    let mut refused = None;
    for _ in 0..100 {
        let answer = from(1).await;
        if answer.status != StatusCode::OK {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a limit");
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{}", refused.body);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(from(2).await.status, StatusCode::OK);
}
