//! Sign-in at a provider in Python, `django-oauth-toolkit`, as strict as it can be.

use quickstart::{BrowserError, Page, ToolAnswer};
use reqwest::StatusCode;
use serde_json::{Value, json};
use url::Url;

use crate::{
    attempt::{Attempt, REDIRECT, call, stopped},
    setting::{PASSWORD, Setting},
};

fn people() -> Value {
    json!({
        "ada": { "password": PASSWORD, "claims": { "org": "acme" } },
        "ben": { "password": PASSWORD, "claims": { "org": "acme", "groups": ["analysts"], "project": "apollo" } },
    })
}

/// Consents, and gives Django's sign-in page.
async fn login_page(attempt: &mut Attempt, provider: &Url) -> Page {
    let consent = attempt.browser.open(&attempt.start).await.unwrap();
    let login = provider.join("/accounts/login/").unwrap();
    let arrived = attempt.browser.press(&consent, ("decision", "allow"), login.as_str()).await.unwrap();
    attempt.browser.open(&arrived).await.unwrap()
}

/// Consents, signs in, cancels at Django, and stops at the redirect to `target`.
async fn cancel(attempt: &mut Attempt, provider: &Url, target: &str) -> Url {
    let login = login_page(attempt, provider).await;
    let asked = provider.join("/o/authorize/").unwrap();
    let right = [("username", "ada"), ("password", PASSWORD)];
    let arrived = attempt.browser.fill(&login, &right, asked.as_str()).await.unwrap();
    let page = attempt.browser.open(&arrived).await.unwrap();
    // Its button to cancel has no name.
    attempt.browser.fill(&page, &[], target).await.unwrap()
}

#[tokio::test]
async fn people_of_django_sign_in_and_work() {
    let mut setting = Setting::django(&people(), true);
    for (subject, role) in [("ada", "data/lab-member"), ("ben", "data/project-analyst")] {
        let client = setting.client(subject).await;
        let ToolAnswer::Done(status) = client.call_tool("auth_status", json!({})).await.unwrap() else {
            panic!("{subject} is refused:\n{}", setting.system.connect.log());
        };
        assert_eq!(status["tenant"], "acme");
        assert_eq!(status["role_arn"], format!("arn:aws:iam::111122223333:role/{role}"));
    }
    setting.system.stop();
    for (event, subject) in setting.events("login").iter().zip(["ada", "ben"]) {
        assert_eq!((&event["outcome"], &event["subject"]), (&json!("success"), &json!(subject)));
        assert_eq!(event["issuer"], setting.provider.issuer);
    }
}

/// SEC-14: a wrong password at the provider -> no redirect from there, nobody is signed in; the right one still works
#[tokio::test]
async fn a_wrong_password_at_django_leads_nowhere() {
    let mut setting = Setting::django(&people(), true);
    let provider: Url = setting.provider.issuer.parse().unwrap();
    let mut attempt = Attempt::new(&setting.system, "s").await;
    let login = login_page(&mut attempt, &provider).await;
    let wrong = [("username", "ada"), ("password", "another password")];
    match attempt.browser.fill(&login, &wrong, REDIRECT).await {
        Err(BrowserError::Stopped { url, text, .. }) => {
            assert_eq!(url.origin(), provider.origin());
            assert!(text.contains("Please enter a correct username and password"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    let tokens = attempt.tokens(&setting, "ada").await;
    assert_eq!(call(&setting.system, &tokens).await, StatusCode::OK);
    setting.system.stop();
    assert_eq!(setting.events("login").len(), 1, "only the sign-in that worked");
}

#[tokio::test]
async fn cancelling_at_django_tells_the_client() {
    let mut setting = Setting::django(&people(), false);
    let provider: Url = setting.provider.issuer.parse().unwrap();
    let mut attempt = Attempt::new(&setting.system, "s").await;
    let arrived = cancel(&mut attempt, &provider, REDIRECT).await;
    attempt.assert_error(&setting, &arrived, "access_denied");
    setting.system.stop();
    let logins = setting.events("login");
    assert_eq!((logins.len(), &logins[0]["reason"]), (1, &json!("upstream_refused")));
}

/// RFC 9207 §2.4: whoever says that answers name the issuer has to do so in errors too, which this provider does not.
/// SEC-14: an error of a provider without the `iss` that it promises -> 502 page, the client is told nothing
#[tokio::test]
async fn an_error_without_the_promised_issuer_is_refused() {
    let mut setting = Setting::django(&people(), true);
    let provider: Url = setting.provider.issuer.parse().unwrap();
    let mut attempt = Attempt::new(&setting.system, "s").await;
    let callback = format!("{}/callback/idp", setting.system.public_url);
    let arrived = cancel(&mut attempt, &provider, &callback).await;
    assert!(arrived.query_pairs().any(|(name, value)| name == "error" && value == "access_denied"));
    let (_, words) = stopped(&mut attempt.browser, &arrived, StatusCode::BAD_GATEWAY).await;
    assert!(words.contains("You could not be signed in"), "{words}");
    setting.system.stop();
    assert_eq!(setting.events("login")[0]["reason"], "upstream_mix_up");
}
