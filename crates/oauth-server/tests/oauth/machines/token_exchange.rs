//! A service acts for whom it serves, and gains nothing by it.

use std::{collections::BTreeMap, time::Duration};

use http::StatusCode;
use oauth_server::store::{Client, ClientAuthentication, ClientOrigin, GrantType};
use serde_json::{Value, json};

use super::setting::{FILES, LEDGER, PLATFORM, ask, ask_at, client, config, harness, register, settings};
use crate::holder::Holder;
use crate::support::{
    Answer, Browser, Harness, ORIGIN, authorize_params, authorize_url, claims, redeem_params, with,
};

const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const REFRESH_TOKEN: &str = "urn:ietf:params:oauth:token-type:refresh_token";

/// `platform` serves PLATFORM and calls FILES, `files` serves FILES and calls both others, `thief` serves nothing.
async fn start() -> Harness {
    let harness = harness(config()).await;
    let kinds = &[GrantType::TokenExchange, GrantType::ClientCredentials];
    let all = [PLATFORM, FILES, LEDGER];
    let scopes = ["platform", "read", "files", "ledger"];
    for client in [
        client("platform", kinds, settings(&[FILES], &["files", "read"], &[PLATFORM])),
        client("files", kinds, settings(&[LEDGER, PLATFORM], &["ledger", "platform", "read"], &[FILES])),
        client("thief", kinds, settings(&all, &scopes, &[])),
        client("agent", &[GrantType::ClientCredentials], settings(&all, &scopes, &all)),
        Client { origin: ClientOrigin::Dynamic, ..client("dynamic", kinds, settings(&all, &scopes, &all)) },
        Client {
            authentication: ClientAuthentication::None,
            ..client("public", kinds, settings(&all, &scopes, &all))
        },
    ] {
        register(&harness, &client).await;
    }
    harness
}

/// The tokens of a person at PLATFORM.
async fn person(harness: &Harness, scope: &str) -> Value {
    let client = harness.client().await;
    let params = with(authorize_params(&client), "scope", Some(scope));
    let answer = Browser::default().sign_in(harness, &authorize_url(&params)).await;
    let code = answer.location_param("code").unwrap();
    harness.post_form("/token", &redeem_params(&client, &code)).await.json()
}

fn access(tokens: &Value) -> &str {
    tokens["access_token"].as_str().unwrap()
}

fn form<'a>(subject: &'a str, resource: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("grant_type", TOKEN_EXCHANGE),
        ("subject_token", subject),
        ("subject_token_type", ACCESS_TOKEN),
        ("resource", resource),
    ]
}

async fn exchange(harness: &Harness, client: &str, subject: &str, resource: &str) -> Answer {
    ask(harness, client, &form(subject, resource)).await
}

async fn exchanged(harness: &Harness, client: &str, subject: &str, resource: &str) -> Value {
    let answer = exchange(harness, client, subject, resource).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.json()
}

#[tokio::test]
async fn the_person_stays_the_subject_and_each_service_becomes_an_actor() {
    let harness = start().await;
    let tokens = person(&harness, "platform read").await;
    let first = claims(access(&tokens));
    let answer = exchanged(&harness, "platform", access(&tokens), FILES).await;
    let expected = json!({
        "access_token": answer["access_token"], "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer",
        "expires_in": 900, "scope": "files read",
    });
    assert_eq!(answer, expected);
    let second = claims(access(&answer));
    let mut expected = first.clone();
    for (name, value) in [
        ("aud", json!(FILES)),
        ("client_id", json!("platform")),
        ("scope", json!("files read")),
        ("jti", second["jti"].clone()),
        ("act", json!({ "sub": "platform" })),
    ] {
        expected.insert(name.into(), value);
    }
    assert_eq!(second, expected);
    assert_eq!(harness.events().last().unwrap(), "token_issue success token_exchange");

    let answer = exchanged(&harness, "files", access(&answer), LEDGER).await;
    let third = claims(access(&answer));
    assert_eq!(third["act"], json!({ "sub": "files", "act": { "sub": "platform" } }));
    assert_eq!(
        (&third["sid"], &third["sub"], &third["scope"]),
        (&first["sid"], &first["sub"], &json!("ledger"))
    );
    let about = ask_at(&harness, "/introspect", "files", &[("token", access(&answer))]).await.json();
    assert_eq!((&about["active"], &about["act"]), (&json!(true), &third["act"]));
}

/// A person's token, exchanged along a path of services, each with what it asks for: what comes out at the end.
///
/// | scope of the person's token | service, target, scope asked for | … | scope, or error |
type Attempt =
    (&'static str, &'static [(&'static str, &'static str, &'static str)], Result<&'static str, &'static str>);

const ATTEMPTS: &[Attempt] = &[
    // What the operator allows.
    ("platform read", &[("platform", FILES, "")], Ok("files read")),
    ("platform read", &[("platform", FILES, "files")], Ok("files")),
    ("platform read", &[("platform", FILES, "files admin close")], Ok("files")),
    ("platform read", &[("platform", FILES, ""), ("files", LEDGER, "")], Ok("ledger")),
    ("platform read", &[("platform", FILES, ""), ("files", PLATFORM, "")], Ok("platform read")),
    // More scope than the operator allows this service, or than the target has.
    ("platform read", &[("platform", FILES, "admin")], Err("invalid_scope")),
    ("platform read", &[("platform", FILES, "platform")], Err("invalid_scope")),
    ("platform read", &[("platform", FILES, ""), ("files", LEDGER, "close")], Err("invalid_scope")),
    // More scope than the person gave: what was narrowed stays narrowed, whatever way it takes.
    ("read", &[("platform", FILES, "")], Ok("read")),
    ("read", &[("platform", FILES, "files")], Err("invalid_scope")),
    ("platform", &[("platform", FILES, "")], Err("invalid_scope")),
    ("read", &[("platform", FILES, ""), ("files", LEDGER, "")], Err("invalid_scope")),
    ("read", &[("platform", FILES, ""), ("files", PLATFORM, "")], Ok("read")),
    ("read", &[("platform", FILES, ""), ("files", PLATFORM, "platform")], Err("invalid_scope")),
    // More scope than a service before asked for.
    ("platform read", &[("platform", FILES, "read"), ("files", PLATFORM, "")], Ok("read")),
    ("platform read", &[("platform", FILES, "files"), ("files", LEDGER, "")], Err("invalid_scope")),
    // A resource that the operator does not allow, the same one, one that does not exist.
    ("platform read", &[("platform", LEDGER, "")], Err("invalid_target")),
    ("platform read", &[("platform", PLATFORM, "")], Err("invalid_target")),
    ("platform read", &[("thief", "https://other.example", "")], Err("invalid_request")),
    ("platform read", &[("platform", "https://other.example", "")], Err("invalid_target")),
    // A token that this service was not called with: for another, or its own.
    ("platform read", &[("files", LEDGER, "")], Err("invalid_request")),
    ("platform read", &[("thief", FILES, "")], Err("invalid_request")),
    ("platform read", &[("platform", FILES, ""), ("platform", FILES, "")], Err("invalid_request")),
    ("platform read", &[("platform", FILES, ""), ("thief", LEDGER, "")], Err("invalid_request")),
    // Clients that may not.
    ("platform read", &[("agent", FILES, "")], Err("unauthorized_client")),
    ("platform read", &[("dynamic", FILES, "")], Err("unauthorized_client")),
    // Longer chains than anybody needs.
    (
        "platform read",
        &[("platform", FILES, ""), ("files", PLATFORM, ""), ("platform", FILES, ""), ("files", PLATFORM, "")],
        Ok("platform read"),
    ),
    (
        "platform read",
        &[
            ("platform", FILES, ""),
            ("files", PLATFORM, ""),
            ("platform", FILES, ""),
            ("files", PLATFORM, ""),
            ("platform", FILES, ""),
        ],
        Err("invalid_request"),
    ),
];

/// SEC-20: exchanging a token for more scope, another resource, by another service, or along a chain that gives back what was narrowed -> 400 `invalid_scope`, `invalid_target`, `invalid_request` or `unauthorized_client`, never more than before
#[tokio::test]
async fn no_path_gives_more_than_there_was() {
    let harness = start().await;
    let mut people = BTreeMap::new();
    for scope in ["platform read", "platform", "read"] {
        people.insert(scope, access(&person(&harness, scope).await).to_owned());
    }
    for (scope, path, expected) in ATTEMPTS {
        let mut subject = people[scope].clone();
        let first = claims(&subject);
        let mut outcome = Ok((*scope).to_owned());
        for (client, resource, asked) in *path {
            let form =
                with(form(&subject, resource), "scope", Some(*asked).filter(|asked| !asked.is_empty()));
            let answer = ask(&harness, client, &form).await;
            if answer.status != StatusCode::OK {
                outcome = Err(answer.error());
                break;
            }
            let answer = answer.json();
            outcome = Ok(answer["scope"].as_str().unwrap().to_owned());
            access(&answer).clone_into(&mut subject);
            let now = claims(&subject);
            for name in ["sub", "idp", "tenant", "hints", "sid", "exp"] {
                assert_eq!(now[name], first[name], "{name}");
            }
        }
        let outcome = outcome.as_deref().map_err(String::as_str);
        assert_eq!(outcome, *expected, "{scope} {path:?}");
    }
}

/// SEC-20: exchanging an expired, forged, revoked, refresh or ID-like token -> 400 `invalid_request`
/// SEC-20: a token shortly before its end, exchanged -> one that ends with it
/// SEC-22: a token that was exchanged, after the grant was revoked -> `{"active": false}`
/// SEC-22: a token that was exchanged, revoked by the service -> 400 `unsupported_token_type`, the grant lives on
#[tokio::test]
async fn what_was_exchanged_ends_with_what_it_came_from() {
    let harness = start().await;
    let tokens = person(&harness, "platform read").await;
    let other = person(&harness, "platform read").await;
    harness.advance(Duration::from_mins(10));
    let answer = exchanged(&harness, "platform", access(&tokens), FILES).await;
    assert_eq!(answer["expires_in"], 300);
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let forged = format!("{}x", access(&tokens));
    for subject in [refresh, forged.as_str(), "a.b.c"] {
        assert_eq!(exchange(&harness, "platform", subject, FILES).await.error(), "invalid_request");
    }
    let about = async |client| {
        ask_at(&harness, "/introspect", client, &[("token", access(&answer))]).await.json()["active"] == true
    };
    assert!(about("platform").await && about("files").await && !about("thief").await);
    let alone = ask_at(&harness, "/revoke", "platform", &[("token", access(&answer))]).await;
    assert_eq!((alone.status, alone.error().as_str()), (StatusCode::BAD_REQUEST, "unsupported_token_type"));
    for stranger in ["files", "thief"] {
        let answer = ask_at(&harness, "/revoke", stranger, &[("token", access(&answer))]).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    assert!(about("platform").await);

    let session = claims(access(&tokens))["sid"].as_str().unwrap().to_owned();
    harness.store.revoke_grant(&session, harness.now()).await.unwrap();
    assert!(!about("platform").await && !about("files").await);
    assert_eq!(exchange(&harness, "platform", access(&tokens), FILES).await.error(), "invalid_request");
    assert_eq!(exchange(&harness, "files", access(&answer), LEDGER).await.error(), "invalid_request");
    harness.advance(Duration::from_mins(5));
    assert_eq!(
        exchange(&harness, "platform", access(&other), FILES).await.error(),
        "invalid_request",
        "expired"
    );
}

/// SEC-20: an actor token, other token types -> 400 `invalid_request`
/// SEC-19: an exchange by `audience`, or for no resource of several -> 400 `invalid_target`
/// SEC-23: an exchange by a public client or without a secret -> 400 `unauthorized_client` or 401 `invalid_client`
#[tokio::test]
async fn only_an_access_token_for_a_resource_is_exchanged() {
    let harness = start().await;
    let tokens = person(&harness, "platform read").await;
    let good = || form(access(&tokens), FILES);
    for (error, form) in [
        ("invalid_request", with(good(), "actor_token", Some("x"))),
        ("invalid_request", with(good(), "actor_token_type", Some(ACCESS_TOKEN))),
        ("invalid_request", with(good(), "subject_token", None)),
        ("invalid_request", with(good(), "subject_token_type", None)),
        ("invalid_request", with(good(), "subject_token_type", Some(REFRESH_TOKEN))),
        ("invalid_request", with(good(), "requested_token_type", Some(REFRESH_TOKEN))),
        ("invalid_request", with(good(), "subject_token", Some(tokens["refresh_token"].as_str().unwrap()))),
        ("invalid_target", with(good(), "audience", Some(FILES))),
        ("invalid_target", [good(), vec![("resource", FILES)]].concat()),
    ] {
        let answer = ask(&harness, "platform", &form).await;
        assert_eq!(answer.error(), error, "{form:?}");
        assert!(!answer.body.contains(access(&tokens)));
    }
    let of_files = exchanged(&harness, "platform", access(&tokens), FILES).await;
    let no_resource = with(form(access(&of_files), ""), "resource", None);
    assert_eq!(ask(&harness, "files", &no_resource).await.error(), "invalid_target");
    let public = with(good(), "client_id", Some("public"));
    assert_eq!(harness.post_form("/token", &public).await.error(), "unauthorized_client");
    let unproven = with(good(), "client_id", Some("platform"));
    assert_eq!(harness.post_form("/token", &unproven).await.error(), "invalid_client");
    harness.break_audit(true);
    let unrecorded = exchange(&harness, "platform", access(&tokens), FILES).await;
    assert_eq!(unrecorded.status, StatusCode::SERVICE_UNAVAILABLE);
}

/// SEC-22: a resource server asks about tokens for another resource, and about refresh tokens -> `{"active": false}`
#[tokio::test]
async fn a_resource_server_learns_about_the_tokens_that_are_for_it() {
    let harness = start().await;
    let tokens = person(&harness, "platform read").await;
    let about =
        async |client, token| ask_at(&harness, "/introspect", client, &[("token", token)]).await.json();
    let told = about("platform", access(&tokens)).await;
    assert_eq!(
        (&told["active"], &told["iss"], &told["aud"]),
        (&json!(true), &json!(ORIGIN), &json!(PLATFORM))
    );
    for client in ["files", "thief", "dynamic"] {
        assert_eq!(about(client, access(&tokens)).await, json!({ "active": false }), "{client}");
    }
    let refresh = tokens["refresh_token"].as_str().unwrap();
    assert_eq!(about("platform", refresh).await, json!({ "active": false }));
}

/// SEC-20: a token that is bound to a key, exchanged without a proof -> 400 `invalid_request`
#[tokio::test]
async fn what_is_bound_to_a_key_is_exchanged_for_what_is_bound_to_one() {
    let harness = start().await;
    let (person, service) = (Holder::new(), Holder::new());
    let client = harness.client().await;
    let params = with(authorize_params(&client), "scope", Some("platform read"));
    let answer = Browser::default().sign_in(&harness, &authorize_url(&params)).await;
    let code = answer.location_param("code").unwrap();
    let tokens = person.token(&harness, "1", &redeem_params(&client, &code)).await.json();
    let refused = exchange(&harness, "platform", access(&tokens), FILES).await;
    assert_eq!((refused.status, refused.error().as_str()), (StatusCode::BAD_REQUEST, "invalid_request"));
    let mut form = form(access(&tokens), FILES);
    form.extend([("client_id", "platform"), ("client_secret", "secret of platform")]);
    let answer = service.token(&harness, "1", &form).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.json()["token_type"], "DPoP");
    assert_eq!(claims(access(&answer.json()))["cnf"]["jkt"], service.thumbprint());
}

/// SEC-30: a client's own token with a proof that was used before -> 400 `invalid_dpop_proof`
#[tokio::test]
async fn a_client_binds_its_own_token_to_its_key() {
    let harness = start().await;
    let holder = Holder::new();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "agent"),
        ("client_secret", "secret of agent"),
        ("resource", FILES),
    ];
    let answer = holder.token(&harness, "1", &form).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(claims(access(&answer.json()))["cnf"]["jkt"], holder.thumbprint());
    assert_eq!(holder.token(&harness, "1", &form).await.error(), "invalid_dpop_proof");
}
