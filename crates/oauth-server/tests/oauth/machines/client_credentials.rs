//! A client acts for itself.

use std::{num::NonZeroU32, time::Duration};

use http::{StatusCode, header};
use oauth_server::{
    OAuthConfig,
    store::{Client, ClientAuthentication, ClientOrigin, GrantType},
};
use serde_json::json;

use super::setting::{
    FILES, LEDGER, PLATFORM, ask, ask_at, client, config, harness, register, secret_of, settings,
};
use crate::support::{ORIGIN, claims, with};

const OWN: &[GrantType] = &[GrantType::ClientCredentials];

fn agent() -> Client {
    client("agent", OWN, settings(&[PLATFORM], &["platform", "read", "close"], &[]))
}

#[tokio::test]
async fn a_client_of_the_operator_gets_a_token_for_itself() {
    let harness = harness(config()).await;
    register(&harness, &agent()).await;
    let answer = ask(&harness, "agent", &[("grant_type", "client_credentials")]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.header(header::CACHE_CONTROL), Some("no-store"));
    let tokens = answer.json();
    let signed = claims(tokens["access_token"].as_str().unwrap());
    let expected = json!({ "access_token": tokens["access_token"], "token_type": "Bearer", "expires_in": 900, "scope": "platform read" });
    assert_eq!(tokens, expected);
    let expected = json!({
        "iss": ORIGIN, "aud": PLATFORM, "sub": "agent", "client_id": "agent", "scope": "platform read",
        "idp": format!("{ORIGIN}/clients"), "tenant": "acme", "hints": { "team": "night shift" },
        "iat": signed["iat"], "exp": signed["iat"].as_u64().unwrap() + 900, "jti": signed["jti"], "sid": signed["sid"],
    });
    assert_eq!(json!(signed), expected);
    assert_eq!(harness.events().last().unwrap(), "token_issue success client_credentials");

    let less = [("grant_type", "client_credentials"), ("scope", "read"), ("resource", PLATFORM)];
    assert_eq!(ask(&harness, "agent", &less).await.json()["scope"], "read");
}

/// SEC-22: a client's own token after it was revoked -> revoked at once, `{"active": false}`
#[tokio::test]
async fn its_token_can_be_asked_about_and_revoked_and_leaves_no_row() {
    let harness = harness(config()).await;
    register(&harness, &agent()).await;
    let issued = ask(&harness, "agent", &[("grant_type", "client_credentials")]).await.json();
    let token = issued["access_token"].as_str().unwrap();
    let about = ask_at(&harness, "/introspect", "agent", &[("token", token)]).await.json();
    assert_eq!((&about["active"], &about["sub"]), (&json!(true), &json!("agent")));
    assert_eq!(ask_at(&harness, "/revoke", "agent", &[("token", token)]).await.status, StatusCode::OK);
    let session = claims(token)["sid"].as_str().unwrap().to_owned();
    assert!(harness.server.revocations().is_revoked(&session));
    let about = ask_at(&harness, "/introspect", "agent", &[("token", token)]).await.json();
    assert_eq!(about, json!({ "active": false }));
    harness.advance(Duration::from_mins(26));
    harness.store.prune_grants(harness.now(), 100).await.unwrap();
    assert_eq!(harness.store.grant(&session).await.unwrap(), None);
}

/// SEC-23: client credentials of a public, a self-registered or an unregistered client, with a wrong secret -> 400 `unauthorized_client`, 401 `invalid_client`
/// SEC-19: client credentials for another resource, for none of several, for an unknown one -> 400 `invalid_target`
/// SEC-20: client credentials for scopes that the operator did not give, or that are another resource's -> 400 `invalid_scope`
#[tokio::test]
async fn a_client_gets_no_more_than_the_operator_gave_it() {
    let harness = harness(config()).await;
    let of = |id: &str, change: fn(&mut Client)| {
        let mut client = agent();
        id.clone_into(&mut client.id);
        client.authentication = super::setting::client(id, &[], settings(&[], &[], &[])).authentication;
        change(&mut client);
        client
    };
    for client in [
        agent(),
        of("public", |client| client.authentication = ClientAuthentication::None),
        of("dynamic", |client| client.origin = ClientOrigin::Dynamic),
        of("document", |client| client.origin = ClientOrigin::Document),
        of("other", |client| client.grant_types = [GrantType::AuthorizationCode].into()),
        of("two", |client| client.settings = settings(&[PLATFORM, FILES], &["platform", "files"], &[])),
        of("nowhere", |client| client.settings.resources.clear()),
        of("nothing", |client| client.settings.scopes.clear()),
    ] {
        register(&harness, &client).await;
    }
    let good = vec![("grant_type", "client_credentials")];
    let cases = [
        ("dynamic", good.clone(), "unauthorized_client"),
        ("document", good.clone(), "unauthorized_client"),
        ("other", good.clone(), "unauthorized_client"),
        ("stranger", good.clone(), "invalid_client"),
        ("agent", with(good.clone(), "resource", Some(FILES)), "invalid_target"),
        ("agent", with(good.clone(), "resource", Some("https://other.example")), "invalid_target"),
        ("two", good.clone(), "invalid_target"),
        ("two", with(good.clone(), "resource", Some(LEDGER)), "invalid_target"),
        ("nowhere", good.clone(), "invalid_target"),
        ("nowhere", with(good.clone(), "resource", Some(PLATFORM)), "invalid_target"),
        ("nothing", good.clone(), "invalid_scope"),
        ("agent", with(good.clone(), "scope", Some("platform close")), "invalid_scope"),
        ("agent", with(good.clone(), "scope", Some("admin")), "invalid_scope"),
        (
            "two",
            with(with(good.clone(), "resource", Some(FILES)), "scope", Some("platform")),
            "invalid_scope",
        ),
    ];
    for (client, form, error) in cases {
        let answer = ask(&harness, client, &form).await;
        assert_eq!(answer.error(), error, "{client} {form:?}");
        assert!(!answer.body.contains(&secret_of(client)));
    }
    let public = harness.post_form("/token", &with(good.clone(), "client_id", Some("public"))).await;
    assert_eq!(public.error(), "unauthorized_client");
    let wrong = with(with(good, "client_id", Some("agent")), "client_secret", Some("wrong"));
    assert_eq!(harness.post_form("/token", &wrong).await.error(), "invalid_client");
    let issued = harness.events().iter().filter(|event| event.starts_with("token_issue success")).count();
    assert_eq!(issued, 0);
}

/// SEC-23: tokens that cannot be recorded, or too many of them -> 503 or 429 with Retry-After
#[tokio::test]
async fn what_cannot_be_recorded_is_not_issued_and_too_much_is_slowed() {
    let machine_tokens_per_minute = NonZeroU32::new(4).unwrap();
    let harness = harness(OAuthConfig { machine_tokens_per_minute, ..config() }).await;
    register(&harness, &agent()).await;
    let form = [("grant_type", "client_credentials")];
    harness.break_audit(true);
    let answer = ask(&harness, "agent", &form).await;
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
    );
    harness.break_audit(false);
    assert_eq!(ask(&harness, "agent", &form).await.status, StatusCode::OK);
    let slowed = ask(&harness, "agent", &form).await;
    assert_eq!(slowed.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(slowed.headers.contains_key(header::RETRY_AFTER));
}
