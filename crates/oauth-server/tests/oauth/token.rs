//! The token endpoint: every refusal, rotation and replay.

use std::{sync::Arc, time::Duration};

use http::{Method, StatusCode, header};
use oauth_server::{OAuthConfig, store::MemoryStore};
use serde_json::{Value, json};

use crate::provider::Provider;
use crate::support::{
    HOSTS, Harness, ORIGIN, REDIRECT, RESOURCE, VERIFIER, basic, claims, config, form_request, query,
    redeem_params, request, resource, static_users, with,
};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn sid(tokens: &Value) -> String {
    text(&claims(text(&tokens["access_token"]))["sid"]).to_owned()
}

/// SEC-23: tokens and errors in a cache -> no-store on both
#[tokio::test]
async fn answers_are_never_stored() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let code = harness.code(&client).await;
    let good = harness.post_form("/token", &redeem_params(&client, &code)).await;
    let bad = harness.post_form("/token", &[]).await;
    for answer in [good, bad] {
        assert_eq!(answer.header(header::CACHE_CONTROL), Some("no-store"));
        assert_eq!(answer.header(header::PRAGMA), Some("no-cache"));
        assert_eq!(answer.header(header::CONTENT_TYPE), Some("application/json"));
    }
}

/// SEC-7: a missing, short, long, ill-formed or wrong verifier -> 400 `invalid_request` or `invalid_grant`, the code stays good
/// SEC-8: a code with another client or redirect -> 400 `invalid_grant`, the code stays good
/// SEC-19: a code with another, repeated resource or one with a fragment -> 400 `invalid_target`
/// SEC-23: the grant types `password` and `implicit` -> 400 `unsupported_grant_type`
#[tokio::test]
async fn a_bad_redemption_is_refused_and_the_code_stays_good() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let other = harness.client().await;
    let code = harness.code(&client).await;
    let good = || redeem_params(&client, &code);
    let wrong_verifier = "x".repeat(43);
    let long_verifier = "x".repeat(129);
    let cases = [
        ("invalid_request", with(good(), "grant_type", None)),
        ("unsupported_grant_type", with(good(), "grant_type", Some("password"))),
        ("unsupported_grant_type", with(good(), "grant_type", Some("implicit"))),
        ("invalid_client", with(good(), "client_id", None)),
        ("invalid_client", with(good(), "client_id", Some("nobody"))),
        ("invalid_client", with(good(), "client_secret", Some("guess"))),
        ("invalid_grant", with(good(), "client_id", Some(&other))),
        ("invalid_request", with(good(), "code", None)),
        ("invalid_request", with(good(), "code", Some(""))),
        ("invalid_grant", with(good(), "code", Some("unknown"))),
        ("invalid_request", with(good(), "code_verifier", None)),
        ("invalid_request", with(good(), "code_verifier", Some("short"))),
        ("invalid_request", with(good(), "code_verifier", Some(&long_verifier))),
        (
            "invalid_request",
            with(good(), "code_verifier", Some("not/unreserved/characters/are/refused/here/xxx")),
        ),
        ("invalid_grant", with(good(), "code_verifier", Some(&wrong_verifier))),
        ("invalid_grant", with(good(), "redirect_uri", None)),
        ("invalid_grant", with(good(), "redirect_uri", Some("http://localhost/callback"))),
        ("invalid_grant", with(good(), "redirect_uri", Some("https://claude.ai/api/mcp/auth_callback?"))),
        ("invalid_target", with(good(), "resource", Some("https://other.example/mcp"))),
        ("invalid_target", with(good(), "resource", Some("http://localhost:8080/mcp/platform#f"))),
        ("invalid_target", [good(), vec![("resource", RESOURCE), ("resource", RESOURCE)]].concat()),
        ("invalid_request", [good(), vec![("code", code.as_str())]].concat()),
        ("invalid_request", [good(), vec![("unknown", "1"), ("unknown", "2")]].concat()),
    ];
    for (error, form) in cases {
        let answer = harness.post_form("/token", &form).await;
        assert_eq!(answer.error(), error, "{form:?}");
        let status = if error == "invalid_client" { 401 } else { 400 };
        assert_eq!(answer.status.as_u16(), status, "{form:?}");
        assert_eq!(answer.headers.contains_key(header::WWW_AUTHENTICATE), status == 401, "{form:?}");
        assert!(!answer.body.contains(&code), "{form:?}");
    }
    assert_eq!(harness.post_form("/token", &good()).await.status, StatusCode::OK);
}

/// SEC-23: GET, a query, JSON, no content type, 20 kB, a broken encoding at /token -> 405, 400, 415 or 413
#[tokio::test]
async fn only_a_posted_form_is_read() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let code = harness.code(&client).await;
    let body = query(&redeem_params(&client, &code));
    let json_body = json!({ "grant_type": "authorization_code", "code": code }).to_string();
    let large = format!("{body}&x={}", "x".repeat(20_000));
    let with_query = format!("/token?{body}");
    let cases = [
        (request(Method::GET, &with_query, &[], ""), StatusCode::METHOD_NOT_ALLOWED),
        (request(Method::POST, &with_query, &[FORM], ""), StatusCode::BAD_REQUEST),
        (request(Method::POST, "/token?client_secret=x", &[FORM], &body), StatusCode::BAD_REQUEST),
        (
            request(Method::POST, "/token", &[("content-type", "application/json")], &json_body),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (request(Method::POST, "/token", &[], &body), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (request(Method::POST, "/token", &[FORM], &large), StatusCode::PAYLOAD_TOO_LARGE),
        (request(Method::POST, "/token", &[FORM], "code=%ff"), StatusCode::BAD_REQUEST),
    ];
    for (request, status) in cases {
        let shown = format!("{request:?}");
        assert_eq!(harness.send(request).await.status, status, "{shown}");
    }
    assert_eq!(harness.send(request(Method::POST, "/token", &[FORM], &body)).await.status, StatusCode::OK);
}

/// SEC-8: a used code with a wrong verifier -> 400 `invalid_grant`, the grant lives on
/// SEC-8: a used code, fully valid -> 400 `invalid_grant`, the grant and its refreshed tokens are revoked
#[tokio::test]
async fn a_valid_replay_revokes_and_one_with_a_wrong_verifier_does_not() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let code = harness.code(&client).await;
    let tokens = harness.post_form("/token", &redeem_params(&client, &code)).await.json();
    let wrong = "x".repeat(43);
    let attack = with(redeem_params(&client, &code), "code_verifier", Some(&wrong));
    assert_eq!(harness.post_form("/token", &attack).await.error(), "invalid_grant");
    assert!(!harness.server.revocations().is_revoked(&sid(&tokens)));
    let refreshed = harness.refresh(&client, text(&tokens["refresh_token"])).await.json();

    let replay = harness.post_form("/token", &redeem_params(&client, &code)).await;
    assert_eq!(replay.error(), "invalid_grant");
    assert!(harness.server.revocations().is_revoked(&sid(&tokens)));
    let dead = harness.refresh(&client, text(&refreshed["refresh_token"])).await;
    assert_eq!(dead.error(), "invalid_grant");
    assert!(harness.events().contains(&"token_revoke success code_replayed".to_owned()));
}

/// SEC-8: a code after sixty seconds -> 400 `invalid_grant`
#[tokio::test]
async fn a_code_lives_for_sixty_seconds() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let (early, late) = (harness.code(&client).await, harness.code(&client).await);
    harness.advance(Duration::from_secs(59));
    assert_eq!(harness.post_form("/token", &redeem_params(&client, &early)).await.status, StatusCode::OK);
    harness.advance(Duration::from_secs(1));
    assert_eq!(harness.post_form("/token", &redeem_params(&client, &late)).await.error(), "invalid_grant");
}

/// SEC-18: a refresh by a client that did not register for it -> 400 `unauthorized_client`
#[tokio::test]
async fn a_client_that_did_not_register_for_refresh_tokens_gets_none() {
    let harness = Harness::new().await;
    let body = json!({ "redirect_uris": [REDIRECT], "grant_types": ["authorization_code"] });
    let registered = harness.post_json("/register", &body).await.json();
    let client = text(&registered["client_id"]);
    let tokens = harness.tokens(client).await;
    assert!(!tokens.as_object().unwrap().contains_key("refresh_token"));
    assert_eq!(harness.refresh(client, "any").await.error(), "unauthorized_client");
}

/// SEC-23: no, a wrong, an empty secret, another scheme, two ways at once -> 401 `invalid_client` or 400 `invalid_request`
#[tokio::test]
async fn a_confidential_client_proves_itself_by_header_or_form() {
    let harness = Harness::with(config(), Arc::new(MemoryStore::default()), vec![static_users()]).await;
    let body = json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "client_secret_basic" });
    let registered = harness.post_json("/register", &body).await.json();
    let (client, secret) = (text(&registered["client_id"]), text(&registered["client_secret"]));
    let send = async |authorization: Option<String>, extra: &[(&str, &str)]| {
        let code = harness.code(client).await;
        let form = [with(redeem_params(client, &code), "client_id", None), extra.to_vec()].concat();
        let mut request = form_request("/token", &form);
        if let Some(value) = authorization {
            request.headers_mut().insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        let answer = harness.send(request).await;
        (answer.status.as_u16(), answer.json()["error"].as_str().map(str::to_owned))
    };
    let refused = |status, error: &str| (status, Some(error.to_owned()));
    assert_eq!(send(Some(basic(client, secret)), &[]).await, (200, None));
    assert_eq!(send(Some(basic(client, secret)), &[("client_id", client)]).await, (200, None));
    assert_eq!(send(None, &[("client_id", client), ("client_secret", secret)]).await, (200, None));
    assert_eq!(send(None, &[("client_id", client)]).await, refused(401, "invalid_client"));
    assert_eq!(send(Some(basic(client, "wrong")), &[]).await, refused(401, "invalid_client"));
    assert_eq!(send(Some(basic(client, "")), &[]).await, refused(401, "invalid_client"));
    assert_eq!(send(Some("Bearer x".into()), &[("client_id", client)]).await, refused(401, "invalid_client"));
    let both = send(Some(basic(client, secret)), &[("client_secret", secret)]).await;
    assert_eq!(both, refused(400, "invalid_request"));
    let two = send(Some(basic(client, secret)), &[("client_id", "other")]).await;
    assert_eq!(two, refused(400, "invalid_request"));
}

/// SEC-23: a refused code, secret and verifier -> the answer repeats none of them
#[tokio::test]
async fn nothing_secret_is_in_any_refusal() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let form = with(redeem_params(&client, "canary-code"), "client_secret", Some("canary-secret"));
    let answer = harness.post_form("/token", &form).await;
    for secret in ["canary-code", "canary-secret", VERIFIER] {
        assert!(!answer.body.contains(secret));
    }
}

/// SEC-18: a code or refresh token whose resource, provider or redirect was taken off the configuration -> 400 `invalid_grant`
#[tokio::test]
async fn a_grant_ends_when_what_it_rests_on_is_no_longer_configured() {
    let store: Arc<MemoryStore> = Arc::default();
    let harness = Harness::on(Arc::clone(&store) as _).await;
    let client = harness.client().await;
    let code = harness.code(&client).await;
    let tokens = harness.tokens(&client).await;
    let elsewhere = OAuthConfig::new(ORIGIN, vec![resource("/mcp/other")]);
    let provider = Provider::start(0).await;
    let changed = [
        (HOSTS, elsewhere, static_users()),
        (HOSTS, config(), provider.source("idp")),
        ("quilt://", config(), static_users()),
    ];
    for (hosts, config, source) in changed {
        let harness = Harness::listing(hosts, config, Arc::clone(&store) as _, vec![source]).await;
        let redeemed = harness.post_form("/token", &redeem_params(&client, &code)).await;
        assert_eq!(redeemed.error(), "invalid_grant");
        let refreshed = harness.refresh(&client, text(&tokens["refresh_token"])).await;
        assert_eq!(refreshed.error(), "invalid_grant");
    }
    assert_eq!(harness.refresh(&client, text(&tokens["refresh_token"])).await.status, StatusCode::OK);
}
