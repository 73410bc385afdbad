//! Introspection.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use http::{Method, StatusCode, header};
use oauth_server::store::MemoryStore;
use serde_json::{Value, json};

use crate::support::{Answer, Harness, ORIGIN, REDIRECT, RESOURCE, claims, config, request, static_users};

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A client with a secret, and tokens that a person let it have.
struct Confidential {
    id: String,
    secret: String,
    tokens: Value,
}

impl Confidential {
    async fn new(harness: &Harness) -> Self {
        let body = json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "client_secret_post" });
        let registered = harness.post_json("/register", &body).await.json();
        let (id, secret) = (text(&registered["client_id"]), text(&registered["client_secret"]));
        let code = harness.code(id).await;
        let mut redeem = crate::support::redeem_params(id, &code);
        redeem.push(("client_secret", secret));
        let tokens = harness.post_form("/token", &redeem).await.json();
        Self { id: id.to_owned(), secret: secret.to_owned(), tokens }
    }

    async fn ask(&self, harness: &Harness, token: &str) -> Answer {
        let form =
            [("client_id", self.id.as_str()), ("client_secret", self.secret.as_str()), ("token", token)];
        harness.post_form("/introspect", &form).await
    }

    fn token(&self, kind: &str) -> &str {
        text(&self.tokens[kind])
    }
}

fn inactive() -> Value {
    json!({ "active": false })
}

#[tokio::test]
async fn a_client_learns_about_its_own_tokens() {
    let harness = Harness::new().await;
    let client = Confidential::new(&harness).await;
    let access = client.ask(&harness, client.token("access_token")).await;
    assert_eq!(access.header(header::CACHE_CONTROL), Some("no-store"));
    let signed = claims(client.token("access_token"));
    let expected = json!({
        "active": true, "token_type": "Bearer", "iss": ORIGIN, "aud": RESOURCE, "scope": "platform",
        "client_id": client.id, "sub": "auth0|ada/é", "idp": format!("{ORIGIN}/local"), "tenant": "acme",
        "iat": signed["iat"], "exp": signed["exp"], "jti": signed["jti"],
    });
    assert_eq!(access.json(), expected);
    let refresh = client.ask(&harness, client.token("refresh_token")).await.json();
    let expected = json!({
        "active": true, "iss": ORIGIN, "aud": RESOURCE, "scope": "platform", "client_id": client.id,
        "sub": "auth0|ada/é", "idp": format!("{ORIGIN}/local"), "tenant": "acme",
        "exp": signed["iat"].as_u64().unwrap() + 30 * 24 * 3600,
    });
    assert_eq!(refresh, expected);
    let form = [("client_id", client.id.as_str()), ("client_secret", client.secret.as_str()), ("token", "x")];
    assert_eq!(harness.post_form("/auth/introspect", &form).await.json(), inactive());
}

/// SEC-22: introspecting another client's, an unknown, a forged or an ID-like token -> the same `{"active": false}`
#[tokio::test]
async fn what_is_not_theirs_looks_like_what_does_not_exist() {
    let harness = Harness::new().await;
    let (client, other) = (Confidential::new(&harness).await, Confidential::new(&harness).await);
    let access = client.token("access_token");
    let forged = format!("{}x", access.trim_end_matches(char::is_alphanumeric));
    let long = "x".repeat(10_000);
    for token in [access, client.token("refresh_token"), "unknown", "a.b.c", &forged, &long, "é"] {
        let answer = other.ask(&harness, token).await;
        assert_eq!((answer.status, answer.json()), (StatusCode::OK, inactive()), "{token}");
    }
    assert_eq!(client.ask(&harness, access).await.json()["active"], true);
}

/// SEC-22: introspecting a token of a grant that any replica revoked -> `{"active": false}` at once
/// SEC-18: introspecting a refresh token that was used -> `{"active": false}`
#[tokio::test]
async fn what_is_over_is_not_active() {
    let harness = Harness::new().await;
    let client = Confidential::new(&harness).await;
    let refresh = client.token("refresh_token");
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", client.id.as_str()),
        ("client_secret", client.secret.as_str()),
        ("refresh_token", refresh),
    ];
    let newer = harness.post_form("/token", &form).await.json();
    assert_eq!(client.ask(&harness, refresh).await.json(), inactive());
    let tokens = [client.token("access_token"), text(&newer["access_token"]), text(&newer["refresh_token"])];
    for token in tokens {
        assert_eq!(client.ask(&harness, token).await.json()["active"], true);
    }
    // As another replica does it: in the store only.
    let session = claims(tokens[0])["sid"].as_str().unwrap().to_owned();
    harness.store.revoke_grant(&session, harness.now()).await.unwrap();
    for token in tokens {
        assert_eq!(client.ask(&harness, token).await.json(), inactive());
    }
    let fresh = Confidential::new(&harness).await;
    harness.advance(Duration::from_mins(15));
    assert_eq!(fresh.ask(&harness, fresh.token("access_token")).await.json(), inactive(), "expired");
    assert_eq!(fresh.ask(&harness, fresh.token("refresh_token")).await.json()["active"], true);
    harness.advance(Duration::from_hours(30 * 24));
    assert_eq!(fresh.ask(&harness, fresh.token("refresh_token")).await.json(), inactive(), "expired");
}

/// SEC-22: introspection by nobody, by a public client, with a wrong secret -> 401 `invalid_client`
/// SEC-23: introspection by GET, in the URL, as JSON, 20 kB, with a repeated or no token -> 405, 400, 415 or 413
#[tokio::test]
async fn nobody_asks_without_saying_who() {
    let harness = Harness::new().await;
    let client = Confidential::new(&harness).await;
    let public = harness.client().await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let own = format!("client_id={}&client_secret={}", client.id, client.secret);
    let token = client.token("access_token");
    let cases = [
        (Method::POST, "/introspect", &form[..], format!("token={token}"), 401),
        (Method::POST, "/introspect", &form, format!("token={token}&client_id={public}"), 401),
        (Method::POST, "/introspect", &form, format!("token={token}&client_id={}", client.id), 401),
        (Method::POST, "/introspect", &form, format!("token={token}&{own}x"), 401),
        (Method::POST, "/introspect", &form, own.clone(), 400),
        (Method::POST, "/introspect", &form, format!("{own}&token={token}&token={token}"), 400),
        (Method::POST, "/introspect?token=x", &form, own.clone(), 400),
        (Method::POST, "/introspect", &[], own.clone(), 415),
        (Method::POST, "/introspect", &form, format!("{own}&token={}", "x".repeat(20_000)), 413),
        (Method::GET, "/introspect?token=x", &[], String::new(), 405),
    ];
    for (method, path, headers, body, status) in cases {
        let answer = harness.send(request(method, path, headers, &body)).await;
        assert_eq!(answer.status.as_u16(), status, "{body}");
        assert!(!answer.body.contains(token) && !answer.body.contains(&client.secret));
        if status == 401 {
            assert_eq!(answer.error(), "invalid_client");
            assert!(answer.headers.contains_key(header::WWW_AUTHENTICATE));
        }
    }
}

/// SEC-22: guessing tokens by introspection -> 429 with Retry-After, other clients go on
#[tokio::test]
async fn a_client_that_asks_too_often_is_slowed() {
    let config =
        oauth_server::OAuthConfig { introspections_per_minute: NonZeroU32::new(4).unwrap(), ..config() };
    let harness = Harness::with(config, Arc::new(MemoryStore::default()), vec![static_users()]).await;
    let client = Confidential::new(&harness).await;
    for _ in 0..2 {
        assert_eq!(client.ask(&harness, "guess").await.json(), inactive());
    }
    let slowed = client.ask(&harness, "guess").await;
    assert_eq!(
        (slowed.status, slowed.error().as_str()),
        (StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable")
    );
    assert!(slowed.header(header::RETRY_AFTER).unwrap().parse::<u64>().unwrap() <= 15);
    // Few names share a limit: of three others one at least does not share this one.
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(Confidential::new(&harness).await.ask(&harness, "guess").await.status);
    }
    assert!(others.contains(&StatusCode::OK), "{others:?}");
}
