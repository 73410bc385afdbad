//! Every way an authorization request is refused.

use std::sync::Arc;

use http::{Method, StatusCode, header};
use oauth_server::store::MemoryStore;

use crate::support::{
    Harness, ORIGIN, REDIRECT, RESOURCE, authorize_params, authorize_url, config, query, request, resource,
    static_users, with,
};

/// SEC-1: a redirect that differs from the registered one in path, query, case or loopback name -> 400 page
/// SEC-2: an unknown client, no redirect, two redirects or one of another host -> 400 page without Location and cookie
/// SEC-16: an authorization error with a redirect that is not registered -> 400 page, the browser goes nowhere
#[tokio::test]
async fn an_unknown_client_or_a_bad_redirect_is_a_page_and_never_a_redirect() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let good = || authorize_params(&client);
    let cases = [
        ("no client", with(good(), "client_id", None)),
        ("unknown client", with(good(), "client_id", Some("nobody"))),
        ("no redirect although there are two", with(good(), "redirect_uri", None)),
        ("other path", with(good(), "redirect_uri", Some("https://claude.ai/api/mcp/auth_callback/"))),
        ("other query", with(good(), "redirect_uri", Some("https://claude.ai/api/mcp/auth_callback?x=1"))),
        ("other case", with(good(), "redirect_uri", Some("https://claude.ai/API/mcp/auth_callback"))),
        ("allowed host, not registered", with(good(), "redirect_uri", Some("https://claude.ai/other"))),
        ("other host", with(good(), "redirect_uri", Some("https://evil.example/"))),
        ("confusing", with(good(), "redirect_uri", Some("https://evil.example\\@claude.ai/"))),
        ("loopback, other path", with(good(), "redirect_uri", Some("http://localhost:1/other"))),
        ("loopback, other name", with(good(), "redirect_uri", Some("http://127.0.0.1:1/callback"))),
        ("script", with(good(), "redirect_uri", Some("javascript:alert(1)"))),
        ("two redirects", [good(), vec![("redirect_uri", REDIRECT)]].concat()),
        ("two clients", [good(), vec![("client_id", client.as_str())]].concat()),
    ];
    for (name, params) in cases {
        let answer = harness.get(&authorize_url(&params)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{name}");
        assert_eq!(answer.header(header::LOCATION), None, "{name}");
        assert_eq!(answer.header(header::SET_COOKIE), None, "{name}");
        assert!(answer.header(header::CONTENT_TYPE).unwrap().starts_with("text/html"), "{name}");
        let policy = answer.header(header::CONTENT_SECURITY_POLICY).unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{name}");
        assert!(answer.body.contains(answer.header("x-request-id").unwrap()), "{name}");
    }
}

/// SEC-6: another or no `response_type`, a repeated parameter, known or not -> 303 to the client with `error`, never a code
/// SEC-7: no challenge, `plain`, `s256`, a short or padded challenge -> 303 with `invalid_request`
/// SEC-10: any of these errors -> 303 with `iss` and the `state` that was sent once
/// SEC-15: `request` or `request_uri` of somebody else -> 303 with `request_not_supported` or `request_uri_not_supported`
/// SEC-19: an unknown, relative, repeated resource or one with a fragment -> 303 with `invalid_target`
#[tokio::test]
async fn every_other_error_goes_back_with_state_and_issuer() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let good = || authorize_params(&client);
    let long = "x".repeat(2049);
    let twice = |name, value| [good(), vec![(name, value)]].concat();
    let cases = [
        ("invalid_request", with(good(), "response_type", None)),
        ("unsupported_response_type", with(good(), "response_type", Some("token"))),
        ("unsupported_response_type", with(good(), "response_type", Some("code id_token"))),
        ("invalid_request", with(good(), "response_mode", Some("fragment"))),
        ("invalid_request", with(good(), "code_challenge", None)),
        ("invalid_request", with(good(), "code_challenge_method", None)),
        ("invalid_request", with(good(), "code_challenge_method", Some("plain"))),
        ("invalid_request", with(good(), "code_challenge_method", Some("s256"))),
        ("invalid_request", with(good(), "code_challenge", Some("short"))),
        ("invalid_request", with(good(), "code_challenge", Some(CHALLENGE_PADDED))),
        ("request_not_supported", with(good(), "request", Some("e30.e30."))),
        ("request_uri_not_supported", with(good(), "request_uri", Some("https://x.example/r"))),
        ("invalid_target", with(good(), "resource", Some("https://other.example/mcp"))),
        ("invalid_target", with(good(), "resource", Some("/mcp/platform"))),
        ("invalid_target", with(good(), "resource", Some("http://localhost:8080/mcp/platform#f"))),
        ("invalid_target", with(good(), "resource", Some("http://localhost:8080//"))),
        ("invalid_target", twice("resource", RESOURCE)),
        ("invalid_scope", with(good(), "scope", Some("admin"))),
        ("invalid_request", twice("scope", "platform")),
        ("invalid_request", twice("nonsense", "1").into_iter().chain([("nonsense", "")]).collect()),
    ];
    for (error, params) in cases {
        let answer = harness.get(&authorize_url(&params)).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{params:?}");
        assert!(answer.location().starts_with(&format!("{REDIRECT}?error=")), "{params:?}");
        assert_eq!(answer.location_param("error").as_deref(), Some(error), "{params:?}");
        assert_eq!(answer.location_param("state").as_deref(), Some("s t&ate"), "{params:?}");
        assert_eq!(answer.location_param("iss").as_deref(), Some(ORIGIN), "{params:?}");
        assert_eq!(answer.header(header::SET_COOKIE), None, "{params:?}");
    }
    for params in [with(good(), "state", Some(&long)), twice("state", "other")] {
        let answer = harness.get(&authorize_url(&params)).await;
        assert_eq!(answer.location_param("error").as_deref(), Some("invalid_request"));
        assert_eq!(answer.location_param("state"), None);
    }
}

/// 44 characters, the last of which is padding.
const CHALLENGE_PADDED: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM=";

#[tokio::test]
async fn what_is_allowed_goes_on_to_consent() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let good = || authorize_params(&client);
    let cases = [
        with(good(), "state", None),
        with(good(), "resource", None),
        with(good(), "scope", None),
        with(good(), "scope", Some("platform openid offline_access")),
        with(good(), "scope", Some("platform:read")),
        with(good(), "response_mode", Some("query")),
        with(good(), "unknown", Some("ignored")),
        with(good(), "request", Some("")),
        with(good(), "redirect_uri", Some("http://localhost:49152/callback")),
    ];
    for params in cases {
        let answer = harness.get(&authorize_url(&params)).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{params:?}");
        assert!(answer.location().starts_with("/consent?interaction="), "{params:?}");
        assert_eq!(answer.headers.get_all(header::SET_COOKIE).iter().count(), 1, "{params:?}");
    }
}

/// SEC-19: no resource where there are several -> 303 with `invalid_target`
#[tokio::test]
async fn several_resources_must_be_told_apart() {
    let mut config = config();
    config.resources.push(resource("/mcp/other"));
    let store = Arc::new(MemoryStore::default());
    let harness = Harness::with(config, store, vec![static_users()]).await;
    let client = harness.client().await;
    let params = with(authorize_params(&client), "resource", None);
    let answer = harness.get(&authorize_url(&params)).await;
    assert_eq!(answer.location_param("error").as_deref(), Some("invalid_target"));
}

/// SEC-2, SEC-23: a broken encoding, an endless query, another content type -> a 4xx page, never a redirect
#[tokio::test]
async fn what_cannot_be_read_is_a_page() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let long = format!("/authorize?{}&x={}", query(&authorize_params(&client)), "x".repeat(9000));
    let form = "application/x-www-form-urlencoded";
    let cases = [
        (request(Method::GET, "/authorize?client_id=%ff", &[], ""), StatusCode::BAD_REQUEST),
        (request(Method::GET, &long, &[], ""), StatusCode::BAD_REQUEST),
        (request(Method::POST, "/authorize", &[], "client_id=x"), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        (
            request(Method::POST, "/authorize", &[("content-type", form)], &"x=".repeat(9000)),
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
        (request(Method::PUT, "/authorize", &[], ""), StatusCode::METHOD_NOT_ALLOWED),
    ];
    for (request, status) in cases {
        let shown = format!("{} {}", request.method(), request.uri().path());
        let answer = harness.send(request).await;
        assert_eq!(answer.status, status, "{shown}");
        assert_eq!(answer.header(header::LOCATION), None);
    }
}
