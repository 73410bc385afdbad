//! What somebody sends who wants to break in, or to break something.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use oauth_server::store::{MemoryStore, Store};
use pg_fixture::PgCluster;
use serde_json::{Value, json};

use crate::support::{
    Browser, Harness, REDIRECT, authorize_params, authorize_url, config, database, query, redeem_params,
    request, sqlite, static_users, with,
};

/// PostgreSQL cannot keep a NUL: whoever sends one must not learn that by a 503.
async fn nul_is_a_bad_request(store: Arc<dyn Store>) {
    let harness = Harness::on(store).await;
    let client = harness.client().await;
    let authorize = authorize_params(&client);
    for (name, value) in [("state", "a\0b"), ("client_id", "a\0b"), ("unknown", "\0"), ("a\0b", "1")] {
        let answer = harness.get(&authorize_url(&with(authorize.clone(), name, Some(value)))).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{name:?}");
        assert_eq!(answer.header(header::LOCATION), None, "{name:?}");
    }
    for path in ["/consent?interaction=%00", "/sign-in?interaction=a%00", "/callback/local?state=%00.x"] {
        let answer = harness.get(path).await;
        assert!(answer.status.is_client_error(), "{path}: {}", answer.status);
    }
    for name in ["client_id", "code", "redirect_uri"] {
        let form = with(redeem_params(&client, "code"), name, Some("\0"));
        assert_eq!(harness.post_form("/token", &form).await.error(), "invalid_request", "{name}");
    }
}

/// SEC-23: NUL in any parameter, in memory -> 400 `invalid_request` or a page, never 5xx
#[tokio::test]
async fn nul_is_a_bad_request_in_memory() {
    nul_is_a_bad_request(Arc::new(MemoryStore::default())).await;
}

/// SEC-23: NUL in any parameter, on SQLite -> 400 `invalid_request` or a page, never 5xx
#[tokio::test]
async fn nul_is_a_bad_request_on_sqlite() {
    let (_directory, url) = sqlite();
    nul_is_a_bad_request(Arc::new(database(&url).await)).await;
}

/// SEC-23: NUL in any parameter, on PostgreSQL -> 400 `invalid_request` or a page, never 5xx
#[tokio::test]
async fn nul_is_a_bad_request_on_postgresql() {
    let cluster = PgCluster::start();
    nul_is_a_bad_request(Arc::new(database(&cluster.create_database()).await)).await;
}

/// SEC-39: client metadata as a list of values -> 400 `invalid_client_metadata`
#[tokio::test]
async fn client_metadata_is_an_object_and_never_a_list_of_its_members() {
    let harness = Harness::new().await;
    let list = json!([[REDIRECT], null, null, null, "x", null, null]);
    let answer = harness.post_json("/register", &list).await;
    assert_eq!((answer.status, answer.error()), (StatusCode::BAD_REQUEST, "invalid_client_metadata".into()));
    let spaced = format!("\r\n\t {}", json!({ "redirect_uris": [REDIRECT] }));
    let json_type = [("content-type", "application/json")];
    let answer = harness.send(request(Method::POST, "/register", &json_type, &spaced)).await;
    assert_eq!(answer.status, StatusCode::CREATED);
}

/// RFC 6749 §5.2 and RFC 7591 §3.2.2: printable ASCII without `"` and `\`, whatever was sent.
/// SEC-23: markup, quotes and control characters in any member -> refused in printable ASCII that repeats none of it
#[tokio::test]
async fn an_error_description_repeats_nothing_of_what_was_sent() {
    let harness = Harness::new().await;
    let strange = "é\n\"\\<b>\u{202e}";
    let mut answers = Vec::new();
    for body in [
        json!({ "redirect_uris": strange }),
        json!({ "redirect_uris": [strange] }),
        json!({ "redirect_uris": [REDIRECT], "grant_types": { strange: 1 } }),
        json!({ "redirect_uris": [REDIRECT], "client_name": [strange] }),
        json!({ "redirect_uris": [REDIRECT], "application_type": strange }),
        json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": strange }),
    ] {
        answers.push(harness.post_json("/register", &body).await);
    }
    for form in [vec![("grant_type", strange)], vec![(strange, strange)], vec![("client_id", strange)]] {
        answers.push(harness.post_form("/token", &form).await);
    }
    for answer in answers {
        let body = answer.json();
        let description = body["error_description"].as_str().unwrap();
        let permitted = |byte: u8| matches!(byte, 0x20 | 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        assert!(description.bytes().all(permitted), "{description:?}");
        assert!(!description.contains("<b>"), "{description:?}");
    }
}

/// A person who reads the log must find the client that tried, not the one it tried to rob.
/// SEC-8: a code redeemed by another client -> 400 `invalid_grant`, recorded with the thief, the owner keeps the code
#[tokio::test]
async fn a_stolen_code_is_recorded_with_the_client_that_presented_it() {
    let harness = Harness::new().await;
    let (owner, thief) = (harness.client().await, harness.client().await);
    let code = harness.code(&owner).await;
    assert_eq!(harness.post_form("/token", &redeem_params(&thief, &code)).await.error(), "invalid_grant");
    harness.audit.flush();
    let last: Value = serde_json::from_str(harness.sink.lines.lines().last().unwrap()).unwrap();
    assert_eq!((&last["action"], &last["outcome"]), (&json!("token_issue"), &json!("denied")));
    assert_eq!(last["client"], json!(thief), "{last}");
    // Nothing was lost by it.
    assert_eq!(harness.post_form("/token", &redeem_params(&owner, &code)).await.status, StatusCode::OK);
}

#[tokio::test]
async fn offline_access_alone_asks_for_everything_at_a_refresh_as_it_does_at_the_start() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let tokens = harness.tokens(&client).await;
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", &client),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
        ("scope", "offline_access"),
    ];
    assert_eq!(harness.post_form("/token", &form).await.json()["scope"], "platform");
}

/// SEC-14: a callback of no provider, or with a broken path -> a 4xx page with a policy
#[tokio::test]
async fn a_callback_that_cannot_be_read_is_a_page_like_any_other() {
    let harness = Harness::new().await;
    for path in ["/callback/%ff?state=a.b&code=1", "/callback/%00?state=a.b", "/callback/nobody?state=a.b"] {
        let answer = harness.get(path).await;
        assert!(answer.status.is_client_error(), "{path}");
        assert!(answer.headers.contains_key(header::CONTENT_SECURITY_POLICY), "{path}: {}", answer.body);
    }
}

#[tokio::test]
async fn consent_tells_how_long_access_lasts() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let page = Browser::default().consent_page(&harness, &authorize_url(&authorize_params(&client))).await;
    assert!(page.body.contains("for up to 90 days"), "{}", page.body);
    let once = json!({ "redirect_uris": [REDIRECT], "grant_types": ["authorization_code"] });
    let registered = harness.post_json("/register", &once).await.json();
    let client = registered["client_id"].as_str().unwrap();
    let page = Browser::default().consent_page(&harness, &authorize_url(&authorize_params(client))).await;
    assert!(!page.body.contains("for up to"), "{}", page.body);
}

/// Guessing is slowed, for known names and unknown ones alike, and nobody else waits for it.
/// SEC-13: sixty passwords guessed for one name -> 429 with Retry-After, other names go on
#[tokio::test]
async fn guessing_a_password_is_slowed() {
    for name in ["ada", "nobody"] {
        let harness = Harness::new().await;
        let client = harness.client().await;
        let mut browser = Browser::default();
        let page = browser.allow(&harness, &authorize_url(&authorize_params(&client))).await;
        let mut limited = None;
        for attempt in 0..60 {
            let guess = [("username", name), ("password", "guess"), ("decision", "sign-in")];
            let answer = browser.submit(&harness, &page, &guess).await;
            if answer.status != StatusCode::FORBIDDEN {
                limited = Some((attempt, answer));
                break;
            }
        }
        let (attempts, answer) = limited.unwrap();
        assert!(attempts >= 10, "{name}: {attempts}");
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{name}");
        let wait: u64 = answer.header(header::RETRY_AFTER).unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{name}: {wait}");
        assert_eq!(harness.events().last().unwrap(), "login denied too_many_attempts");
        let other = [("username", "somebody else"), ("password", "guess"), ("decision", "sign-in")];
        assert_eq!(browser.submit(&harness, &page, &other).await.status, StatusCode::FORBIDDEN, "{name}");
    }
}

/// SEC-23: a code in the query of /token -> 400 `invalid_request`, the code stays good
#[tokio::test]
async fn a_form_is_never_read_from_the_url() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let code = harness.code(&client).await;
    let path = format!("/token?{}", query(&redeem_params(&client, &code)));
    assert_eq!(harness.post_form(&path, &[]).await.error(), "invalid_request");
    assert_eq!(harness.post_form("/token", &redeem_params(&client, &code)).await.status, StatusCode::OK);
}

/// SEC-23: a body that never ends -> 503 with Retry-After
#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let mut config = config();
    config.request_timeout = Duration::from_secs(1);
    let harness = Harness::with(config, Arc::new(MemoryStore::default()), vec![static_users()]).await;
    let send = async |path: &str, media_type: &str| {
        let body = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, Infallible>>());
        let request = Request::post(path).header(header::CONTENT_TYPE, media_type).body(body).unwrap();
        harness.send(request).await
    };
    let form = "application/x-www-form-urlencoded";
    let (token, register, consent) =
        tokio::join!(send("/token", form), send("/register", "application/json"), send("/consent", form));
    for answer in [&token, &register, &consent] {
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers.contains_key(header::RETRY_AFTER));
        assert!(answer.headers.contains_key("x-request-id"));
    }
    for answer in [&token, &register] {
        assert_eq!(answer.error(), "temporarily_unavailable");
        assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), Some("*"));
    }
    assert!(consent.body.contains("This does not work right now"), "{}", consent.body);
}

/// SEC-13: sign-ins begun and never finished -> the oldest give way, an honest one still works
#[tokio::test]
async fn a_flood_of_sign_ins_takes_bounded_room() {
    let mut config = config();
    config.max_interactions = 3;
    let harness = Harness::with(config, Arc::new(MemoryStore::default()), vec![static_users()]).await;
    let client = harness.client().await;
    let url = authorize_url(&authorize_params(&client));
    let mut browser = Browser::default();
    let page = browser.consent_page(&harness, &url).await;
    let allow = [("decision", "allow")];
    for second in 0..3 {
        harness.advance(Duration::from_secs(1));
        assert_eq!(harness.get(&url).await.status, StatusCode::SEE_OTHER, "{second}");
    }
    assert_eq!(browser.submit(&harness, &page, &allow).await.status, StatusCode::BAD_REQUEST, "gave way");
    harness.advance(Duration::from_secs(1));
    assert_eq!(browser.sign_in(&harness, &url).await.status, StatusCode::SEE_OTHER);
}
