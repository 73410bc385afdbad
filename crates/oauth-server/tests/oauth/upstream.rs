//! Sign-in at an identity provider: bound to the browser after consent, and nowhere else.

use std::{
    sync::{Arc, atomic::Ordering},
    time::UNIX_EPOCH,
};

use http::{StatusCode, header};
use oauth_server::store::MemoryStore;

use crate::{
    provider::{Provider, SUBJECT},
    support::{
        Answer, Browser, Harness, authorize_params, authorize_url, claims, config, query, redeem_params,
    },
};

async fn start() -> (Harness, Arc<Provider>) {
    let provider = Provider::start(1_800_000_000).await;
    let harness =
        Harness::with(config(), Arc::new(MemoryStore::default()), vec![provider.source("idp")]).await;
    assert_eq!(harness.now().duration_since(UNIX_EPOCH).unwrap().as_secs(), 1_800_000_000);
    (harness, provider)
}

/// A browser after consent, on its way to the provider, and where it is sent.
async fn sent_upstream(harness: &Harness) -> (String, Browser, Answer) {
    let client = harness.client().await;
    let mut browser = Browser::default();
    let answer = browser.allow(harness, &authorize_url(&authorize_params(&client))).await;
    (client, browser, answer)
}

#[tokio::test]
async fn a_person_signs_in_at_the_provider() {
    let (harness, provider) = start().await;
    let (client, mut browser, upstream) = sent_upstream(&harness).await;
    assert_eq!(upstream.status, StatusCode::SEE_OTHER, "{}", upstream.body);
    assert!(upstream.location().starts_with(&provider.issuer));
    assert_eq!(upstream.location_param("redirect_uri").unwrap(), "http://localhost:8080/callback/idp");
    assert_eq!(upstream.location_param("code_challenge_method").unwrap(), "S256");
    let back = format!("/callback/idp?{}", provider.sign_in(upstream.location()));
    let mut copy = browser.clone();
    let answer = browser.get(&harness, &back).await;
    let code = answer.location_param("code").unwrap_or_else(|| panic!("{answer:?}"));
    let tokens = harness.post_form("/token", &redeem_params(&client, &code)).await.json();
    let claims = claims(tokens["access_token"].as_str().unwrap());
    assert_eq!(claims["sub"], SUBJECT);
    assert_eq!(claims["idp"], provider.issuer.as_str());
    assert_eq!(claims["hints"]["groups"][0], "analysts");
    assert!(!claims.contains_key("tenant"));
    // The callback works once.
    assert_eq!(copy.get(&harness, &back).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(provider.redeemed.load(Ordering::SeqCst), 1);
}

/// SEC-14: the way to the provider opened before consent -> 400 page without Location
#[tokio::test]
async fn nothing_upstream_exists_before_consent() {
    let (harness, _provider) = start().await;
    let client = harness.client().await;
    let mut browser = Browser::default();
    browser.consent_page(&harness, &authorize_url(&authorize_params(&client))).await;
    assert!(browser.cookies.keys().all(|name| name.starts_with("connect-consent-")), "{:?}", browser.cookies);
    let id = browser.cookies.keys().next().unwrap().strip_prefix("connect-consent-").unwrap().to_owned();
    let early = browser.get(&harness, &format!("/sign-in?interaction={id}&idp=idp")).await;
    assert_eq!(early.status, StatusCode::BAD_REQUEST);
    assert_eq!(early.header(header::LOCATION), None);
}

/// SEC-14: an answer of the provider in another browser, or with a forged, missing or repeated state -> 400 page, no code is redeemed
#[tokio::test]
async fn a_callback_that_is_not_this_browsers_is_refused_and_changes_nothing() {
    let (harness, provider) = start().await;
    let (_, mut browser, upstream) = sent_upstream(&harness).await;
    let (_, mut other, _) = sent_upstream(&harness).await;
    let good = provider.sign_in(upstream.location());
    let state = upstream.location_param("state").unwrap();
    let forged = format!("{}.{}", state.split_once('.').unwrap().0, "x".repeat(43));
    let with_state = |state: &str| query(&[("code", "upstream-code"), ("state", state)]);
    let cases = [
        ("no state", "code=upstream-code".to_owned()),
        ("empty", String::new()),
        ("unknown state", with_state("unknown.state")),
        ("forged state", with_state(&forged)),
        ("no code", query(&[("state", &state)])),
        ("two codes", format!("{good}&code=other")),
        ("two states", format!("{good}&state=other")),
    ];
    for (name, query) in cases {
        let answer = browser.get(&harness, &format!("/callback/idp?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{name}");
        assert_eq!(answer.header(header::LOCATION), None, "{name}");
    }
    let stolen = other.get(&harness, &format!("/callback/idp?{good}")).await;
    assert_eq!(stolen.status, StatusCode::BAD_REQUEST, "another browser");
    let unknown = browser.get(&harness, &format!("/callback/elsewhere?{good}")).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND, "no such provider");
    assert_eq!(provider.redeemed.load(Ordering::SeqCst), 0);
    let answer = browser.get(&harness, &format!("/callback/idp?{good}")).await;
    assert!(answer.location_param("code").is_some());
}

/// SEC-14: an answer of one provider at the callback of another, or with another `iss` -> 400 or 502 page, no code is redeemed
#[tokio::test]
async fn an_answer_for_one_provider_is_worthless_at_another() {
    let provider = Provider::start(1_800_000_000).await;
    let sources = vec![provider.source("one"), provider.source("two")];
    let harness = Harness::with(config(), Arc::new(MemoryStore::default()), sources).await;
    let (_, mut browser, chooser) = sent_upstream(&harness).await;
    assert_eq!(chooser.status, StatusCode::OK);
    let chosen = browser.submit(&harness, &chooser, &[("idp", "one")]).await;
    let upstream = browser.get(&harness, chosen.location()).await;
    let back = provider.sign_in(upstream.location());
    let mixed_up = browser.get(&harness, &format!("/callback/two?{back}")).await;
    assert_eq!(mixed_up.status, StatusCode::BAD_REQUEST);
    let other_issuer = back.replace("iss=http", "iss=https");
    let mixed_up = browser.get(&harness, &format!("/callback/one?{other_issuer}")).await;
    assert_eq!(mixed_up.status, StatusCode::BAD_GATEWAY);
    assert_eq!(provider.redeemed.load(Ordering::SeqCst), 0);
    let answer = browser.get(&harness, &format!("/callback/one?{back}")).await;
    assert!(answer.location_param("code").is_some(), "{answer:?}");
    assert!(harness.events().contains(&"login failure upstream_mix_up".to_owned()));
}

#[tokio::test]
async fn a_provider_that_is_down_is_said_to_be_and_a_retry_works() {
    let (harness, provider) = start().await;
    provider.down.store(true, Ordering::SeqCst);
    let client = harness.client().await;
    let mut browser = Browser::default();
    let page = browser.consent_page(&harness, &authorize_url(&authorize_params(&client))).await;
    let allowed = browser.submit(&harness, &page, &[("decision", "allow")]).await;
    let down = browser.get(&harness, allowed.location()).await;
    assert_eq!(down.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(down.headers.contains_key(header::RETRY_AFTER));
    assert!(down.body.contains("does not answer"));

    provider.down.store(false, Ordering::SeqCst);
    let upstream = browser.get(&harness, allowed.location()).await;
    let back = format!("/callback/idp?{}", provider.sign_in(upstream.location()));
    provider.down.store(true, Ordering::SeqCst);
    assert_eq!(browser.get(&harness, &back).await.status, StatusCode::SERVICE_UNAVAILABLE);
    provider.down.store(false, Ordering::SeqCst);
    assert!(browser.get(&harness, &back).await.location_param("code").is_some());
}

#[tokio::test]
async fn a_refusal_by_the_provider_goes_back_to_the_client() {
    let (harness, provider) = start().await;
    let (_, mut browser, upstream) = sent_upstream(&harness).await;
    let state = upstream.location_param("state").unwrap();
    let params = [("error", "access_denied"), ("state", state.as_str()), ("iss", provider.issuer.as_str())];
    let answer = browser.get(&harness, &format!("/callback/idp?{}", query(&params))).await;
    assert_eq!(answer.location_param("error").as_deref(), Some("access_denied"));
    assert_eq!(answer.location_param("state").as_deref(), Some("s t&ate"));
    assert!(browser.cookies.is_empty());
    assert_eq!(harness.events().last().unwrap(), "login denied upstream_refused");
}
