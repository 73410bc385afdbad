//! The provider is down or failing: a page says so, and the same browser goes on when it is back.

use reqwest::StatusCode;
use serde_json::json;

use crate::{
    attempt::{Attempt, stopped},
    setting::Setting,
};

const DOWN: &str = "Your identity provider does not answer";

#[tokio::test]
async fn a_provider_that_is_down_costs_a_reload() {
    let mut setting = Setting::without_provider(&json!({ "ada": { "org": "acme" } }), &[]);
    let mut attempt = Attempt::new(&setting.system, "s").await;
    let start = attempt.start.clone();
    let (page, words) = stopped(&mut attempt.browser, &start, StatusCode::SERVICE_UNAVAILABLE).await;
    assert!(words.contains(DOWN) && words.contains("reload"), "{words}");
    stopped(&mut attempt.browser, &page, StatusCode::SERVICE_UNAVAILABLE).await;
    setting.provider.start();
    let arrived = attempt.follow(&page, "ada").await.unwrap();
    attempt.assert_code(&setting, &arrived).await;
}

#[tokio::test]
async fn a_provider_that_fails_at_the_last_step_costs_a_reload() {
    let mut setting = Setting::start(&json!({ "ada": { "org": "acme" } }), &[]);
    let mut attempt = Attempt::new(&setting.system, "s").await;
    let callback = attempt.up_to_callback(&setting, "ada").await;
    setting.provider.set_failing(true).await;
    let (page, words) = stopped(&mut attempt.browser, &callback, StatusCode::SERVICE_UNAVAILABLE).await;
    assert!(words.contains(DOWN), "{words}");
    setting.provider.set_failing(false).await;
    let arrived = attempt.follow(&page, "ada").await.unwrap();
    attempt.assert_code(&setting, &arrived).await;
    setting.system.stop();
    let outcomes: Vec<_> =
        setting.events("login").into_iter().map(|event| event["outcome"].clone()).collect();
    assert_eq!(outcomes, ["failure", "success"]);
}

#[tokio::test]
async fn a_provider_that_was_restarted_forgot_the_code_and_the_client_is_told() {
    let mut setting = Setting::start(&json!({ "ada": { "org": "acme" } }), &[]);
    let mut attempt = Attempt::new(&setting.system, "s").await;
    let callback = attempt.up_to_callback(&setting, "ada").await;
    setting.provider.stop();
    stopped(&mut attempt.browser, &callback, StatusCode::SERVICE_UNAVAILABLE).await;
    setting.provider.start();
    let arrived = attempt.follow(&callback, "ada").await.unwrap();
    attempt.assert_error(&setting, &arrived, "access_denied");
}
