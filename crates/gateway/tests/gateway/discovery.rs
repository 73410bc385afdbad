//! Discovery documents, challenges and origins.

use serde_json::json;

use crate::support::{FOREIGN, Service, World, call, claims, echo, post, with};

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

#[tokio::test]
async fn each_document_carries_the_resource_of_its_own_url() {
    let world = World::new().await;
    let service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    for (path, resource) in [
        ("/mcp/platform", "https://connect.example.com/mcp/platform"),
        ("/mcp/platform/mcp", "https://connect.example.com/mcp/platform/mcp"),
        ("", "https://connect.example.com"),
    ] {
        let request = format!(
            "GET /.well-known/oauth-protected-resource{path} HTTP/1.1\r\nHost: h\r\nOrigin: https://any.test\r\nMCP-Protocol-Version: 1900-01-01\r\n\r\n"
        );
        let answer = call(served.address, request).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, "*"), "{path}");
        let expected = json!({
            "resource": resource, "authorization_servers": ["https://connect.example.com"],
            "bearer_methods_supported": ["header"],
            "dpop_signing_alg_values_supported": ["ES256", "ES384", "EdDSA", "Ed25519", "PS256", "RS256"],
            "resource_name": "platform", "scopes_supported": ["platform"],
        });
        assert_eq!(answer.json(), expected, "{path}");
    }
    let two = world
        .serve_with(service.address, |config| {
            let mut second = config.services[0].clone();
            (second.name, second.path) = ("second".into(), "/mcp/second".into());
            config.services.push(second);
        })
        .await;
    let get =
        |path: &str| format!("GET /.well-known/oauth-protected-resource{path} HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(call(two.address, get("")).await.status, 404, "no root form with two services");
    assert_eq!(call(two.address, get("/mcp/second")).await.status, 200);
    assert_eq!(call(two.address, get("/mcp/third")).await.status, 404);
}

#[tokio::test]
async fn documents_answer_preflights_and_refuse_writes() {
    let world = World::new().await;
    let service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let request = |method: &str| {
        format!(
            "{method} /.well-known/oauth-protected-resource HTTP/1.1\r\nHost: h\r\nOrigin: https://any.test\r\n\
             Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: mcp-protocol-version\r\n\r\n"
        )
    };
    let answer = call(served.address, request("OPTIONS")).await;
    assert_eq!((answer.status, answer.header("access-control-allow-headers")), (204, "mcp-protocol-version"));
    assert_eq!(call(served.address, request("POST")).await.status, 405);
}

#[tokio::test]
async fn a_call_without_a_token_is_challenged_before_anything_else() {
    let world = World::new().await;
    let mut service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    for (path, form) in [("/mcp/platform", ""), ("/mcp/platform/mcp", "/mcp")] {
        for method in ["GET", "POST", "DELETE", "PUT", "HEAD"] {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nHost: h\r\nAccept: nonsense\r\nConnection: close\r\n\r\n"
            );
            let answer = match method {
                "HEAD" => continue,
                _ => call(served.address, request).await,
            };
            let expected = format!(
                "Bearer resource_metadata=\"https://connect.example.com/.well-known/oauth-protected-resource/mcp/platform{form}\", scope=\"platform\""
            );
            assert_eq!(
                (answer.status, answer.header("www-authenticate")),
                (401, expected.as_str()),
                "{method} {path}"
            );
        }
    }
    assert!(service.is_untouched());
    assert!(world.audited().is_empty(), "asking for the challenge is no event");
}

/// What is wrong, the token, and the status, the error and the audited reason that it gets.
type Refused = (&'static str, String, u16, &'static str, &'static str);

fn refused(world: &World) -> Vec<Refused> {
    let own = |name: &str, value| world.issuer.sign(&with(claims("ada"), name, value));
    let stranger = crate::support::Issuer::new().sign(&claims("ada"));
    let foreign_twin = world.foreign.sign(&claims("ada"));
    let mut hello = world.token("ada");
    hello.replace_range(hello.len() - 4.., "AAAA");
    vec![
        ("garbage", "garbage".into(), 401, "invalid_token", "token_malformed"),
        ("signature", hello, 401, "invalid_token", "signature_wrong"),
        ("another key", stranger, 401, "invalid_token", "signature_wrong"),
        ("key of another issuer", foreign_twin, 401, "invalid_token", "signature_wrong"),
        (
            "unknown issuer",
            own("iss", json!("https://evil.test")),
            401,
            "invalid_token",
            "issuer_not_trusted",
        ),
        (
            "another audience",
            own("aud", json!("https://evil.test")),
            401,
            "invalid_token",
            "audience_not_ours",
        ),
        (
            "our other service",
            own("aud", json!("https://other.example.com/mcp/x")),
            401,
            "invalid_token",
            "audience_of_another_service",
        ),
        ("expired", own("exp", json!(crate::support::START - 1)), 401, "invalid_token", "token_expired"),
        ("no idp", own("idp", json!(null)), 401, "invalid_token", "own_claim_invalid"),
        ("no sid", own("sid", json!(null)), 401, "invalid_token", "own_claim_invalid"),
        (
            "hints of another type",
            own("hints", json!(["readers"])),
            401,
            "invalid_token",
            "own_claim_invalid",
        ),
        ("revoked", world.token("revoked"), 401, "invalid_token", "revoked"),
        ("deactivated", world.token("off"), 401, "invalid_token", "inactive_subject"),
        ("scope", own("scope", json!("openid")), 403, "insufficient_scope", "insufficient_scope"),
        ("no rule", own("hints", json!({ "groups": [] })), 403, "access_denied", "no_rule"),
        ("no tenant", own("tenant", json!(null)), 403, "access_denied", "unknown_subject"),
        ("another tenant", own("tenant", json!("globex")), 403, "access_denied", "unknown_subject"),
        (
            "identity source",
            own("idp", json!("https://evil.test")),
            403,
            "access_denied",
            "identity_issuer_not_accepted",
        ),
        (
            "foreign claims",
            world.foreign.sign(&with(claims("x"), "iss", json!(FOREIGN))),
            403,
            "access_denied",
            "unknown_subject",
        ),
    ]
}

#[tokio::test]
async fn every_refusal_has_its_status_and_challenge() {
    let world = World::new().await;
    let mut service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    world.revoked.revoke("sid-revoked");
    let cases = refused(&world);
    for (index, (what, token, status, error, reason)) in cases.iter().enumerate() {
        let answer = call(served.address, post(token, "", PING)).await;
        assert_eq!((answer.status, answer.json()["error"].as_str()), (*status, Some(*error)), "{what}");
        assert_eq!(answer.header("cache-control"), "no-store", "{what}");
        let challenge = answer.header("www-authenticate");
        assert!(challenge.contains("resource_metadata=\"https://connect.example.com/.well-known/"), "{what}");
        assert_eq!(
            challenge.contains(&format!("error=\"{error}\"")),
            *error != "access_denied",
            "{what}: {challenge}"
        );
        let lines = world.audited();
        assert_eq!(lines.len(), index + 1, "{what}");
        let line = lines.last().unwrap();
        assert!(
            line.contains("\"action\":\"deny\"") && line.contains(&format!("\"reason\":\"{reason}\"")),
            "{what}: {line}"
        );
        assert!(line.contains(answer.header("x-request-id")), "{what}: {line}");
        assert!(!line.contains(token) && !answer.body.contains("arn:"), "{what}");
    }
    assert!(service.is_untouched());
}

#[tokio::test]
async fn a_malformed_authorization_is_400() {
    let world = World::new().await;
    let service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let token = world.token("ada");
    let two = post(&token, &format!("Authorization: Bearer {token}\r\n"), PING);
    for request in [two, post("a b", "", PING), post("", "", PING)] {
        let answer = call(served.address, request).await;
        assert_eq!(answer.status, 400);
        assert!(answer.header("www-authenticate").starts_with("Bearer error=\"invalid_request\""));
    }
    let basic = post(&token, "", PING).replace("Bearer ", "Basic ");
    assert_eq!(call(served.address, basic).await.status, 401);
}

#[tokio::test]
async fn pages_of_other_origins_are_refused() {
    let world = World::new().await;
    let mut service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let token = world.token("ada");
    let cases: &[(&str, u16)] = &[
        ("", 200),
        ("Origin: https://connect.example.com\r\n", 200),
        ("Origin: https://catalog.example.com\r\n", 200),
        ("Origin: https://evil.test\r\n", 403),
        ("Origin: https://catalog.example.com.evil.test\r\n", 403),
        ("Origin: http://catalog.example.com\r\n", 403),
        ("Origin: https://catalog.example.com:8443\r\n", 403),
        ("Origin: null\r\n", 403),
        ("Origin:\r\n", 403),
        ("Origin: https://catalog.example.com\r\nOrigin: https://evil.test\r\n", 403),
    ];
    for (lines, status) in cases {
        let answer = call(served.address, post(&token, lines, PING)).await;
        assert_eq!(answer.status, *status, "{lines}");
        let allowed = answer.header("access-control-allow-origin");
        assert_eq!(
            allowed,
            lines.trim().strip_prefix("Origin: ").filter(|_| *status == 200).unwrap_or_default()
        );
        if *status == 200 {
            service.request().await;
        }
        assert!(service.is_untouched(), "{lines}");
    }
    let anonymous = post("", "Origin: https://evil.test\r\n", PING).replace("Authorization: Bearer \r\n", "");
    assert_eq!(call(served.address, anonymous).await.status, 403, "also without a token");
}

#[tokio::test]
async fn preflights_of_allowed_origins_are_answered() {
    let world = World::new().await;
    let mut service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let preflight = |origin: &str| {
        format!(
            "OPTIONS /mcp/platform/mcp HTTP/1.1\r\nHost: h\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: POST\r\n\
             Access-Control-Request-Headers: authorization, mcp-protocol-version\r\n\r\n"
        )
    };
    let answer = call(served.address, preflight("https://catalog.example.com")).await;
    assert_eq!((answer.status, answer.header("access-control-allow-methods")), (204, "POST, GET, DELETE"));
    assert_eq!(answer.header("access-control-allow-headers"), "authorization, mcp-protocol-version");
    assert_eq!(call(served.address, preflight("https://evil.test")).await.status, 403);
    let plain = "OPTIONS /mcp/platform/mcp HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_eq!(call(served.address, plain).await.status, 401, "no preflight, no answer");
    assert!(service.is_untouched());
}
