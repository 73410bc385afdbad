//! Metadata, keys and CORS.

use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::support::{Harness, ORIGIN, RESOURCE, authorize_url, part, request};

#[tokio::test]
async fn the_metadata_says_what_exists_and_nothing_else() {
    let harness = Harness::new().await;
    let metadata = harness.get("/.well-known/oauth-authorization-server").await;
    assert_eq!(metadata.header(header::CONTENT_TYPE), Some("application/json"));
    let methods = ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"];
    let algorithms = ["ES256", "ES384", "EdDSA", "Ed25519", "PS256", "RS256"];
    let expected = json!({
        "issuer": ORIGIN,
        "authorization_endpoint": format!("{ORIGIN}/authorize"),
        "token_endpoint": format!("{ORIGIN}/token"),
        "registration_endpoint": format!("{ORIGIN}/register"),
        "revocation_endpoint": format!("{ORIGIN}/revoke"),
        "introspection_endpoint": format!("{ORIGIN}/introspect"),
        "jwks_uri": format!("{ORIGIN}/.well-known/jwks.json"),
        "scopes_supported": ["email", "offline_access", "openid", "platform", "platform:read", "profile"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "userinfo_endpoint": format!("{ORIGIN}/userinfo"),
        "end_session_endpoint": format!("{ORIGIN}/end_session"),
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "name", "email"],
        "device_authorization_endpoint": format!("{ORIGIN}/device_authorization"),
        "grant_types_supported": [
            "authorization_code",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:device_code",
            "client_credentials",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_methods_supported": methods[1..],
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "client_id_metadata_document_supported": true,
        "pushed_authorization_request_endpoint": format!("{ORIGIN}/par"),
        "require_pushed_authorization_requests": false,
        "request_uri_parameter_supported": false,
        "dpop_signing_alg_values_supported": ["ES256", "ES384", "EdDSA", "Ed25519", "PS256", "RS256"],
        "protected_resources": [RESOURCE],
    });
    assert_eq!(metadata.json(), expected);
    let mut openid = harness.get("/.well-known/openid-configuration").await.json();
    let openid = openid.as_object_mut().unwrap();
    assert_eq!(openid.remove("subject_types_supported"), Some(json!(["public"])));
    assert_eq!(openid.remove("id_token_signing_alg_values_supported"), Some(json!(["ES256"])));
    assert_eq!(Value::Object(openid.clone()), expected);
}

#[tokio::test]
async fn every_advertised_endpoint_exists_and_undefined_documents_are_a_clean_404() {
    let harness = Harness::new().await;
    let metadata = harness.get("/.well-known/oauth-authorization-server").await.json();
    let endpoints = metadata.as_object().unwrap().iter().filter(|(name, _)| name.ends_with("_endpoint"));
    for (name, url) in endpoints {
        let path = url.as_str().unwrap().strip_prefix(ORIGIN).unwrap();
        let answer = harness.send(request(Method::POST, path, &[], "")).await;
        assert_ne!(answer.status, StatusCode::NOT_FOUND, "{name}");
        assert_ne!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{name}");
    }
    for path in [
        "/.well-known/oauth-authorization-server/mcp/platform",
        "/mcp/platform/.well-known/openid-configuration",
        "/.well-known/nonsense",
        "/mcp/platform/introspect",
    ] {
        assert_eq!(harness.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn the_published_keys_name_the_key_that_signs() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let tokens = harness.tokens(&client).await;
    let kid = part(tokens["access_token"].as_str().unwrap(), 0)["kid"].clone();
    for path in ["/.well-known/jwks.json", "/auth/.well-known/jwks.json"] {
        let answer = harness.get(path).await;
        assert_eq!(answer.body, harness.server.jwks_json());
        assert_eq!(answer.json()["keys"][0]["kid"], kid);
        assert_eq!(answer.header(header::CACHE_CONTROL), Some("public, max-age=300"));
    }
}

/// SEC-11: a script of another origin asks for /authorize, /consent, /sign-in or /callback -> no CORS header
#[tokio::test]
async fn browser_clients_may_read_documents_and_tokens_but_not_pages() {
    let harness = Harness::new().await;
    let origin = ("origin", "https://inspector.example");
    let preflight = [origin, ("access-control-request-method", "POST")];
    let open = [
        (Method::GET, "/.well-known/oauth-authorization-server"),
        (Method::GET, "/.well-known/openid-configuration"),
        (Method::GET, "/.well-known/jwks.json"),
        (Method::POST, "/register"),
        (Method::POST, "/token"),
        (Method::POST, "/revoke"),
        (Method::POST, "/introspect"),
        (Method::POST, "/auth/token"),
    ];
    for (method, path) in open {
        let asked = harness.send(request(Method::OPTIONS, path, &preflight, "")).await;
        assert_eq!(asked.status, StatusCode::NO_CONTENT, "{path}");
        let allowed = asked.header(header::ACCESS_CONTROL_ALLOW_HEADERS).unwrap();
        assert!(allowed.contains("authorization") && allowed.contains("mcp-protocol-version"), "{path}");
        let answer = harness.send(request(method, path, &[origin], "")).await;
        assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), Some("*"), "{path}");
        assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_CREDENTIALS), None, "{path}");
    }
    for path in [&authorize_url(&[]), "/consent", "/sign-in", "/callback/local"] {
        for request in
            [request(Method::GET, path, &[origin], ""), request(Method::OPTIONS, path, &preflight, "")]
        {
            let answer = harness.send(request).await;
            assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), None, "{path}");
        }
    }
}
