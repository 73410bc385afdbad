//! The way out to the provider and the way back.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oauth_server::identity::{IdentityConfigError, IdentitySource, OidcUpstream, OidcUpstreamConfig};
use serde_json::{Value, json};
use url::Url;

use super::provider::{
    CALLBACK, CLIENT_ID, CLIENT_SECRET, CODE, NONCE, Provider, VERIFIER, challenge, client, complete, config,
    now,
};

#[tokio::test]
async fn begin_sends_the_browser_with_everything_bound() {
    let provider = Provider::start().await;
    let upstream = provider.upstream();
    let url = upstream.begin(CALLBACK, "state-1", NONCE, &challenge(), None).await.unwrap();
    let url = Url::parse(&url).unwrap();
    assert_eq!(url.as_str().split('?').next().unwrap(), format!("{}/authorize", provider.issuer));
    let query: HashMap<String, String> = url.query_pairs().into_owned().collect();
    let expected = [
        ("fixed", "1"),
        ("response_type", "code"),
        ("client_id", CLIENT_ID),
        ("redirect_uri", CALLBACK),
        ("scope", "openid profile email"),
        ("state", "state-1"),
        ("nonce", NONCE),
        ("code_challenge", &challenge()),
        ("code_challenge_method", "S256"),
    ];
    assert_eq!(query, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert_eq!(url.query_pairs().count(), expected.len());
}

#[tokio::test]
async fn complete_redeems_the_code_and_gives_the_identity() {
    let provider = Provider::start().await;
    provider.set(|provider| {
        provider.claims = json!({
            "name": "Alice Example", "email": "alice@acme.example", "email_verified": true,
            "org": {"id": "acme"}, "groups": ["data", "ops"], "level": 3, "other": "dropped",
        });
    });
    let config = OidcUpstreamConfig {
        tenant_claim: Some("/org/id".into()),
        hint_claims: vec!["groups".into(), "level".into(), "absent".into()],
        ..provider.config()
    };
    let upstream = OidcUpstream::new(config, client()).unwrap();
    let identity = complete(&upstream).await.unwrap();
    assert_eq!((identity.issuer.as_str(), identity.subject.as_str()), (provider.issuer.as_str(), "alice"));
    assert_eq!(identity.tenant.as_deref(), Some("acme"));
    assert_eq!(identity.display_name.as_deref(), Some("Alice Example"));
    assert_eq!(identity.email.as_deref(), Some("alice@acme.example"));
    assert_eq!(Value::from(identity.hints), json!({"groups": ["data", "ops"], "level": 3}));

    let (form, headers) = provider.behaviour.lock().unwrap().token_request.take().unwrap();
    for (field, value) in [
        ("grant_type", "authorization_code"),
        ("code", CODE),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ] {
        assert_eq!(form[field], value, "{field}");
    }
    let basic = STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}"));
    assert_eq!(headers["authorization"], format!("Basic {basic}"));
    assert!(!form.contains_key("client_secret"));
}

#[tokio::test]
async fn the_secret_goes_where_the_metadata_says() {
    for (methods, in_body) in [
        (json!(["client_secret_post"]), true),
        (json!(["client_secret_post", "client_secret_basic"]), false),
        (Value::Null, false),
    ] {
        let provider = Provider::start().await;
        provider
            .set(|provider| provider.metadata = json!({ "token_endpoint_auth_methods_supported": methods }));
        complete(&provider.upstream()).await.unwrap();
        let (form, headers) = provider.behaviour.lock().unwrap().token_request.take().unwrap();
        assert_eq!(form.contains_key("client_secret"), in_body, "{methods}");
        assert_eq!(headers.contains_key("authorization"), !in_body, "{methods}");
    }
}

#[tokio::test]
async fn a_public_client_sends_no_secret() {
    let provider = Provider::start().await;
    let upstream =
        OidcUpstream::new(OidcUpstreamConfig { client_secret: None, ..provider.config() }, client()).unwrap();
    complete(&upstream).await.unwrap();
    let (form, headers) = provider.behaviour.lock().unwrap().token_request.take().unwrap();
    assert_eq!(form["client_id"], CLIENT_ID);
    assert!(!form.contains_key("client_secret") && !headers.contains_key("authorization"));
}

/// SEC-14: an answer that names another issuer or none (RFC 9207) -> refused, its code is sent nowhere
#[tokio::test]
async fn the_callback_must_come_from_the_issuer_that_was_asked() {
    let provider = Provider::start().await;
    let issuer = provider.issuer.clone();
    for (advertised, iss, accepted) in [
        (false, None, true),
        (false, Some(issuer.clone()), true),
        (false, Some("https://evil.example".to_owned()), false),
        (true, None, false),
        (true, Some(issuer.clone()), true),
        (true, Some(format!("{issuer}/")), false),
        (true, Some(String::new()), false),
    ] {
        provider.set(|provider| {
            provider.metadata = json!({ "authorization_response_iss_parameter_supported": advertised });
            provider.hits.clear();
        });
        let upstream = provider.upstream();
        let completed = upstream.complete(CALLBACK, CODE, iss.as_deref(), NONCE, VERIFIER, now()).await;
        assert_eq!(completed.is_ok(), accepted, "{advertised} {iss:?}");
        assert_eq!(provider.hits("/token"), usize::from(accepted), "{advertised} {iss:?}");
        let refusal = upstream.callback_error(iss.as_deref(), "access_denied").await;
        assert_eq!(refusal.is_refused(), accepted, "{advertised} {iss:?}");
        assert_eq!(refusal.reason() == "upstream_mix_up", !accepted, "{advertised} {iss:?}");
    }
}

#[tokio::test]
async fn errors_of_the_callback_are_told_apart() {
    let provider = Provider::start().await;
    let upstream = provider.upstream();
    for (code, reason) in [
        ("access_denied", "upstream_refused"),
        ("login_required", "upstream_refused"),
        ("temporarily_unavailable", "upstream_unavailable"),
        ("server_error", "upstream_unavailable"),
        ("invalid_scope", "upstream_client_refused"),
        ("unauthorized_client", "upstream_client_refused"),
        ("", "upstream_refused"),
    ] {
        assert_eq!(upstream.callback_error(None, code).await.reason(), reason, "{code:?}");
    }
    let hostile =
        upstream.callback_error(None, &format!("x\r\n\u{1b}[2J{}", "y".repeat(500))).await.to_string();
    assert!(hostile.len() < 200 && !hostile.contains(char::is_control), "{hostile:?}");
}

#[test]
fn configuration_is_checked_when_it_is_read() {
    let good = || config("https://idp.example/realm");
    let source = IdentitySource::Oidc(OidcUpstream::new(good(), client()).unwrap());
    assert_eq!((source.id(), source.label()), ("staff", "Acme staff"));
    for id in ["", "Staff", "a/b", "-a", "a b", "é", &"x".repeat(33)] {
        let error = OidcUpstream::new(OidcUpstreamConfig { id: id.into(), ..good() }, client()).unwrap_err();
        assert_eq!(error, IdentityConfigError::Id { id: id.into() });
    }
    for issuer in [
        "",
        "idp.example",
        "http://idp.example",
        "https://idp.example?x=1",
        "https://idp.example#x",
        "https://u:p@idp.example",
        "ftp://idp.example",
        "http://localhost.evil.example",
        "javascript:alert(1)",
    ] {
        let error = OidcUpstream::new(config(issuer), client()).unwrap_err();
        assert_eq!(error, IdentityConfigError::Issuer { issuer: issuer.into() });
    }
    for issuer in ["http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1", "https://idp.example/"] {
        assert!(OidcUpstream::new(config(issuer), client()).is_ok(), "{issuer}");
    }
    for pointer in ["", "/", "org_id"] {
        let config = OidcUpstreamConfig { tenant_claim: Some(pointer.into()), ..good() };
        let error = OidcUpstream::new(config, client()).unwrap_err();
        assert_eq!(error, IdentityConfigError::TenantClaim { pointer: pointer.into() });
    }
    let error =
        OidcUpstream::new(OidcUpstreamConfig { client_id: " ".into(), ..good() }, client()).unwrap_err();
    assert_eq!(error, IdentityConfigError::Empty { field: "client_id" });
    let error =
        OidcUpstream::new(OidcUpstreamConfig { label: String::new(), ..good() }, client()).unwrap_err();
    assert_eq!(error, IdentityConfigError::Empty { field: "label" });
}
