//! People whom the provider knows and who get nothing, and people who change their minds.

use quickstart::{Browser, ToolAnswer};
use reqwest::StatusCode;
use serde_json::{Value, json};
use url::Url;

use crate::{
    attempt::{Attempt, REDIRECT, stopped},
    setting::Setting,
};

#[tokio::test]
async fn whom_the_mapping_does_not_place_gets_nothing() {
    let claims = json!({
        // The row says acme.
        "eve": { "org": "globex" },
        // No row, in a tenant that has rules for everybody; and one that is written otherwise than Cleo's.
        "mallory": { "org": "globex" },
        "Cleo": { "org": "globex" },
        // No such tenant.
        "oscar": { "org": "initech" },
        // A row, and no rule.
        "dan": { "org": "acme" },
    });
    let mut setting = Setting::start(&claims, &[("eve", "acme")]);
    let cases = [
        ("eve", "tenant_mismatch"),
        ("mallory", "unknown_subject"),
        ("Cleo", "unknown_subject"),
        ("oscar", "unknown_tenant"),
        ("dan", "no_rule"),
    ];
    for (subject, _) in cases {
        let client = setting.client(subject).await;
        match client.call_tool("auth_status", json!({})).await.unwrap() {
            // Nobody is told why: that would tell a stranger what there is.
            ToolAnswer::Refused(StatusCode::FORBIDDEN, words) => {
                assert!(words.contains("no role is granted to you for this service"), "{subject}: {words}");
            }
            other => panic!("{subject}: {other:?}"),
        }
    }
    setting.system.stop();
    let denied = setting.events("deny");
    let found: Vec<(&str, &str)> = denied
        .iter()
        .map(|event| (event["subject"].as_str().unwrap(), event["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(found, cases);
    assert_eq!(setting.system.audit("tools-audit.jsonl"), Vec::<Value>::new(), "nothing went upstream");
}

/// SEC-14: a person without the tenant claim -> 502 page, no code
#[tokio::test]
async fn whoever_has_no_tenant_is_not_signed_in() {
    let mut setting = Setting::start(&json!({ "ada": {} }), &[]);
    let mut attempt = Attempt::new(&setting.system, "s").await;
    let callback = attempt.up_to_callback(&setting, "ada").await;
    let (_, words) = stopped(&mut attempt.browser, &callback, StatusCode::BAD_GATEWAY).await;
    assert!(words.contains("You could not be signed in"), "{words}");
    setting.system.stop();
    assert_eq!(setting.events("login")[0]["reason"], "id_token_tenant");
}

#[tokio::test]
async fn cancelling_at_consent_tells_the_client_and_never_reaches_the_provider() {
    let mut setting = Setting::start(&json!({}), &[]);
    let mut attempt = Attempt::new(&setting.system, "a state & more").await;
    let page = attempt.browser.open(&attempt.start).await.unwrap();
    let arrived = attempt.browser.press(&page, ("decision", "cancel"), REDIRECT).await.unwrap();
    attempt.assert_error(&setting, &arrived, "access_denied");
    assert_eq!(setting.provider.requests().await, Vec::<String>::new());
    // The page of before is worth nothing any more.
    stopped(&mut attempt.browser, &page.url, StatusCode::BAD_REQUEST).await;
    setting.system.stop();
    let consents = setting.events("consent");
    assert_eq!((consents.len(), &consents[0]["outcome"]), (1, &json!("denied")));
}

#[tokio::test]
async fn cancelling_at_the_provider_tells_the_client() {
    let mut setting = Setting::start(&json!({}), &[]);
    let mut attempt = Attempt::new(&setting.system, "s").await;
    let consent = attempt.browser.open(&attempt.start).await.unwrap();
    let interaction = format!("{}/interaction/", setting.provider.issuer);
    let page = attempt.browser.press(&consent, ("decision", "allow"), &interaction).await.unwrap();
    let page = attempt.browser.open(&page).await.unwrap();
    let abort: Url = format!("{}/abort", page.url).parse().unwrap();
    let arrived = attempt.follow(&abort, "ada").await.unwrap();
    attempt.assert_error(&setting, &arrived, "access_denied");
    setting.system.stop();
    assert_eq!(setting.events("login")[0]["reason"], "upstream_refused");
}

/// The provider remembers the person; Connect Server asks them for every client all the same.
/// SEC-13, SEC-14: a second client with a person whom the provider remembers -> consent is asked for, in this browser only
#[tokio::test]
async fn a_second_client_is_asked_for_although_the_provider_remembers_the_person() {
    let setting = Setting::start(&json!({ "ada": { "org": "acme" } }), &[]);
    let mut first = Attempt::new(&setting.system, "s").await;
    let callback = first.up_to_callback(&setting, "ada").await;
    let arrived = first.follow(&callback, "ada").await.unwrap();
    first.assert_code(&setting, &arrived).await;
    let asked = setting.provider.requests().await.len();
    let mut second = Attempt::new(&setting.system, "t").await;
    second.browser = first.browser;
    let page = second.browser.open(&second.start).await.unwrap();
    assert!(page.html.contains("Test client"), "{page:?}");
    // Whoever opens the next step without having consented, or the page in another browser, gets nowhere.
    let next: Url = page.url.as_str().replace("/consent?", "/sign-in?").parse().unwrap();
    stopped(&mut second.browser, &next, StatusCode::BAD_REQUEST).await;
    stopped(&mut Browser::new().unwrap(), &page.url, StatusCode::BAD_REQUEST).await;
    assert_eq!(setting.provider.requests().await.len(), asked);
    let arrived = second.browser.press(&page, ("decision", "allow"), REDIRECT).await.unwrap();
    second.assert_code(&setting, &arrived).await;
    let requests = setting.provider.requests().await.split_off(asked);
    assert_eq!(requests, ["GET /auth", "POST /token"], "the provider asked nothing again");
}
