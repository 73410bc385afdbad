//! A workload proves who it is with a token of its own issuer.

use std::sync::Arc;

use http::StatusCode;
use oauth_server::{
    AssertionIssuer, OAuthConfig, WorkloadIssuer, WorkloadRule,
    store::{ClientAuthentication, GrantType},
};
use oidc_verify::{FetchClient, JwksCache, JwksLocation};
use serde_json::{Value, json};

use super::setting::{
    FILES, Issuer, JWT_BEARER, PLATFORM, ask, changed, client, config, harness, register, rule, settings,
};
use crate::support::{Answer, Harness, ORIGIN, claims};

const SUBJECT: &str = "system:serviceaccount:prod:agent";

fn trusting(issuer: AssertionIssuer, rules: Vec<WorkloadRule>) -> OAuthConfig {
    let workload = WorkloadIssuer { issuer, token_types: vec!["JWT".into()], rules };
    OAuthConfig { workload_issuers: vec![workload], ..config() }
}

fn rules() -> Vec<WorkloadRule> {
    vec![
        WorkloadRule {
            scopes: vec!["read".into()],
            ..rule(&[("/sub", SUBJECT), ("/kubernetes.io/cluster~1name", "blue")], Some("fleet"))
        },
        WorkloadRule {
            tenant: Some("globex".into()),
            ..rule(&[("/sub", "system:serviceaccount:prod:*")], Some("fleet"))
        },
        rule(&[("/sub", "system:serviceaccount:test:*")], None),
    ]
}

async fn start(cluster: &Issuer) -> Harness {
    let harness = harness(trusting(cluster.trusted(), rules())).await;
    for id in ["fleet", "other"] {
        register(&harness, &client(id, &[GrantType::JwtBearer], settings(&[], &[], &[]))).await;
    }
    let mut public = client("public", &[GrantType::JwtBearer], settings(&[], &[], &[]));
    public.authentication = ClientAuthentication::None;
    register(&harness, &public).await;
    register(&harness, &client("unable", &[GrantType::ClientCredentials], settings(&[], &[], &[]))).await;
    harness
}

/// A token of the cluster as Kubernetes makes it, which counts for ten minutes.
fn workload(cluster: &Issuer, harness: &Harness, id: &str) -> Value {
    let now = harness.now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    json!({
        "iss": cluster.name, "sub": SUBJECT, "aud": [ORIGIN], "iat": now, "nbf": now, "exp": now + 600, "jti": id,
        "org": "acme", "team": "night shift", "kubernetes.io": { "cluster/name": "green" },
    })
}

async fn present(harness: &Harness, assertion: &str) -> Answer {
    harness.post_form("/token", &[("grant_type", JWT_BEARER), ("assertion", assertion)]).await
}

#[tokio::test]
async fn a_workload_gets_what_the_first_rule_that_fits_gives() {
    let cluster = Issuer::new("https://cluster.example");
    let harness = start(&cluster).await;
    let base = workload(&cluster, &harness, "1");
    let answer = present(&harness, &cluster.token("JWT", &base)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let tokens = answer.json();
    assert_eq!(tokens["scope"], "platform read");
    assert_eq!(tokens.get("refresh_token"), None);
    let signed = claims(tokens["access_token"].as_str().unwrap());
    let expected = json!({
        "iss": ORIGIN, "aud": PLATFORM, "sub": SUBJECT, "client_id": "fleet", "scope": "platform read",
        "idp": "https://cluster.example", "tenant": "globex", "hints": { "team": "night shift" },
        "iat": signed["iat"], "exp": signed["iat"].as_u64().unwrap() + 900, "jti": signed["jti"], "sid": signed["sid"],
    });
    assert_eq!(json!(signed), expected);
    assert_eq!(harness.events().last().unwrap(), "token_issue success workload_identity");

    let blue =
        json!({ "jti": "2", "aud": format!("{ORIGIN}/token"), "kubernetes.io": { "cluster/name": "blue" } });
    let blue = present(&harness, &cluster.token("jwt", &changed(&base, &blue))).await.json();
    assert_eq!(blue["scope"], "read", "the first rule");
    assert_eq!(claims(blue["access_token"].as_str().unwrap())["tenant"], "acme");

    // A rule that names nobody is for clients that authenticate.
    let test = json!({ "jti": "3", "sub": "system:serviceaccount:test:agent" });
    let assertion = cluster.token("JWT", &changed(&base, &test));
    assert_eq!(present(&harness, &assertion).await.error(), "invalid_client");
    let form = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str()), ("scope", "read")];
    let tokens = ask(&harness, "other", &form).await.json();
    assert_eq!(claims(tokens["access_token"].as_str().unwrap())["client_id"], "other");
}

/// SEC-17: an assertion with another, a second, a missing audience, expired, too old, too long, not yet valid -> 400 `invalid_grant`
/// SEC-21: an access token of ours, an identity assertion, a token of another type, issuer, key or algorithm as a workload's -> 400 `invalid_grant`
/// SEC-20: a workload for which there is no rule, or that only looks like it -> 400 `invalid_grant`
#[tokio::test]
async fn what_does_not_fit_exactly_gives_nothing() {
    let (cluster, stranger) = (Issuer::new("https://cluster.example"), Issuer::new("https://evil.example"));
    let harness = start(&cluster).await;
    let base = workload(&cluster, &harness, "1");
    let now = base["iat"].as_u64().unwrap();
    let changes = [
        json!({ "aud": "https://other.example" }),
        json!({ "aud": [ORIGIN, "https://other.example"] }),
        json!({ "aud": [] }),
        json!({ "aud": null }),
        json!({ "aud": format!("{ORIGIN}/") }),
        json!({ "exp": now }),
        json!({ "exp": now + 3601 }),
        json!({ "iat": now - 3601, "exp": now + 1 }),
        json!({ "iat": now + 1 }),
        json!({ "nbf": now + 1 }),
        json!({ "iat": null }),
        json!({ "exp": null }),
        json!({ "sub": null }),
        json!({ "sub": "" }),
        json!({ "sub": "system:serviceaccount:prod:" }),
        json!({ "sub": "system:serviceaccount:prod2:agent" }),
        json!({ "sub": "system:serviceaccount:PROD:agent" }),
        json!({ "sub": ["system:serviceaccount:prod:agent"] }),
        json!({ "sub": "x".repeat(1025) }),
        json!({ "iss": "https://evil.example" }),
        json!({ "team": "x".repeat(3000) }),
    ];
    for change in changes {
        let answer = present(&harness, &cluster.token("JWT", &changed(&base, &change))).await;
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (StatusCode::BAD_REQUEST, "invalid_grant"),
            "{change}"
        );
    }
    let tokens = [
        stranger.token("JWT", &base),
        cluster.token("at+jwt", &base),
        cluster.token("oauth-id-jag+jwt", &base),
        cluster.sign(&json!({ "alg": "none", "typ": "JWT" }), &base),
        cluster.sign(&json!({ "alg": "HS256", "kid": "k", "typ": "JWT" }), &base),
        cluster.sign(&json!({ "alg": "ES256", "kid": "other", "typ": "JWT" }), &base),
        format!("{}x", cluster.token("JWT", &base)),
        "a.b.c".to_owned(),
        "{}".to_owned(),
    ];
    for assertion in tokens {
        assert_eq!(present(&harness, &assertion).await.error(), "invalid_grant", "{assertion}");
    }
    assert!(!harness.events().iter().any(|event| event.starts_with("token_issue success")));
    assert_eq!(present(&harness, &cluster.token("JWT", &base)).await.status, StatusCode::OK);
}

/// SEC-23: a workload as a client that its rule does not name, that proves nothing, or that may not -> 400 or 401
/// SEC-19: a workload for another resource -> 400 `invalid_target`
/// SEC-20: a workload for more scope than its rule gives -> 400 `invalid_scope`
#[tokio::test]
async fn a_workload_acts_as_its_own_client_only() {
    let cluster = Issuer::new("https://cluster.example");
    let harness = start(&cluster).await;
    let base = workload(&cluster, &harness, "1");
    let prod = cluster.token("JWT", &base);
    let test = cluster.token("JWT", &changed(&base, &json!({ "sub": "system:serviceaccount:test:agent" })));
    let form = |assertion| vec![("grant_type", JWT_BEARER), ("assertion", assertion)];
    let and = |assertion, name, value| [form(assertion), vec![(name, value)]].concat();
    for (client, form, error) in [
        ("other", form(&prod), "invalid_grant"),
        ("unable", form(&prod), "unauthorized_client"),
        ("stranger", form(&prod), "invalid_client"),
        ("other", vec![("grant_type", JWT_BEARER)], "invalid_request"),
        ("fleet", and(&prod, "resource", FILES), "invalid_target"),
        ("fleet", and(&prod, "scope", "platform files"), "invalid_scope"),
    ] {
        assert_eq!(ask(&harness, client, &form).await.error(), error, "{client} {form:?}");
    }
    for (form, error) in [
        (and(&test, "client_id", "public"), "unauthorized_client"),
        (and(&prod, "client_id", "public"), "invalid_grant"),
        (and(&prod, "client_id", "fleet"), "invalid_client"),
        (and(&prod, "client_secret", "x"), "invalid_client"),
        (vec![("grant_type", JWT_BEARER)], "invalid_request"),
    ] {
        assert_eq!(harness.post_form("/token", &form).await.error(), error, "{form:?}");
    }
    let events = harness.events();
    assert!(events.contains(&"token_issue denied assertion_of_other_client".to_owned()), "{events:?}");
    assert_eq!(present(&harness, &prod).await.status, StatusCode::OK, "none of that used it up");
}

/// SEC-17: an assertion twice, ten times at once, or signed again with the same content -> 400 `invalid_grant` but once
#[tokio::test]
async fn an_assertion_counts_once() {
    let cluster = Issuer::new("https://cluster.example");
    let harness = start(&cluster).await;
    let base = workload(&cluster, &harness, "1");
    let same_id = changed(&base, &json!({ "org": "other" }));
    let unnamed = changed(&base, &json!({ "jti": null }));
    for (first, again) in [(&base, &same_id), (&unnamed, &unnamed)] {
        let assertion = cluster.token("JWT", first);
        let answers = futures_util::future::join_all((0..10).map(|_| present(&harness, &assertion))).await;
        let issued = answers.iter().filter(|answer| answer.status == StatusCode::OK).count();
        assert_eq!(issued, 1);
        assert_eq!(present(&harness, &cluster.token("JWT", again)).await.error(), "invalid_grant");
    }
    assert_eq!(harness.events().last().unwrap(), "token_issue denied assertion_replayed");
    harness.advance(std::time::Duration::from_mins(10));
    assert_eq!(present(&harness, &cluster.token("JWT", &base)).await.error(), "invalid_grant", "expired");
}

/// SEC-23: an assertion that cannot be recorded -> 503, nothing is issued, and it still counts
#[tokio::test]
async fn what_could_not_be_recorded_did_not_use_it_up() {
    let cluster = Issuer::new("https://cluster.example");
    let harness = start(&cluster).await;
    let assertion = cluster.token("JWT", &workload(&cluster, &harness, "1"));
    harness.break_audit(true);
    assert_eq!(present(&harness, &assertion).await.status, StatusCode::SERVICE_UNAVAILABLE);
    harness.break_audit(false);
    assert_eq!(present(&harness, &assertion).await.status, StatusCode::OK);
}

/// SEC-17: a workload of an issuer whose keys cannot be read -> 503 with Retry-After
#[tokio::test]
async fn nobody_can_say_while_the_issuer_is_down() {
    let cluster = Issuer::new("http://127.0.0.1:9");
    let client = FetchClient::new(reqwest::Client::builder()).unwrap();
    let clock = Arc::new(|| std::time::UNIX_EPOCH);
    let location = JwksLocation::Discover(cluster.name.clone());
    let keys = JwksCache::new(client, location, clock).unwrap();
    let trusted = AssertionIssuer { keys: keys.into(), ..cluster.trusted() };
    let harness = harness(trusting(trusted, rules())).await;
    let answer = present(&harness, &cluster.token("JWT", &workload(&cluster, &harness, "1"))).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers.contains_key(http::header::RETRY_AFTER));
}

/// SEC-23: an assertion where no issuer is trusted -> 400 `unsupported_grant_type`, 401 without a client
#[tokio::test]
async fn without_an_issuer_there_is_no_such_grant_type() {
    let harness = harness(config()).await;
    register(&harness, &client("fleet", &[GrantType::JwtBearer], settings(&[], &[], &[]))).await;
    let form = [("grant_type", JWT_BEARER), ("assertion", "a.b.c")];
    assert_eq!(ask(&harness, "fleet", &form).await.error(), "unsupported_grant_type");
    assert_eq!(present(&harness, "a.b.c").await.error(), "invalid_client");
    let offered =
        |metadata: Value| metadata["grant_types_supported"].as_array().unwrap().contains(&json!(JWT_BEARER));
    let path = "/.well-known/oauth-authorization-server";
    assert!(!offered(harness.get(path).await.json()));
    let cluster = Issuer::new("https://cluster.example");
    assert!(offered(start(&cluster).await.get(path).await.json()));
}

/// SEC-20: rules without a condition, with unknown resources or scopes, our own tokens as assertions -> the server does not start
#[test]
fn settings_that_mean_too_much_are_refused() {
    let cluster = Issuer::new("https://cluster.example");
    let good = || rule(&[("/sub", "a")], None);
    let refused = |config: OAuthConfig| config.validate().unwrap_err().0.len();
    for rule in [
        rule(&[], None),
        rule(&[("sub", "a")], None),
        rule(&[("/", "a")], None),
        WorkloadRule { resources: vec![], ..good() },
        WorkloadRule { resources: vec!["https://other.example".into()], ..good() },
        WorkloadRule { scopes: vec![], ..good() },
        WorkloadRule { scopes: vec!["files".into()], ..good() },
        WorkloadRule { tenant: Some(String::new()), ..good() },
        rule(&[("/sub", "a")], Some("")),
    ] {
        assert_eq!(refused(trusting(cluster.trusted(), vec![rule.clone()])), 1, "{rule:?}");
    }
    assert_eq!(refused(trusting(cluster.trusted(), vec![])), 1);
    let issuers = [
        Issuer::new(ORIGIN).trusted(),
        Issuer::new(&format!("{ORIGIN}/clients")).trusted(),
        AssertionIssuer { max_lifetime: std::time::Duration::from_hours(25), ..cluster.trusted() },
        AssertionIssuer { max_lifetime: std::time::Duration::ZERO, ..cluster.trusted() },
    ];
    for issuer in issuers {
        assert_eq!(refused(trusting(issuer, vec![good()])), 1);
    }
    let mut config = trusting(cluster.trusted(), vec![good()]);
    assert!(config.validate().is_ok());
    config.workload_issuers.push(config.workload_issuers[0].clone());
    config.workload_issuers[0].token_types = vec!["application/OAuth-ID-JAG+jwt".into()];
    assert_eq!(refused(config), 2, "twice, and a type that is another kind");
}
