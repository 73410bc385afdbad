//! A provider as strict as it can be: one algorithm, refresh tokens that work once, logout that is told to its clients.

use e2e::System;
use quickstart::ToolAnswer;
use reqwest::StatusCode;
use sea_orm::{ConnectionTrait as _, Database};
use serde_json::{Value, json};

use crate::{
    attempt::{Attempt, call},
    setting::Setting,
};

const LOGOUT: &str = "/backchannel-logout/idp";

fn claims() -> Value {
    json!({ "ada": { "org": "acme" }, "ben": { "org": "acme", "groups": ["analysts"], "project": "apollo" } })
}

/// Makes the next refresh of everybody ask the provider, as it would half a minute after it was asked last.
async fn let_time_pass(system: &System) {
    let database = format!("sqlite:{}", system.file("connect.db").display());
    let database = Database::connect(database).await.unwrap();
    let changed =
        database.execute_unprepared("UPDATE oauth_upstream_tokens SET checked_at = 0").await.unwrap();
    assert_ne!(changed.rows_affected(), 0);
}

fn assert_invalid_grant(answer: &(StatusCode, Value)) {
    assert_eq!((answer.0, &answer.1["error"]), (StatusCode::BAD_REQUEST, &json!("invalid_grant")));
}

#[tokio::test]
async fn people_of_a_strict_provider_sign_in_and_work() {
    for algorithm in ["ES256", "PS256"] {
        let setting = Setting::strict(algorithm, &claims(), LOGOUT);
        let client = setting.client("ben").await;
        let ToolAnswer::Done(status) = client.call_tool("auth_status", json!({})).await.unwrap() else {
            panic!("{algorithm}: refused:\n{}", setting.system.connect.log());
        };
        assert_eq!(status["tags"], json!({ "tenant": "acme", "project": "apollo" }), "{algorithm}");
    }
}

/// OpenID Connect Back-Channel Logout 1.0.
/// SEC-22: tokens of a person who signed out at the provider -> 401 at the gateway and 400 `invalid_grant`, those of others go on
#[tokio::test]
async fn a_logout_at_the_provider_ends_what_this_sign_in_gave() {
    let mut setting = Setting::strict("ES256", &claims(), LOGOUT);
    let mut ended = Attempt::new(&setting.system, "s").await;
    let gone = ended.tokens(&setting, "ada").await;
    // The same person in another browser, and another person.
    let mut others = Vec::new();
    for subject in ["ada", "ben"] {
        let mut attempt = Attempt::new(&setting.system, "t").await;
        let tokens = attempt.tokens(&setting, subject).await;
        others.push((attempt, tokens));
    }
    assert_eq!(call(&setting.system, &gone).await, StatusCode::OK);
    ended.sign_out(&setting.provider).await;
    assert_eq!(setting.provider.logouts().await, ["accepted"], "{}", setting.system.connect.log());
    assert_eq!(call(&setting.system, &gone).await, StatusCode::UNAUTHORIZED);
    assert_invalid_grant(&ended.refresh(&setting.system, &gone).await);
    for (attempt, tokens) in &others {
        assert_eq!(call(&setting.system, tokens).await, StatusCode::OK);
        assert_eq!(attempt.refresh(&setting.system, tokens).await.0, StatusCode::OK);
    }
    setting.system.stop();
    let events = setting.system.audit("connect-audit.jsonl");
    let logouts: Vec<_> = events.iter().filter(|event| event["reason"] == "upstream_logout").collect();
    assert_eq!((logouts.len(), &logouts[0]["subject"]), (1, &json!("ada")));
}

/// SEC-18: a refresh for a person whom the provider lets in no more -> 400 `invalid_grant`, the access token stops too
#[tokio::test]
async fn whoever_is_disabled_at_the_provider_loses_access_at_the_next_refresh() {
    let setting = Setting::strict("ES256", &claims(), LOGOUT);
    let mut ada = Attempt::new(&setting.system, "s").await;
    let mut hers = ada.tokens(&setting, "ada").await;
    let mut ben = Attempt::new(&setting.system, "t").await;
    let mut his = ben.tokens(&setting, "ben").await;
    // The provider's own refresh token is another one after each of these.
    for _ in 0..2 {
        let_time_pass(&setting.system).await;
        let (status, answer) = ada.refresh(&setting.system, &hers).await;
        assert_eq!(status, StatusCode::OK, "{answer}\n{}", setting.system.connect.log());
        hers = answer;
    }
    setting.provider.disable("ada").await;
    let_time_pass(&setting.system).await;
    assert_invalid_grant(&ada.refresh(&setting.system, &hers).await);
    assert_eq!(call(&setting.system, &hers).await, StatusCode::UNAUTHORIZED);
    let (status, answer) = ben.refresh(&setting.system, &his).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    his = answer;
    assert_eq!(call(&setting.system, &his).await, StatusCode::OK);
}

/// SEC-18: a refresh while the provider is failing or down -> 503, and it works afterwards
/// SEC-18: a refresh after the provider forgot the sign-in -> 400 `invalid_grant`
#[tokio::test]
async fn nothing_is_refreshed_while_the_provider_is_down() {
    let mut setting = Setting::strict("ES256", &claims(), LOGOUT);
    let mut ada = Attempt::new(&setting.system, "s").await;
    let tokens = ada.tokens(&setting, "ada").await;
    let_time_pass(&setting.system).await;
    setting.provider.set_failing(true).await;
    for _ in 0..2 {
        let (status, answer) = ada.refresh(&setting.system, &tokens).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{answer}");
    }
    setting.provider.set_failing(false).await;
    let (status, tokens) = ada.refresh(&setting.system, &tokens).await;
    assert_eq!(status, StatusCode::OK, "{tokens}");
    setting.provider.stop();
    let_time_pass(&setting.system).await;
    let (status, answer) = ada.refresh(&setting.system, &tokens).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{answer}");
    // It keeps nothing, and so it answers that it does not know the token.
    setting.provider.start();
    assert_invalid_grant(&ada.refresh(&setting.system, &tokens).await);
}
