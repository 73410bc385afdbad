//! A provider ends sign-ins.

use std::sync::Arc;

use http::StatusCode;
use oauth_server::store::MemoryStore;
use serde_json::{Value, json};

use crate::{
    provider::Provider,
    support::{
        Answer, Browser, Harness, authorize_params, authorize_url, claims, config, redeem_params,
        static_users,
    },
};

const LOGOUT: &str = "logout+jwt";

async fn start() -> (Harness, Arc<Provider>) {
    let provider = Provider::start(1_800_000_000).await;
    let sources = vec![provider.source("idp"), static_users()];
    (Harness::with(config(), Arc::new(MemoryStore::default()), sources).await, provider)
}

/// Signs in at the provider and gives the client and its tokens.
async fn signed_in(harness: &Harness, provider: &Provider) -> (String, Value) {
    let client = harness.client().await;
    let mut browser = Browser::default();
    let chooser = browser.allow(harness, &authorize_url(&authorize_params(&client))).await;
    let chosen = browser.submit(harness, &chooser, &[("idp", "idp")]).await;
    let upstream = browser.get(harness, chosen.location()).await;
    let back = format!("/callback/idp?{}", provider.sign_in(upstream.location()));
    let code = browser.get(harness, &back).await.location_param("code").unwrap();
    let tokens = harness.post_form("/token", &redeem_params(&client, &code)).await.json();
    (client, tokens)
}

async fn send(harness: &Harness, token: &str) -> Answer {
    harness.post_form("/backchannel-logout/idp", &[("logout_token", token)]).await
}

#[tokio::test]
async fn a_logout_token_ends_what_the_sign_in_began() {
    let (harness, provider) = start().await;
    let (client, tokens) = signed_in(&harness, &provider).await;
    let session = claims(tokens["access_token"].as_str().unwrap())["sid"].as_str().unwrap().to_owned();
    assert!(!harness.server.revocations().is_revoked(&session));
    let mut other = provider.logout_claims();
    other["sid"] = json!("another session");
    other["jti"] = json!("logout-0");
    assert_eq!(send(&harness, &provider.sign(LOGOUT, &other)).await.status, StatusCode::OK);
    assert!(!harness.server.revocations().is_revoked(&session), "another session of the person");

    let token = provider.sign(LOGOUT, &provider.logout_claims());
    let answer = send(&harness, &token).await;
    assert_eq!((answer.status, answer.header("cache-control")), (StatusCode::OK, Some("no-store")));
    assert!(harness.server.revocations().is_revoked(&session));
    let refreshed = harness.refresh(&client, tokens["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refreshed.error(), "invalid_grant");
    assert!(harness.events().contains(&"token_revoke success upstream_logout".to_owned()));
}

#[tokio::test]
async fn a_logout_token_without_a_session_ends_all_of_the_person() {
    let (harness, provider) = start().await;
    let (_, one) = signed_in(&harness, &provider).await;
    let (_, two) = signed_in(&harness, &provider).await;
    let mut claims_of = provider.logout_claims();
    claims_of.as_object_mut().unwrap().remove("sid");
    assert_eq!(send(&harness, &provider.sign("JWT", &claims_of)).await.status, StatusCode::OK);
    for tokens in [one, two] {
        let session = claims(tokens["access_token"].as_str().unwrap())["sid"].as_str().unwrap().to_owned();
        assert!(harness.server.revocations().is_revoked(&session));
    }
}

/// SEC-13: a logout token used again, of another issuer, for another client, expired, from the future, without the event, with a nonce, changed, or an ID token in its place -> 400, nothing is revoked
#[tokio::test]
async fn only_a_fresh_genuine_logout_token_ends_anything() {
    type Change = fn(&mut Value);
    let (harness, provider) = start().await;
    let (client, tokens) = signed_in(&harness, &provider).await;
    let cases: [(&str, Change); 11] = [
        ("another issuer", |claims| claims["iss"] = json!("https://elsewhere.example")),
        ("another client", |claims| claims["aud"] = json!("elsewhere")),
        ("expired", |claims| claims["exp"] = json!(1_799_999_999)),
        ("from the future", |claims| claims["iat"] = json!(1_800_000_900)),
        ("no event", |claims| claims["events"] = json!({})),
        ("another event", |claims| claims["events"] = json!({ "https://other.example": {} })),
        ("an event that is no object", |claims| {
            claims["events"] = json!({ "http://schemas.openid.net/event/backchannel-logout": true });
        }),
        ("a nonce", |claims| claims["nonce"] = json!("n")),
        ("no jti", |claims| claims["jti"] = Value::Null),
        ("no subject", |claims| claims["sub"] = Value::Null),
        ("no expiry", |claims| claims["exp"] = Value::Null),
    ];
    for (name, change) in cases {
        let mut changed = provider.logout_claims();
        change(&mut changed);
        changed.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let answer = send(&harness, &provider.sign(LOGOUT, &changed)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{name}: {}", answer.body);
    }
    let good = provider.sign(LOGOUT, &provider.logout_claims());
    let mut parts: Vec<&str> = good.split('.').collect();
    parts[2] = "AAAA";
    assert_eq!(send(&harness, &parts.join(".")).await.status, StatusCode::BAD_REQUEST, "a bad signature");
    assert_eq!(send(&harness, "").await.status, StatusCode::BAD_REQUEST);
    let access = provider.sign("at+jwt", &provider.logout_claims());
    assert_eq!(send(&harness, &access).await.status, StatusCode::BAD_REQUEST, "an access token");
    let elsewhere = harness.post_form("/backchannel-logout/local", &[("logout_token", &good)]).await;
    assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);
    let refreshed = harness.refresh(&client, tokens["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refreshed.status, StatusCode::OK, "nothing was revoked");

    assert_eq!(send(&harness, &good).await.status, StatusCode::OK);
    assert_eq!(send(&harness, &good).await.status, StatusCode::BAD_REQUEST, "twice");
}

#[tokio::test]
async fn an_address_names_the_provider_by_its_domain() {
    let provider = Provider::start(1_800_000_000).await;
    let example = provider.source_with("example", |config| config.domains = vec!["example.com".into()]);
    let sources = vec![example, provider.source("other")];
    let harness = Harness::with(config(), Arc::new(MemoryStore::default()), sources).await;
    let client = harness.client().await;
    let mut browser = Browser::default();
    let chooser = browser.allow(&harness, &authorize_url(&authorize_params(&client))).await;
    assert!(chooser.body.contains("type=\"email\""), "{}", chooser.body);
    let unknown = browser.submit(&harness, &chooser, &[("email", "ada@elsewhere.example")]).await;
    assert_eq!(unknown.status, StatusCode::FORBIDDEN);
    assert!(unknown.body.contains("No organisation is known"), "{}", unknown.body);
    for address in ["ada", "ada@sub.example.com", "ada@example.com.evil.test", "@"] {
        let answer = browser.submit(&harness, &chooser, &[("email", address)]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{address}");
    }
    let upstream = browser.submit(&harness, &chooser, &[("email", " Ada@EXAMPLE.com ")]).await;
    assert_eq!(upstream.status, StatusCode::SEE_OTHER, "{}", upstream.body);
    assert!(upstream.location().starts_with(&provider.issuer));
    assert_eq!(upstream.location_param("redirect_uri").unwrap(), "http://localhost:8080/callback/example");
    assert_eq!(upstream.location_param("login_hint").as_deref(), Some("Ada@EXAMPLE.com"));
}
