//! Dynamic registration: what is kept, what is dropped, what is refused.

use std::{sync::Arc, time::Duration};

use http::{Method, StatusCode, header};
use oauth_server::store::MemoryStore;
use serde_json::{Value, json};

use crate::support::{Harness, REDIRECT, config, request, static_users};

#[tokio::test]
async fn the_least_a_client_says_makes_it_a_public_client() {
    let harness = Harness::new().await;
    let answer = harness.post_json("/register", &json!({ "redirect_uris": [REDIRECT] })).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.header(header::CACHE_CONTROL), Some("no-store"));
    let mut body = answer.json();
    let body = body.as_object_mut().unwrap();
    assert_eq!(body.remove("client_id").unwrap().as_str().unwrap().len(), 22);
    assert!(body.remove("client_id_issued_at").unwrap().is_u64());
    assert_eq!(body.remove("registration_access_token").unwrap().as_str().unwrap().len(), 43);
    let uri = body.remove("registration_client_uri").unwrap();
    assert!(uri.as_str().unwrap().starts_with("http://localhost:8080/register/"));
    let expected = json!({
        "redirect_uris": [REDIRECT],
        "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
    });
    assert_eq!(Value::Object(body.clone()), expected);
}

/// SEC-5, SEC-39: `javascript:` and a host that is not listed beside good redirects -> dropped and reported
#[tokio::test]
async fn each_redirect_is_judged_and_the_dropped_ones_are_reported() {
    let harness = Harness::new().await;
    let body = json!({
        "client_name": "Cursor",
        "application_type": "native",
        "scope": "platform",
        "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
        "redirect_uris": [
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "http://localhost:8787/callback",
            "http://localhost:8787/callback",
            "javascript:alert(1)",
        ],
        "contacts": ["someone@example.com"],
        "logo_uri": null,
    });
    let answer = harness.post_json("/register", &body).await.json();
    let kept = ["cursor://anysphere.cursor-mcp/oauth/callback", "http://localhost:8787/callback"];
    assert_eq!(answer["redirect_uris"], json!(kept));
    assert_eq!(answer["client_name"], "Cursor");
    assert_eq!(answer["application_type"], "native");
    assert_eq!(answer["scope"], "platform");
    assert_eq!(answer["grant_types"], json!(["authorization_code", "refresh_token"]));
    assert!(answer.as_object().unwrap().values().all(|value| !value.is_null()));
    let dropped = answer["dropped_redirect_uris"].as_array().unwrap();
    assert_eq!(dropped.len(), 2);
    assert_eq!(dropped[0]["redirect_uri"], "https://www.cursor.com/agents/mcp/oauth/callback");
    assert_eq!(dropped[0]["reason"], "not_listed");
}

#[tokio::test]
async fn a_confidential_client_gets_a_secret_once() {
    let harness = Harness::new().await;
    for method in ["client_secret_basic", "client_secret_post"] {
        let body = json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": method });
        let answer = harness.post_json("/register", &body).await.json();
        assert_eq!(answer["token_endpoint_auth_method"], method);
        assert_eq!(answer["client_secret"].as_str().unwrap().len(), 43);
        assert_eq!(answer["client_secret_expires_at"], 0);
        let kept = harness.store.client(answer["client_id"].as_str().unwrap()).await.unwrap().unwrap();
        assert!(!format!("{kept:?}").contains(answer["client_secret"].as_str().unwrap()));
    }
}

/// SEC-4: userinfo, fragment, dot segments, `code` or `iss` in a redirect -> 400 `invalid_redirect_uri`
/// SEC-12: a client name with control characters or direction marks -> 400 `invalid_client_metadata`
/// SEC-39: redirects of hosts that are not listed, too many, none -> 400 `invalid_redirect_uri`
#[tokio::test]
async fn bad_metadata_is_refused_with_the_right_code() {
    let harness = Harness::new().await;
    let with = |member: &str, value: Value| json!({ "redirect_uris": [REDIRECT], member: value });
    let many: Vec<String> = (0..33).map(|n| format!("https://claude.ai/{n}")).collect();
    let redirect = "invalid_redirect_uri";
    let metadata = "invalid_client_metadata";
    let cases = [
        (json!({}), redirect),
        (json!({ "redirect_uris": [] }), redirect),
        (json!({ "redirect_uris": null }), redirect),
        (json!({ "redirect_uris": ["https://evil.example/"] }), redirect),
        (json!({ "redirect_uris": ["https://claude.ai/#f"] }), redirect),
        (json!({ "redirect_uris": ["https://u@claude.ai/"] }), redirect),
        (json!({ "redirect_uris": ["https://claude.ai/a/../b"] }), redirect),
        (json!({ "redirect_uris": ["https://claude.ai/?code=1"] }), redirect),
        (json!({ "redirect_uris": ["https://claude.ai/?iss=1"] }), redirect),
        (json!({ "redirect_uris": ["/relative"] }), redirect),
        (json!({ "redirect_uris": many }), redirect),
        (json!({ "redirect_uris": "https://claude.ai/" }), metadata),
        (json!([]), metadata),
        (with("token_endpoint_auth_method", json!("private_key_jwt")), metadata),
        (with("grant_types", json!(["client_credentials"])), metadata),
        (with("grant_types", json!([])), metadata),
        (with("response_types", json!(["token"])), metadata),
        (with("application_type", json!("toaster")), metadata),
        (with("client_name", json!("x".repeat(129))), metadata),
        (with("client_name", json!(" ")), metadata),
        (with("client_name", json!("Cla\u{202e}ude")), metadata),
        (with("client_name", json!("Cla\nude")), metadata),
        (with("client_name", json!(7)), metadata),
        (with("scope", json!("a\"b")), metadata),
    ];
    for (body, error) in cases {
        let answer = harness.post_json("/register", &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer.error(), error, "{body}");
    }
    assert!(harness.events().iter().all(|event| event.starts_with("registration denied ")));
}

/// SEC-23, SEC-39: repeated members, 30,000 brackets, 40 kB, another content type, GET -> 400, 413, 415 or 405
#[tokio::test]
async fn other_bodies_are_refused_before_they_are_read() {
    let harness = Harness::new().await;
    let json_type = [("content-type", "application/json; charset=utf-8")];
    let cases = [
        (&json_type[..], "{", StatusCode::BAD_REQUEST),
        (&json_type[..], "", StatusCode::BAD_REQUEST),
        (&json_type[..], "\u{0}", StatusCode::BAD_REQUEST),
        (
            &json_type[..],
            r#"{"redirect_uris":[],"redirect_uris":["https://claude.ai/"]}"#,
            StatusCode::BAD_REQUEST,
        ),
        (&[("content-type", "text/plain")][..], "{}", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (&[][..], "{}", StatusCode::UNSUPPORTED_MEDIA_TYPE),
    ];
    for (headers, body, status) in cases {
        let answer = harness.send(request(Method::POST, "/register", headers, body)).await;
        assert_eq!(answer.status, status, "{body:?}");
        assert_eq!(answer.error(), "invalid_client_metadata");
    }
    let deep = "[".repeat(30_000);
    let answer = harness.send(request(Method::POST, "/register", &json_type, &deep)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let large = " ".repeat(40_000);
    let answer = harness.send(request(Method::POST, "/register", &json_type, &large)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(harness.get("/register").await.status, StatusCode::METHOD_NOT_ALLOWED);
}

/// SEC-39: registrations without end -> 503 with Retry-After, clients in use are kept
#[tokio::test]
async fn clients_that_nobody_used_are_bounded_and_the_oldest_give_way() {
    let mut config = config();
    config.max_unused_clients = 1;
    let harness = Harness::with(config, Arc::new(MemoryStore::default()), vec![static_users()]).await;
    let used = harness.client().await;
    harness.tokens(&used).await;
    let unused = harness.client().await;
    let full = harness.post_json("/register", &json!({ "redirect_uris": [REDIRECT] })).await;
    assert_eq!(full.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(full.error(), "temporarily_unavailable");
    assert!(full.headers.contains_key(header::RETRY_AFTER));
    assert_eq!(harness.events().last().unwrap(), "registration denied client_quota");
    harness.advance(Duration::from_secs(61));
    harness.client().await;
    assert!(harness.store.client(&used).await.unwrap().is_some());
    assert!(harness.store.client(&unused).await.unwrap().is_none());
}

/// SEC-39: a client never used, after a day -> forgotten, one that was used is kept
#[tokio::test]
async fn clients_that_nobody_used_are_forgotten_after_a_day() {
    let harness = Harness::new().await;
    let (used, unused) = (harness.client().await, harness.client().await);
    harness.tokens(&used).await;
    harness.advance(Duration::from_hours(25));
    let unused_before = harness.now() - Duration::from_hours(24);
    harness.store.prune_clients(unused_before, 10).await.unwrap();
    assert!(harness.store.client(&used).await.unwrap().is_some());
    assert!(harness.store.client(&unused).await.unwrap().is_none());
}
