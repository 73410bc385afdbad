//! The organisation's identity provider lets a client in for a person (enterprise-managed authorization).

use http::StatusCode;
use oauth_server::{
    IdentityAssertionIssuer, OAuthConfig, WorkloadIssuer,
    store::{ClientAuthentication, GrantType},
};
use serde_json::{Value, json};

use super::setting::{
    FILES, Issuer, JWT_BEARER, PLATFORM, ask, ask_at, changed, client, config, harness, register, rule,
    settings,
};
use crate::support::{Answer, Harness, ORIGIN, claims};

const KIND: &str = "oauth-id-jag+jwt";

fn trusting(provider: &Issuer) -> OAuthConfig {
    let trusted = IdentityAssertionIssuer { source: "idp".into(), issuer: provider.trusted() };
    OAuthConfig { identity_assertion_issuers: vec![trusted], ..config() }
}

async fn start(config: OAuthConfig) -> Harness {
    let harness = harness(config).await;
    for id in ["ide", "other"] {
        register(&harness, &client(id, &[GrantType::JwtBearer], settings(&[], &[], &[]))).await;
    }
    let mut public = client("public", &[GrantType::JwtBearer], settings(&[], &[], &[]));
    public.authentication = ClientAuthentication::None;
    register(&harness, &public).await;
    harness
}

fn assertion(provider: &Issuer, harness: &Harness, id: &str) -> Value {
    let now = harness.now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    json!({
        "iss": provider.name, "sub": "00u1ada", "aud": ORIGIN, "client_id": "ide", "jti": id,
        "resource": format!("{PLATFORM}/mcp"), "scope": "read files", "iat": now, "exp": now + 300,
        "org": "acme", "team": ["analysts"],
    })
}

async fn present(harness: &Harness, client: &str, assertion: &str, extra: &[(&str, &str)]) -> Answer {
    let form = [("grant_type", JWT_BEARER), ("assertion", assertion)];
    ask(harness, client, &[&form, extra].concat()).await
}

#[tokio::test]
async fn a_client_gets_what_the_provider_and_the_resource_both_allow() {
    let provider = Issuer::new("https://idp.example");
    let harness = start(trusting(&provider)).await;
    let base = assertion(&provider, &harness, "1");
    let answer = present(&harness, "ide", &provider.token(KIND, &base), &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let tokens = answer.json();
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(tokens["scope"], "read");
    assert_eq!(tokens.get("refresh_token"), None);
    let signed = claims(token);
    let expected = json!({
        "iss": ORIGIN, "aud": PLATFORM, "sub": "00u1ada", "client_id": "ide", "scope": "read",
        "idp": "https://idp.example", "tenant": "acme", "hints": { "team": ["analysts"] }, "auth_time": signed["iat"],
        "iat": signed["iat"], "exp": signed["iat"].as_u64().unwrap() + 900, "jti": signed["jti"], "sid": signed["sid"],
    });
    assert_eq!(json!(signed), expected);
    assert_eq!(harness.events().last().unwrap(), "token_issue success identity_assertion");
    assert_eq!(ask_at(&harness, "/introspect", "ide", &[("token", token)]).await.json()["active"], true);
    let grant = harness.store.grant(signed["sid"].as_str().unwrap()).await.unwrap().unwrap();
    assert_eq!(grant.identity_source, "idp");

    let all = json!({ "jti": "2", "scope": "platform read" });
    let all = provider.token(&format!("application/{KIND}"), &changed(&base, &all));
    let extra = [("scope", "platform admin"), ("resource", PLATFORM)];
    assert_eq!(present(&harness, "ide", &all, &extra).await.json()["scope"], "platform");
    let metadata = harness.get("/.well-known/oauth-authorization-server").await.json();
    let profiles = json!(["urn:ietf:params:oauth:grant-profile:id-jag"]);
    assert_eq!(metadata["authorization_grant_profiles_supported"], profiles);
    assert!(metadata["grant_types_supported"].as_array().unwrap().contains(&json!(JWT_BEARER)));
}

/// SEC-17: an identity assertion whose audience is a list, the token endpoint or another server, expired, too long, from the future, without `jti` -> 400 `invalid_grant`
/// SEC-21: an ID token, a workload's token, another type, key or algorithm as an identity assertion -> 400 `invalid_grant`
/// SEC-20: an identity assertion for another client, or without a tenant -> 400 `invalid_grant`
#[tokio::test]
async fn what_does_not_fit_exactly_gives_nothing() {
    let (provider, stranger) = (Issuer::new("https://idp.example"), Issuer::new("https://evil.example"));
    let harness = start(trusting(&provider)).await;
    let base = assertion(&provider, &harness, "1");
    let now = base["iat"].as_u64().unwrap();
    for change in [
        json!({ "aud": [ORIGIN] }),
        json!({ "aud": [ORIGIN, "https://other.example"] }),
        json!({ "aud": format!("{ORIGIN}/token") }),
        json!({ "aud": format!("{ORIGIN}/") }),
        json!({ "aud": null }),
        json!({ "exp": now }),
        json!({ "exp": now + 3601 }),
        json!({ "iat": now + 1 }),
        json!({ "jti": null }),
        json!({ "client_id": null }),
        json!({ "client_id": "other" }),
        json!({ "client_id": ["ide"] }),
        json!({ "client_id": null, "azp": "ide" }),
        json!({ "sub": null }),
        json!({ "sub": "" }),
        json!({ "org": null }),
        json!({ "org": 7 }),
        json!({ "iss": "https://evil.example" }),
    ] {
        let answer = present(&harness, "ide", &provider.token(KIND, &changed(&base, &change)), &[]).await;
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (StatusCode::BAD_REQUEST, "invalid_grant"),
            "{change}"
        );
    }
    for assertion in [
        stranger.token(KIND, &base),
        provider.token("JWT", &base),
        provider.token("at+jwt", &base),
        provider.token("id-jag+jwt", &base),
        provider.sign(&json!({ "alg": "ES256", "kid": "k" }), &base),
        provider.sign(&json!({ "alg": "none", "typ": KIND }), &base),
        format!("{}x", provider.token(KIND, &base)),
    ] {
        assert_eq!(present(&harness, "ide", &assertion, &[]).await.error(), "invalid_grant", "{assertion}");
    }
    let good = provider.token(KIND, &base);
    assert_eq!(present(&harness, "ide", &good, &[]).await.status, StatusCode::OK, "none of that used it up");
    assert_eq!(present(&harness, "ide", &good, &[]).await.error(), "invalid_grant", "twice");
    assert_eq!(harness.events().last().unwrap(), "token_issue denied assertion_replayed");
}

/// SEC-19: an identity assertion for an unknown, a second or no resource, or asked for another -> 400 `invalid_target`
/// SEC-20: an identity assertion that allows no scope, or none of those asked for -> 400 `invalid_scope`
/// SEC-23: an identity assertion from a client that does not authenticate -> 400 `unauthorized_client` or 401 `invalid_client`
#[tokio::test]
async fn resource_scope_and_client_are_those_of_the_provider() {
    let provider = Issuer::new("https://idp.example");
    let harness = start(trusting(&provider)).await;
    let base = assertion(&provider, &harness, "1");
    for (change, extra, error) in [
        (json!({ "resource": "https://other.example" }), None, "invalid_target"),
        (json!({ "resource": [PLATFORM] }), None, "invalid_target"),
        (json!({ "resource": null }), None, "invalid_target"),
        (json!({ "resource": null }), Some(("resource", PLATFORM)), "invalid_target"),
        (json!({}), Some(("resource", FILES)), "invalid_target"),
        (json!({ "scope": null }), None, "invalid_scope"),
        (json!({ "scope": "" }), None, "invalid_scope"),
        (json!({ "scope": "files" }), None, "invalid_scope"),
        (json!({}), Some(("scope", "platform")), "invalid_scope"),
    ] {
        let assertion = provider.token(KIND, &changed(&base, &change));
        let answer = present(&harness, "ide", &assertion, extra.as_slice()).await;
        assert_eq!(answer.error(), error, "{change} {extra:?}");
    }
    let public = provider.token(KIND, &changed(&base, &json!({ "client_id": "public" })));
    let form = [("grant_type", JWT_BEARER), ("assertion", public.as_str())];
    let named = [&form[..], &[("client_id", "public")]].concat();
    assert_eq!(harness.post_form("/token", &named).await.error(), "unauthorized_client");
    assert_eq!(harness.post_form("/token", &form).await.error(), "invalid_client");
    assert!(!harness.events().iter().any(|event| event.starts_with("token_issue success")));
}

/// SEC-21: a workload that its issuer lets choose its claims, as a person -> 400 `invalid_grant`, by the type alone
#[tokio::test]
async fn each_kind_has_its_own_issuers() {
    let (provider, cluster) = (Issuer::new("https://idp.example"), Issuer::new("https://cluster.example"));
    let mut config = trusting(&provider);
    config.workload_issuers = vec![WorkloadIssuer {
        issuer: cluster.trusted(),
        token_types: vec!["JWT".into()],
        rules: vec![rule(&[("/sub", "00u1ada")], None)],
    }];
    let harness = start(config).await;
    let base = assertion(&provider, &harness, "1");
    let of_cluster = changed(&base, &json!({ "iss": "https://cluster.example" }));
    for assertion in [cluster.token(KIND, &of_cluster), provider.token("JWT", &base)] {
        assert_eq!(present(&harness, "ide", &assertion, &[]).await.error(), "invalid_grant");
    }
    let workload = present(&harness, "ide", &cluster.token("JWT", &of_cluster), &[]).await.json();
    assert_eq!(claims(workload["access_token"].as_str().unwrap())["idp"], "https://cluster.example");
}
