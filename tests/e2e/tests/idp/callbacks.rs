//! The way back from the provider belongs to one browser and one sign-in (SEC-14).

use quickstart::Browser;
use reqwest::StatusCode;
use serde_json::json;
use url::Url;

use crate::{
    attempt::{Attempt, stopped},
    setting::Setting,
};

const OVER: &str = "This sign-in is over";

fn setting() -> Setting {
    Setting::start(&json!({ "ada": { "org": "acme" }, "ben": { "org": "acme" } }), &[])
}

/// `url` with one parameter changed.
fn with(url: &Url, name: &str, change: impl Fn(&str) -> String) -> Url {
    let mut changed = url.clone();
    let pairs = url.query_pairs().map(|(key, value)| {
        let value = if key == name { change(&value) } else { value.clone().into_owned() };
        (key.into_owned(), value)
    });
    changed.query_pairs_mut().clear().extend_pairs(pairs.collect::<Vec<_>>());
    changed
}

fn parameter(url: &Url, name: &str) -> String {
    url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned()
}

/// SEC-14: the callback of one browser opened in another -> 400 page, no code is redeemed, both go on
#[tokio::test]
async fn a_callback_is_worth_nothing_in_another_browser() {
    let setting = setting();
    let mut attempt = Attempt::new(&setting.system, "s").await;
    let callback = attempt.up_to_callback(&setting, "ada").await;
    let asked = setting.provider.requests().await.len();
    let (_, words) = stopped(&mut Browser::new().unwrap(), &callback, StatusCode::BAD_REQUEST).await;
    assert!(words.contains(OVER), "{words}");
    // Nor in a browser that has a sign-in of its own under way.
    let mut other = Attempt::new(&setting.system, "t").await;
    let theirs = other.up_to_callback(&setting, "ben").await;
    stopped(&mut other.browser, &callback, StatusCode::BAD_REQUEST).await;
    assert!(setting.provider.requests().await[asked..].iter().all(|line| line != "POST /token"));
    // The browser that it belongs to, and the other one with its own, go on as if nothing had happened.
    for (attempt, callback) in [(&mut attempt, callback), (&mut other, theirs)] {
        let arrived = attempt.follow(&callback, "nobody").await.unwrap();
        attempt.assert_code(&setting, &arrived).await;
    }
}

/// SEC-14: a callback with a changed, cut, empty or repeated state -> 400 page
#[tokio::test]
async fn a_callback_with_another_state_is_refused() {
    let setting = setting();
    let mut attempt = Attempt::new(&setting.system, "s").await;
    let callback = attempt.up_to_callback(&setting, "ada").await;
    let changes: [fn(&str) -> String; 5] = [
        |state| format!("{state}x"),
        |state| state.split('.').next().unwrap().to_owned(),
        |state| format!("{}.", state.split('.').next().unwrap()),
        |state| format!("{}.{}", state.split('.').next().unwrap(), "A".repeat(43)),
        |_| String::new(),
    ];
    for change in changes {
        let forged = with(&callback, "state", change);
        let (_, words) = stopped(&mut attempt.browser, &forged, StatusCode::BAD_REQUEST).await;
        assert!(words.contains(OVER), "{forged}: {words}");
    }
    let twice: Url = format!("{callback}&state=x").parse().unwrap();
    stopped(&mut attempt.browser, &twice, StatusCode::BAD_REQUEST).await;
    let arrived = attempt.follow(&callback, "ada").await.unwrap();
    attempt.assert_code(&setting, &arrived).await;
}

/// SEC-14: a callback opened twice -> 400 page
#[tokio::test]
async fn a_callback_works_once() {
    let mut setting = setting();
    let mut attempt = Attempt::new(&setting.system, "s").await;
    let callback = attempt.up_to_callback(&setting, "ada").await;
    let arrived = attempt.follow(&callback, "ada").await.unwrap();
    let (_, words) = stopped(&mut attempt.browser, &callback, StatusCode::BAD_REQUEST).await;
    assert!(words.contains(OVER), "{words}");
    attempt.assert_code(&setting, &arrived).await;
    setting.system.stop();
    assert_eq!(setting.events("login").len(), 1);
}

/// RFC 9207 §2.4: the answer must name the provider that was asked.
/// SEC-14: a callback with another `iss` -> 502 page, no code is redeemed
#[tokio::test]
async fn an_answer_of_another_issuer_is_refused() {
    let mut setting = setting();
    let mut attempt = Attempt::new(&setting.system, "s").await;
    let callback = attempt.up_to_callback(&setting, "ada").await;
    assert_eq!(parameter(&callback, "iss"), setting.provider.issuer);
    let forged = with(&callback, "iss", |_| "https://login.example".to_owned());
    stopped(&mut attempt.browser, &forged, StatusCode::BAD_GATEWAY).await;
    assert!(setting.provider.requests().await.iter().all(|line| line != "POST /token"));
    setting.system.stop();
    assert_eq!(setting.events("login")[0]["reason"], "upstream_mix_up");
}

/// A code that was got in one sign-in and put into another: PKCE and the nonce belong to the browser of the first.
/// SEC-14: a code of the provider put into another sign-in -> `access_denied`, nobody is signed in
#[tokio::test]
async fn a_code_of_another_sign_in_gives_nobodys_identity() {
    let mut setting = setting();
    let mut victim = Attempt::new(&setting.system, "s").await;
    let stolen = victim.up_to_callback(&setting, "ada").await;
    let mut thief = Attempt::new(&setting.system, "t").await;
    let callback = thief.up_to_callback(&setting, "ben").await;
    let injected = with(&callback, "code", |_| parameter(&stolen, "code"));
    let arrived = thief.follow(&injected, "ben").await.unwrap();
    thief.assert_error(&setting, &arrived, "access_denied");
    setting.system.stop();
    assert_eq!(setting.events("login").len(), 1);
    assert_eq!(setting.events("login")[0]["outcome"], "denied");
}
