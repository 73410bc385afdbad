//! Who may register, how often, and what a client may do with its registration afterwards.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc};

use connect_hosts::AllowedHosts;
use http::{Method, StatusCode};
use oauth_server::{
    ClientAddress, Digest, OAuthConfig, RegistrationMode, RegistrationRate,
    store::{MemoryStore, RegistrationToken},
};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::support::{
    Answer, Browser, Harness, ORIGIN, REDIRECT, authorize_params, authorize_url, claims, config,
    redeem_params, request, static_users,
};

const JSON: (&str, &str) = ("content-type", "application/json");

async fn harness(registration: RegistrationMode) -> Harness {
    let config = OAuthConfig { registration, ..config() };
    Harness::with(config, Arc::new(MemoryStore::default()), vec![static_users()]).await
}

fn allow_list() -> RegistrationMode {
    RegistrationMode::AllowList(AllowedHosts::parse("localhost").0)
}

async fn post(harness: &Harness, token: Option<&str>, body: &Value) -> Answer {
    let bearer = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![JSON];
    headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
    harness.send(request(Method::POST, "/register", &headers, &body.to_string())).await
}

async fn token(harness: &Harness, plain: &str, uses_left: u32) {
    let token = RegistrationToken {
        id: plain.into(),
        digest: Digest::of(&SecretString::from(plain)),
        label: None,
        uses_left,
        created_at: harness.now(),
        expires_at: harness.now() + std::time::Duration::from_mins(10),
    };
    harness.store.insert_registration_token(&token, &|| Ok(())).await.unwrap();
}

/// SEC-39: a registration, with a token too, where registration is off -> 403 `access_denied`, the metadata name no endpoint
#[tokio::test]
async fn nobody_registers_where_registration_is_off() {
    let harness = harness(RegistrationMode::Off).await;
    token(&harness, "initial", 1).await;
    for presented in [None, Some("initial")] {
        let answer = post(&harness, presented, &json!({ "redirect_uris": [REDIRECT] })).await;
        assert_eq!((answer.status, answer.error().as_str()), (StatusCode::FORBIDDEN, "access_denied"));
    }
    let metadata = harness.get("/.well-known/oauth-authorization-server").await.json();
    assert!(metadata.get("registration_endpoint").is_none());
    assert!(harness.events().contains(&"registration denied registration_closed".to_owned()));
}

/// SEC-39: without a token, with a redirect that is not on the second list, with a used, expired, revoked or unknown token -> 401 `invalid_token`
#[tokio::test]
async fn an_allow_list_lets_its_own_in_and_others_with_a_token() {
    let harness = harness(allow_list()).await;
    let local = json!({ "redirect_uris": ["http://localhost/callback"] });
    let remote = json!({ "redirect_uris": [REDIRECT] });
    let mixed = json!({ "redirect_uris": ["http://localhost/callback", REDIRECT] });
    assert_eq!(post(&harness, None, &local).await.status, StatusCode::CREATED);
    for body in [&remote, &mixed] {
        let answer = post(&harness, None, body).await;
        assert_eq!((answer.status, answer.error().as_str()), (StatusCode::UNAUTHORIZED, "invalid_token"));
        assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
    }
    token(&harness, "two", 2).await;
    // What could not be registered anyway uses nothing up.
    let nothing = json!({ "redirect_uris": ["https://evil.example/"] });
    assert_eq!(post(&harness, Some("two"), &nothing).await.error(), "invalid_redirect_uri");
    for expected in [StatusCode::CREATED, StatusCode::CREATED, StatusCode::UNAUTHORIZED] {
        assert_eq!(post(&harness, Some("two"), &mixed).await.status, expected);
    }
    assert_eq!(post(&harness, Some("unknown"), &remote).await.status, StatusCode::UNAUTHORIZED);
    token(&harness, "late", 1).await;
    token(&harness, "revoked", 1).await;
    assert!(harness.store.remove_registration_token("revoked", &|| Ok(())).await.unwrap());
    assert_eq!(post(&harness, Some("revoked"), &remote).await.status, StatusCode::UNAUTHORIZED);
    harness.advance(std::time::Duration::from_mins(10));
    assert_eq!(post(&harness, Some("late"), &remote).await.status, StatusCode::UNAUTHORIZED);
}

/// SEC-39: more registrations from one address, or one IPv6 network, than its quota -> 429 with Retry-After, other addresses go on
#[tokio::test]
async fn an_address_registers_so_often_and_no_more() {
    let one = NonZeroU32::MIN;
    let rate = RegistrationRate { per_hour: one, burst: NonZeroU32::new(3).unwrap() };
    let config = OAuthConfig { registration_rate: rate, ..config() };
    let harness = Harness::with(config, Arc::new(MemoryStore::default()), vec![static_users()]).await;
    let from = async |address: &str| {
        let body = json!({ "redirect_uris": [REDIRECT] }).to_string();
        let mut request = request(Method::POST, "/register", &[JSON], &body);
        request.extensions_mut().insert(ClientAddress(address.parse::<IpAddr>().unwrap()));
        harness.send(request).await
    };
    for last in 1..=3 {
        assert_eq!(from(&format!("2001:db8::{last}")).await.status, StatusCode::CREATED);
    }
    let refused = from("2001:db8::4").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.error(), "temporarily_unavailable");
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() > 60);
    assert_eq!(harness.events().last().unwrap(), "registration denied rate");
    // Limits are shared by chance, so of several others at least one has its own.
    let mut others = Vec::new();
    for last in 1..=5 {
        others.push(from(&format!("192.0.2.{last}")).await.status);
    }
    assert!(others.contains(&StatusCode::CREATED), "{others:?}");
}

/// A client that registered, and how it opens its registration.
struct Registered {
    path: String,
    token: String,
    answer: Value,
}

impl Registered {
    async fn new(harness: &Harness, body: &Value) -> Self {
        let answer = post(harness, None, body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        Self::of(answer.json())
    }

    fn of(answer: Value) -> Self {
        let uri = answer["registration_client_uri"].as_str().unwrap();
        let token = answer["registration_access_token"].as_str().unwrap().to_owned();
        Self { path: uri.strip_prefix(ORIGIN).unwrap().to_owned(), token, answer }
    }

    fn id(&self) -> &str {
        self.answer["client_id"].as_str().unwrap()
    }

    async fn send(&self, harness: &Harness, method: Method, body: &str) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        harness.send(request(method, &self.path, &[JSON, ("authorization", &bearer)], body)).await
    }

    /// The metadata again, with changes.
    fn with(&self, changes: &Value) -> String {
        let mut body = json!({ "client_id": self.id(), "redirect_uris": [REDIRECT] });
        for (name, value) in changes.as_object().unwrap() {
            body[name.as_str()] = value.clone();
        }
        body.to_string()
    }
}

#[tokio::test]
async fn a_client_reads_changes_and_deletes_its_registration() {
    let harness = Harness::new().await;
    let body = json!({
        "client_name": "Claude",
        "redirect_uris": [REDIRECT],
        "token_endpoint_auth_method": "client_secret_post",
        "application_type": "web",
        "scope": "platform",
    });
    let first = Registered::new(&harness, &body).await;
    let secret = first.answer["client_secret"].as_str().unwrap();
    let read = first.send(&harness, Method::GET, "").await;
    assert_eq!((read.status, read.header("cache-control")), (StatusCode::OK, Some("no-store")));
    let mut expected = first.answer.clone();
    // The secret is not known any more.
    expected.as_object_mut().unwrap().retain(|name, _| !name.starts_with("client_secret"));
    assert_eq!(read.json(), expected);

    let changes = json!({
        "client_name": "Claude 2",
        "redirect_uris": [REDIRECT, "http://localhost/callback", "https://evil.example/"],
        "token_endpoint_auth_method": "client_secret_basic",
        "client_secret": secret,
    });
    let answer = first.send(&harness, Method::PUT, &first.with(&changes)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let second = Registered::of(answer.json());
    assert_eq!(second.answer["client_name"], "Claude 2");
    assert_eq!(second.answer["redirect_uris"], json!([REDIRECT, "http://localhost/callback"]));
    assert_eq!(second.answer["dropped_redirect_uris"][0]["reason"], "not_listed");
    assert!(second.answer.get("client_secret").is_none() && second.answer.get("scope").is_none());
    assert_ne!(second.token, first.token);
    assert_eq!(first.send(&harness, Method::GET, "").await.error(), "invalid_token", "replaced");

    // The secret goes on counting, and what was granted ends with the client.
    let code = harness.code(second.id()).await;
    let form = [redeem_params(second.id(), &code), vec![("client_secret", secret)]].concat();
    let tokens = harness.post_form("/token", &form).await.json();
    let grant = claims(tokens["access_token"].as_str().unwrap())["sid"].as_str().unwrap().to_owned();
    assert_eq!(second.send(&harness, Method::DELETE, "").await.status, StatusCode::NO_CONTENT);
    assert!(harness.server.revocations().is_revoked(&grant));
    let refresh = [
        ("grant_type", "refresh_token"),
        ("client_id", second.id()),
        ("client_secret", secret),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    assert_eq!(harness.post_form("/token", &refresh).await.error(), "invalid_client");
    assert_eq!(second.send(&harness, Method::GET, "").await.error(), "invalid_token");
    let events = harness.events();
    for event in ["registration success changed", "registration success deleted"] {
        assert!(events.contains(&event.to_owned()), "{events:?}");
    }
}

/// SEC-39: a confidential client made public with its registration token, then a stolen refresh token or code without a secret -> 400 `invalid_grant`
/// SEC-39: a client that changes its name between consent and sign-in -> 400 page
#[tokio::test]
async fn a_client_that_changed_itself_asks_again() {
    let harness = Harness::new().await;
    let body = json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "client_secret_post" });
    let first = Registered::new(&harness, &body).await;
    let secret = first.answer["client_secret"].as_str().unwrap();
    let code = harness.code(first.id()).await;
    let form = [redeem_params(first.id(), &code), vec![("client_secret", secret)]].concat();
    let tokens = harness.post_form("/token", &form).await.json();
    let stolen_code = harness.code(first.id()).await;
    let mut browser = Browser::default();
    let consent = browser.consent_page(&harness, &authorize_url(&authorize_params(first.id()))).await;

    let answer = first
        .send(&harness, Method::PUT, &first.with(&json!({ "token_endpoint_auth_method": "none" })))
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let refreshed = harness.refresh(first.id(), tokens["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refreshed.error(), "invalid_grant");
    let redeemed = harness.post_form("/token", &redeem_params(first.id(), &stolen_code)).await;
    assert_eq!(redeemed.error(), "invalid_grant");
    let allowed = browser.submit(&harness, &consent, &[("decision", "allow")]).await;
    assert_eq!(allowed.status, StatusCode::BAD_REQUEST, "{}", allowed.body);
    assert_eq!(harness.tokens(first.id()).await["token_type"], "Bearer", "after asking again");
}

/// SEC-39: the registration of another client, with the own token, an access token, no token or two -> 401 `invalid_token`, for an unknown client too
#[tokio::test]
async fn a_token_opens_one_registration() {
    let harness = Harness::new().await;
    let body = json!({ "redirect_uris": [REDIRECT] });
    let (own, other) = (Registered::new(&harness, &body).await, Registered::new(&harness, &body).await);
    let access = harness.tokens(own.id()).await["access_token"].as_str().unwrap().to_owned();
    let mut answers = Vec::new();
    for (path, token) in [
        (&other.path, &own.token),
        (&own.path, &access),
        (&"/register/nobody".to_owned(), &own.token),
        (&"/register/%ff".to_owned(), &own.token),
        (&own.path, &String::new()),
    ] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let presented = Registered { path: path.clone(), token: token.clone(), answer: json!({}) };
            let answer = presented.send(&harness, method, &own.with(&json!({}))).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
            answers.push(answer.body);
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "nothing tells the cases apart: {answers:?}");
    let bearer = format!("Bearer {}", own.token);
    let twice = [("authorization", bearer.as_str()), ("authorization", bearer.as_str())];
    let answer = harness.send(request(Method::GET, &own.path, &twice, "")).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(harness.get(&own.path).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(other.send(&harness, Method::GET, "").await.status, StatusCode::OK, "nothing happened to it");
}

/// SEC-39: a change to a redirect off the list, another client, a wrong secret, private keys or a grant that none may register -> 400, nothing changes
#[tokio::test]
async fn a_change_gives_nothing_that_a_registration_could_not() {
    let harness = Harness::new().await;
    let own = Registered::new(&harness, &json!({ "redirect_uris": [REDIRECT] })).await;
    let before = harness.store.client(own.id()).await.unwrap();
    let private = json!({ "keys": [{ "kty": "oct", "k": "c2VjcmV0" }] });
    let cases = [
        json!({ "redirect_uris": ["https://evil.example/"] }),
        json!({ "redirect_uris": [] }),
        json!({ "client_id": "other" }),
        json!({ "client_id": null }),
        json!({ "client_secret": "guessed" }),
        json!({ "grant_types": ["client_credentials"] }),
        json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": private }),
        json!({ "client_name": "Cla\u{202e}ude" }),
    ];
    for changes in cases {
        let answer = own.send(&harness, Method::PUT, &own.with(&changes)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{changes}: {}", answer.body);
        assert_eq!(harness.store.client(own.id()).await.unwrap(), before, "{changes}");
    }
    let more = json!({ "grant_types": ["authorization_code", "client_credentials", "refresh_token"] });
    let changed = own.send(&harness, Method::PUT, &own.with(&more)).await.json();
    assert_eq!(changed["grant_types"], json!(["authorization_code", "refresh_token"]));
}

/// SEC-39: a change to a redirect that the second list does not cover, or where registration is off -> 401 or 403, what was registered stays
#[tokio::test]
async fn a_change_does_not_lead_around_the_mode() {
    let store = Arc::new(MemoryStore::default());
    let listing = OAuthConfig { registration: allow_list(), ..config() };
    let harness = Harness::with(listing, store.clone(), vec![static_users()]).await;
    let local = "http://localhost/callback";
    let own = Registered::new(&harness, &json!({ "redirect_uris": [local] })).await;
    let wider = own.with(&json!({ "redirect_uris": [local, REDIRECT] }));
    assert_eq!(own.send(&harness, Method::PUT, &wider).await.status, StatusCode::UNAUTHORIZED);
    let same = own.with(&json!({ "redirect_uris": [local], "client_name": "Renamed" }));
    let renamed = Registered::of(own.send(&harness, Method::PUT, &same).await.json());
    let off = OAuthConfig { registration: RegistrationMode::Off, ..config() };
    let closed = Harness::with(off, store, vec![static_users()]).await;
    assert_eq!(renamed.send(&closed, Method::PUT, &same).await.status, StatusCode::FORBIDDEN);
    assert_eq!(renamed.send(&closed, Method::DELETE, "").await.status, StatusCode::NO_CONTENT);
}

/// SEC-39: twenty changes at once with one token -> one 200, the others 401
#[tokio::test]
async fn of_changes_at_once_one_counts() {
    let harness = Harness::new().await;
    let own = Registered::new(&harness, &json!({ "redirect_uris": [REDIRECT] })).await;
    let body = own.with(&json!({}));
    let changes = (0..20).map(|_| own.send(&harness, Method::PUT, &body));
    let answers = futures_util::future::join_all(changes).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == StatusCode::OK).count(), 1);
}

/// SEC-22: a change or a deletion that cannot be recorded -> 503, nothing changes
#[tokio::test]
async fn what_cannot_be_recorded_is_not_done() {
    let harness = Harness::new().await;
    let own = Registered::new(&harness, &json!({ "redirect_uris": [REDIRECT] })).await;
    let before = harness.store.client(own.id()).await.unwrap();
    harness.break_audit(true);
    for (method, body) in [(Method::PUT, own.with(&json!({}))), (Method::DELETE, String::new())] {
        let answer = own.send(&harness, method, &body).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(harness.store.client(own.id()).await.unwrap(), before);
    }
}
