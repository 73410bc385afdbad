//! Clients whose identifier is the URL of a document about them.

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::body::Body;
use connect_hosts::AllowedHosts;
use http::{Request, StatusCode};
use oauth_server::{ClientAddress, DocumentTrust, OAuthConfig, store::MemoryStore};
use public_fetch::{FetchError, WhyNot};
use serde_json::{Value, json};

use crate::support::{
    Answer, Browser, Harness, PASSWORD, REDIRECT, authorize_params, authorize_url, config, redeem_params,
    static_users, with,
};

const ID: &str = "https://client.example/metadata.json";
const HOUR: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);

fn document() -> Value {
    json!({ "client_id": ID, "client_name": "A client", "redirect_uris": [REDIRECT, "http://localhost/callback"] })
}

/// The document with a member replaced, added, or with `null` removed.
fn changed(member: &str, value: Value) -> Value {
    let mut document = document();
    document[member] = value;
    if document[member].is_null() {
        document.as_object_mut().unwrap().remove(member);
    }
    document
}

/// A server that can read the document.
async fn harness() -> Harness {
    let harness = Harness::new().await;
    harness.published.set(ID, &document());
    harness
}

async fn trusting(trust: DocumentTrust) -> Harness {
    let config = OAuthConfig { client_documents: trust, ..config() };
    let harness = Harness::with(config, Arc::new(MemoryStore::default()), vec![static_users()]).await;
    harness.published.set(ID, &document());
    harness
}

async fn authorize(harness: &Harness, client_id: &str) -> Answer {
    harness.get(&authorize_url(&authorize_params(client_id))).await
}

/// Whether a page, and not a redirect, says that it goes no further.
fn assert_page(answer: &Answer, status: StatusCode, text: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.header("location"), None);
    assert!(answer.body.contains(text), "{text} is not in {}", answer.body);
}

#[tokio::test]
async fn a_client_that_a_document_describes_gets_tokens_and_refreshes_them() {
    let harness = harness().await;
    let mut browser = Browser::default();
    let page = browser.consent_page(&harness, &authorize_url(&authorize_params(ID))).await;
    assert!(page.body.contains("A client"), "{}", page.body);
    assert!(page.body.contains("<code>client.example</code>"), "{}", page.body);
    let tokens = harness.tokens(ID).await;
    let refreshed = harness.refresh(ID, tokens["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refreshed.status, StatusCode::OK, "{}", refreshed.body);
    assert_eq!(harness.published.fetched(), [ID]);
    assert!(harness.events().contains(&"registration success -".to_owned()), "{:?}", harness.events());
}

/// The documents in `tests/cases/documents`.
#[tokio::test]
async fn the_documents_of_real_clients_are_taken() {
    let cases = [
        include_str!("../cases/documents/claude.json"),
        include_str!("../cases/documents/claude-code.json"),
        include_str!("../cases/documents/opencode.json"),
        include_str!("../cases/documents/vscode.json"),
    ];
    let hosts = "claude.ai,claude.com,localhost,vscode.dev";
    for case in cases {
        let harness =
            Harness::listing(hosts, config(), Arc::new(MemoryStore::default()), vec![static_users()]).await;
        let case: Value = serde_json::from_str(case).unwrap();
        let id = case["document"]["client_id"].as_str().unwrap();
        harness.published.set(id, &case["document"]);
        for redirect in case["asks_for"].as_array().unwrap() {
            let redirect = redirect.as_str().unwrap();
            let params = with(authorize_params(id), "redirect_uri", Some(redirect));
            let answer = Browser::default().sign_in(&harness, &authorize_url(&params)).await;
            assert!(answer.location().starts_with(redirect), "{}", answer.location());
            let code = answer.location_param("code").unwrap();
            let redeem = with(redeem_params(id, &code), "redirect_uri", Some(redirect));
            let tokens = harness.post_form("/token", &redeem).await.json();
            assert_eq!(tokens["refresh_token"].is_string(), case["refreshes"] == true, "{tokens}");
        }
    }
}

/// SEC-40: a document with one rule broken -> an error page that says which, no redirect
#[tokio::test]
async fn one_broken_rule_is_enough() {
    let cases = [
        (changed("client_id", Value::Null), "client_id is not exactly"),
        (changed("client_id", json!("https://client.example/metadata")), "client_id is not exactly"),
        (changed("client_id", json!("https://client.example/METADATA.json")), "client_id is not exactly"),
        (changed("client_id", json!("https://client.example:443/metadata.json")), "client_id is not exactly"),
        (changed("client_id", json!("https://client.example/./metadata.json")), "client_id is not exactly"),
        (changed("client_id", json!(["https://client.example/metadata.json"])), "JSON object"),
        (changed("client_name", Value::Null), "client_name"),
        (changed("client_name", json!("")), "client_name"),
        (changed("client_name", json!(" \t")), "client_name"),
        (changed("client_name", json!("x".repeat(129))), "client_name"),
        (changed("client_name", json!(7)), "JSON object"),
        (changed("redirect_uris", Value::Null), "redirect_uris"),
        (changed("redirect_uris", json!([])), "redirect_uris"),
        (changed("redirect_uris", json!(vec![REDIRECT; 33])), "redirect_uris"),
        (changed("redirect_uris", json!(REDIRECT)), "JSON object"),
        (changed("client_secret", json!("hunter2")), "client secret"),
        (changed("client_secret_expires_at", json!(0)), "client secret"),
        (changed("token_endpoint_auth_method", json!("client_secret_basic")), "token_endpoint_auth_method"),
        (changed("token_endpoint_auth_method", json!("client_secret_post")), "token_endpoint_auth_method"),
        (changed("token_endpoint_auth_method", json!("client_secret_jwt")), "token_endpoint_auth_method"),
        (changed("token_endpoint_auth_method", json!("tls_client_auth")), "token_endpoint_auth_method"),
        (changed("token_endpoint_auth_method", json!("NONE")), "token_endpoint_auth_method"),
        (changed("grant_types", json!(["refresh_token"])), "grant_types"),
        (changed("grant_types", json!([])), "grant_types"),
        (changed("response_types", json!(["token"])), "response_types"),
        (json!([ID, "A client", [REDIRECT]]), "JSON object"),
        (json!("a text"), "JSON object"),
    ];
    for (document, expected) in cases {
        let harness = Harness::new().await;
        harness.published.set(ID, &document);
        let answer = authorize(&harness, ID).await;
        assert_page(&answer, StatusCode::BAD_REQUEST, expected);
        assert!(!answer.body.contains("hunter2"), "{}", answer.body);
        assert_eq!(harness.published.fetched(), [ID]);
    }
}

/// SEC-40: a body that is not JSON, has a member twice, or is longer than 5 kB -> an error page
#[tokio::test]
async fn a_body_is_one_small_json_object() {
    let twice = document().to_string().replacen('{', r#"{"client_name":"Another","#, 1);
    let padded = |length: usize| {
        let bare = document().to_string();
        format!("{bare}{}", " ".repeat(length - bare.len())).into_bytes()
    };
    let cases = [
        (document().to_string().into_bytes(), true),
        (padded(5 * 1024), true),
        (padded(5 * 1024 + 1), false),
        (twice.into_bytes(), false),
        (b"<html>".to_vec(), false),
        (b"".to_vec(), false),
        (b"\xff".to_vec(), false),
        (format!("{} {{}}", document()).into_bytes(), false),
        ("[".repeat(2000).into_bytes(), false),
    ];
    for (body, taken) in cases {
        let harness = Harness::new().await;
        harness.published.answer(ID, Ok(body.clone()));
        let answer = authorize(&harness, ID).await;
        assert_eq!(answer.status == StatusCode::SEE_OTHER, taken, "{:?}", String::from_utf8_lossy(&body));
        assert!(taken || answer.status == StatusCode::BAD_REQUEST, "{}", answer.status);
    }
}

/// SEC-40: an identifier that can name no document -> an error page, nothing is fetched
#[tokio::test]
async fn what_is_no_url_of_a_document_is_not_fetched() {
    let harness = harness().await;
    for id in [
        "https://client.example",
        "https://client.example/",
        "https://client.example/a/../metadata.json",
        "https://client.example/%2e%2e/metadata.json",
        "https://client.example/metadata.json#",
        "https://user@client.example/metadata.json",
        "https://CLIENT.example/metadata.json",
        "https://client.example:443/metadata.json",
    ] {
        assert_page(&authorize(&harness, id).await, StatusCode::BAD_REQUEST, "client_id");
    }
    for id in
        ["client.example/metadata.json", "HTTPS://client.example/metadata.json", "ftp://client.example/a"]
    {
        assert_page(&authorize(&harness, id).await, StatusCode::BAD_REQUEST, "not known here");
    }
    assert_eq!(harness.published.fetched(), [""; 0]);
}

/// SEC-40, SEC-41: a document that cannot be had, whatever the reason -> an error page that does not tell the reason
#[tokio::test]
async fn why_a_document_cannot_be_had_is_not_told() {
    let reasons = [
        FetchError::NotPublic(WhyNot::LinkLocal),
        FetchError::Unresolvable,
        FetchError::Unreachable,
        FetchError::Stalled,
        FetchError::Redirect,
        FetchError::Status(StatusCode::FORBIDDEN),
        FetchError::ContentType,
        FetchError::ContentEncoding,
    ];
    let mut pages = Vec::new();
    for reason in reasons {
        let harness = Harness::new().await;
        harness.published.answer(ID, Err(reason));
        let answer = authorize(&harness, ID).await;
        assert_page(&answer, StatusCode::BAD_REQUEST, "cannot be identified");
        let (before, after) = answer.body.split_once("<code>").unwrap();
        pages.push((before.to_owned(), after.split_once("</code>").unwrap().1.to_owned()));
    }
    assert!(pages.windows(2).all(|pair| pair[0] == pair[1]), "but for the reference they are alike");
}

/// SEC-40: an error or an invalid document -> not kept, the next request asks again
#[tokio::test]
async fn what_could_not_be_had_is_asked_for_again() {
    let harness = Harness::new().await;
    harness.published.answer(ID, Err(FetchError::Status(StatusCode::BAD_GATEWAY)));
    assert_eq!(authorize(&harness, ID).await.status, StatusCode::BAD_REQUEST);
    harness.published.set(ID, &changed("client_id", Value::Null));
    assert_eq!(authorize(&harness, ID).await.status, StatusCode::BAD_REQUEST);
    harness.published.set(ID, &document());
    assert_eq!(authorize(&harness, ID).await.status, StatusCode::SEE_OTHER);
    assert_eq!(harness.published.fetched().len(), 3);
}

/// SEC-40: headers that would have a document kept for no time, or for ever -> kept for five minutes, or an hour
#[tokio::test]
async fn headers_are_honoured_within_bounds() {
    for (stated, kept) in [(Duration::ZERO, 5 * MINUTE), (20 * MINUTE, 20 * MINUTE), (1000 * HOUR, HOUR)] {
        for signed_in in [false, true] {
            let harness = harness().await;
            harness.published.lifetime(stated);
            if signed_in {
                harness.tokens(ID).await;
            }
            for (later, expected) in
                [(Duration::ZERO, 1), (kept.saturating_sub(Duration::from_secs(1)), 1), (kept, 2)]
            {
                harness.advance(later);
                assert_eq!(authorize(&harness, ID).await.status, StatusCode::SEE_OTHER);
                assert_eq!(harness.published.fetched().len(), expected, "{stated:?} {later:?}");
                harness.step_back(later);
            }
        }
    }
}

/// SEC-41: a hundred requests for one unknown document at once -> it is fetched once
#[tokio::test]
async fn a_storm_for_one_document_fetches_it_once() {
    let harness = Arc::new(harness().await);
    harness.published.hold();
    let requests: Vec<_> = (0..100)
        .map(|_| {
            let harness = Arc::clone(&harness);
            tokio::spawn(async move { authorize(&harness, ID).await.status })
        })
        .collect();
    harness.published.asked().await;
    // Whoever came first goes away: the others are served all the same.
    requests[0].abort();
    tokio::task::yield_now().await;
    harness.published.release();
    for request in requests.into_iter().skip(1) {
        assert_eq!(request.await.unwrap(), StatusCode::SEE_OTHER);
    }
    assert_eq!(harness.published.fetched(), [ID]);
}

/// SEC-41: one address names document after document -> 429 with Retry-After, others are served
/// SEC-41: documents of one host are named again and again -> 429, one that is known there is still renewed
#[tokio::test]
async fn strangers_cause_few_fetches() {
    let from = async |harness: &Harness, address: &str, id: &str| {
        let address: IpAddr = address.parse().unwrap();
        let request = Request::get(authorize_url(&authorize_params(id))).extension(ClientAddress(address));
        harness.send(request.body(Body::empty()).unwrap()).await
    };
    let harness = harness().await;
    let mut limited = Vec::new();
    for index in 0..25 {
        let id = format!("https://host{index}.example/a");
        limited.push(from(&harness, "198.51.100.7", &id).await);
    }
    let first = limited.iter().position(|answer| answer.status == StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(first, Some(20));
    assert!(limited[20].header("retry-after").is_some());
    assert_eq!(harness.published.fetched().len(), 20);
    assert_eq!(from(&harness, "198.51.100.8", ID).await.status, StatusCode::SEE_OTHER);

    harness.tokens(ID).await;
    let mut statuses = Vec::new();
    for index in 0..40 {
        let address = format!("203.0.113.{index}");
        statuses.push(from(&harness, &address, &format!("https://client.example/{index}")).await.status);
    }
    assert_eq!(statuses.last(), Some(&StatusCode::TOO_MANY_REQUESTS));
    harness.advance(2 * HOUR);
    assert_eq!(from(&harness, "198.51.100.9", ID).await.status, StatusCode::SEE_OTHER);
}

/// SEC-40: the operator takes no documents, or not those of this host -> an error page, nothing is fetched, not advertised
#[tokio::test]
async fn the_operator_decides_whose_documents_count() {
    let list = |list: &str| DocumentTrust::AllowList(AllowedHosts::parse(list).0);
    let cases = [
        (DocumentTrust::Open, true, true),
        (DocumentTrust::Off, false, false),
        (list("client.example"), true, true),
        (list(".example"), true, false),
        (list(".client.example"), true, false),
        (list("other.example,.other.example"), true, false),
        (list(""), true, false),
    ];
    for (trust, advertised, taken) in cases {
        let harness = trusting(trust.clone()).await;
        let metadata = harness.get("/.well-known/oauth-authorization-server").await.json();
        let expected = if advertised { json!(true) } else { Value::Null };
        assert_eq!(metadata["client_id_metadata_document_supported"], expected, "{trust:?}");
        let answer = authorize(&harness, ID).await;
        assert_eq!(answer.status == StatusCode::SEE_OTHER, taken, "{trust:?}");
        assert_eq!(harness.published.fetched().len(), usize::from(taken), "{trust:?}");
    }
}

/// SEC-2, SEC-40: a redirect of the document that the operator does not list, or another than it lists -> an error page
#[tokio::test]
async fn the_redirects_of_a_document_are_judged_like_any() {
    let harness = Harness::new().await;
    let redirects = json!(["https://evil.example/", "http://localhost/callback", "javascript:alert(1)"]);
    harness.published.set(ID, &changed("redirect_uris", redirects));
    let cases = [
        ("http://localhost:3118/callback", true),
        ("http://localhost/callback", true),
        ("http://localhost:3118/other", false),
        ("http://127.0.0.1:3118/callback", false),
        ("https://evil.example/", false),
        ("javascript:alert(1)", false),
        (REDIRECT, false),
    ];
    for (redirect, taken) in cases {
        let params = with(authorize_params(ID), "redirect_uri", Some(redirect));
        let answer = harness.get(&authorize_url(&params)).await;
        let expected = if taken { StatusCode::SEE_OTHER } else { StatusCode::BAD_REQUEST };
        assert_eq!(answer.status, expected, "{redirect}");
        assert!(taken || answer.header("location").is_none());
    }
}

/// SEC-40: every redirect of a document is loopback -> the consent page warns, whoever publishes it
#[tokio::test]
async fn consent_warns_of_a_client_that_any_program_can_claim_to_be() {
    let harness = Harness::new().await;
    harness.published.set(ID, &changed("redirect_uris", json!(["http://localhost/callback"])));
    let params = with(authorize_params(ID), "redirect_uri", Some("http://localhost:3118/callback"));
    let page = Browser::default().consent_page(&harness, &authorize_url(&params)).await;
    assert!(page.body.contains("Access goes to a program on this computer"), "{}", page.body);
    assert!(page.body.contains("<code>client.example</code>"), "{}", page.body);
}

/// SEC-40: a document that changed what people relied on -> the refresh and the code are refused, consent is asked again
#[tokio::test]
async fn a_changed_document_asks_again() {
    let cases = [
        (changed("client_name", json!("Another client")), false),
        (changed("redirect_uris", json!([REDIRECT, "http://localhost/other"])), false),
        (changed("redirect_uris", json!([REDIRECT])), false),
        (changed("redirect_uris", json!(["http://localhost/callback", REDIRECT, REDIRECT])), true),
        (changed("logo_uri", json!("https://client.example/logo.png")), true),
    ];
    for (document, usable) in cases {
        let harness = harness().await;
        let tokens = harness.tokens(ID).await;
        let refresh_token = tokens["refresh_token"].as_str().unwrap();
        let code = harness.code(ID).await;
        harness.published.set(ID, &document);
        harness.advance(Duration::from_secs(50));
        assert_eq!(harness.published.fetched().len(), 1, "it is still fresh");
        harness.advance(5 * MINUTE);
        let refreshed = harness.refresh(ID, refresh_token).await;
        let expected = if usable { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        assert_eq!(refreshed.status, expected, "{document}: {}", refreshed.body);
        assert!(usable || refreshed.error() == "invalid_grant", "{}", refreshed.body);
        // The code is over by now in any case; a new one is for what the document says now.
        let late = harness.post_form("/token", &redeem_params(ID, &code)).await;
        assert_eq!(late.error(), "invalid_grant");
        assert_eq!(harness.tokens(ID).await["token_type"], "Bearer");
    }
}

/// SEC-40: a document that changes between the consent page and the answer to it -> an error page, no code
#[tokio::test]
async fn what_changes_during_consent_was_not_consented_to() {
    let harness = harness().await;
    let mut browser = Browser::default();
    let page = browser.consent_page(&harness, &authorize_url(&authorize_params(ID))).await;
    harness.published.set(ID, &changed("client_name", json!("Another client")));
    harness.advance(6 * MINUTE);
    let answer = browser.submit(&harness, &page, &[("decision", "allow")]).await;
    assert_page(&answer, StatusCode::BAD_REQUEST, "has changed");
}

/// SEC-40: an outage of the document's host -> ends no grant for a day, and lets nobody consent meanwhile
#[tokio::test]
async fn an_outage_of_the_host_ends_no_grant_for_a_day() {
    let harness = harness().await;
    let tokens = harness.tokens(ID).await;
    let mut refresh_token = tokens["refresh_token"].as_str().unwrap().to_owned();
    harness.published.answer(ID, Err(FetchError::Unreachable));
    for _ in 0..2 {
        harness.advance(12 * HOUR);
        let refreshed = harness.refresh(ID, &refresh_token).await;
        assert_eq!(refreshed.status, StatusCode::OK, "{}", refreshed.body);
        refresh_token = refreshed.json()["refresh_token"].as_str().unwrap().to_owned();
        assert_eq!(authorize(&harness, ID).await.status, StatusCode::BAD_REQUEST);
    }
    harness.advance(HOUR);
    let late = harness.refresh(ID, &refresh_token).await;
    assert_eq!(
        (late.status, late.error().as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
    );
    harness.published.set(ID, &document());
    let refreshed = harness.refresh(ID, &refresh_token).await;
    assert_eq!(refreshed.status, StatusCode::OK, "the grant was only waiting: {}", refreshed.body);
}

/// SEC-40: a document that its publisher took back, or replaced by one that is not valid -> 401 `invalid_client` at once
#[tokio::test]
async fn a_document_that_was_taken_back_counts_no_more() {
    let withdrawn = [
        Err(FetchError::Status(StatusCode::NOT_FOUND)),
        Err(FetchError::Status(StatusCode::GONE)),
        Ok(b"{}".to_vec()),
    ];
    for answer in withdrawn {
        let harness = harness().await;
        let tokens = harness.tokens(ID).await;
        harness.published.answer(ID, answer);
        harness.advance(6 * MINUTE);
        let refreshed = harness.refresh(ID, tokens["refresh_token"].as_str().unwrap()).await;
        assert_eq!(
            (refreshed.status, refreshed.error().as_str()),
            (StatusCode::UNAUTHORIZED, "invalid_client")
        );
    }
}

/// SEC-40: a secret from a client that a document describes -> 401 `invalid_client`
#[tokio::test]
async fn a_document_gives_nobody_a_secret() {
    let harness = harness().await;
    let code = harness.code(ID).await;
    let with_secret = with(redeem_params(ID, &code), "client_secret", Some("hunter2"));
    let answer = harness.post_form("/token", &with_secret).await;
    assert_eq!((answer.status, answer.error().as_str()), (StatusCode::UNAUTHORIZED, "invalid_client"));
    assert_eq!(harness.post_form("/token", &redeem_params(ID, &code)).await.status, StatusCode::OK);
}

/// SEC-39: a registration -> an identifier of ours, which never looks like the URL of a document
#[tokio::test]
async fn generated_identifiers_name_no_document() {
    let harness = Harness::new().await;
    for claimed in [ID, "http://localhost/a"] {
        let body = json!({ "client_id": claimed, "client_name": "x", "redirect_uris": [REDIRECT] });
        let answer = harness.post_json("/register", &body).await;
        let id = answer.json()["client_id"].as_str().unwrap().to_owned();
        assert_ne!(id, claimed);
        assert!(id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{id}");
    }
    assert_page(&authorize(&harness, ID).await, StatusCode::BAD_REQUEST, "cannot be identified");
}

#[tokio::test]
async fn two_replicas_agree_on_the_newest_document() {
    let store = Arc::new(MemoryStore::default());
    let (one, two) = (Harness::on(store.clone()).await, Harness::on(store).await);
    one.published.lifetime(HOUR);
    one.published.set(ID, &document());
    two.published.set(ID, &changed("client_name", json!("Another client")));
    let tokens = one.tokens(ID).await;
    // The other one takes what is kept, while it is fresh, and never asks.
    let refreshed = two.refresh(ID, tokens["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refreshed.status, StatusCode::OK, "{}", refreshed.body);
    assert_eq!(two.published.fetched(), [""; 0]);
}

#[tokio::test]
async fn a_document_that_cannot_be_recorded_is_not_relied_on() {
    let harness = harness().await;
    let mut browser = Browser::default();
    let page = browser.allow(&harness, &authorize_url(&authorize_params(ID))).await;
    harness.break_audit(true);
    let fields = [("username", "ada"), ("password", PASSWORD)];
    let answer = browser.submit(&harness, &page, &fields).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.body);
    assert_eq!(harness.store.document(ID).await.unwrap(), None);
}

/// SEC-40: a device whose client's document changes or cannot be had between code, confirmation and sign-in -> nobody is asked on its old word, nothing is let in
#[tokio::test]
async fn a_device_is_let_in_on_the_present_word_of_its_client() {
    const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
    let config = OAuthConfig { device_clients: oauth_server::DeviceClients::Any, ..config() };
    let harness = Harness::with(config, Arc::new(MemoryStore::default()), vec![static_users()]).await;
    let grants = json!(["authorization_code", "refresh_token", DEVICE_CODE]);
    let before = changed("grant_types", grants);
    harness.published.set(ID, &before);
    harness.tokens(ID).await;
    let begun = harness.post_form("/device_authorization", &[("client_id", ID)]).await.json();
    let typed = [("user_code", begun["user_code"].as_str().unwrap())];

    let mut after = before.clone();
    after["client_name"] = json!("Another name");
    let mut browser = Browser::default();
    let opened = browser.send(&harness, crate::support::form_request("/device", &typed)).await;
    let page = browser.get(&harness, opened.location()).await;
    assert!(page.body.contains("A client"), "{}", page.body);
    harness.published.set(ID, &after);
    harness.advance(6 * MINUTE);
    let answer = browser.submit(&harness, &page, &[("decision", "allow")]).await;
    assert_page(&answer, StatusCode::BAD_REQUEST, "has changed");

    harness.published.answer(ID, Err(FetchError::Unreachable));
    let begun = harness.post_form("/device_authorization", &[("client_id", ID)]).await.json();
    let typed = [("user_code", begun["user_code"].as_str().unwrap())];
    harness.advance(6 * MINUTE);
    let answer = harness.post_form("/device", &typed).await;
    assert_page(&answer, StatusCode::BAD_REQUEST, "could not be read");
}
