//! The portal: a person takes a token.

use std::{sync::Arc, time::Duration};

use http::{StatusCode, header};
use oauth_server::{Brand, OAuthConfig, store::MemoryStore};

use crate::support::{
    Answer, Browser, Harness, ORIGIN, PASSWORD, RESOURCE, claims, config, form_request, resource,
    static_users,
};

fn with_portal() -> OAuthConfig {
    let mut config = config();
    config.portal_lifetime = Some(Duration::from_mins(15));
    config
}

async fn harness(config: OAuthConfig) -> Harness {
    Harness::with(config, Arc::new(MemoryStore::default()), vec![static_users()]).await
}

/// Signs in and gives the page at this path.
async fn signed_in(browser: &mut Browser, harness: &Harness, path: &str) -> Answer {
    let answer = browser.get(harness, path).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let form = browser.get(harness, answer.location()).await;
    let answer = browser.submit(harness, &form, &[("username", "ada"), ("password", PASSWORD)]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, path), "{}", answer.body);
    browser.get(harness, path).await
}

fn token(page: &Answer) -> &str {
    let field = page.body.split_once("<textarea").unwrap_or_else(|| panic!("no token: {}", page.body)).1;
    field.split_once('>').unwrap().1.split_once('<').unwrap().0
}

fn hidden<'a>(page: &'a [(String, String)], name: &str) -> &'a str {
    &page.iter().find(|(found, _)| found == name).unwrap().1
}

/// SEC-63: the portal without being turned on -> 404
#[tokio::test]
async fn there_is_no_portal_by_default() {
    let harness = harness(config()).await;
    assert_eq!(harness.get("/portal").await.status, StatusCode::NOT_FOUND);
    assert_eq!(harness.post_form("/portal", &[("resource", RESOURCE)]).await.status, StatusCode::NOT_FOUND);
    let page = signed_in(&mut Browser::default(), &harness, "/account").await;
    assert!(!page.body.contains("/portal"));
}

/// SEC-63: a taken token that lives long or comes with a refresh token -> it ends with its grant, nothing renews it
#[tokio::test]
async fn a_person_takes_a_token_that_ends_by_itself() {
    let mut config = with_portal();
    config.portal_lifetime = Some(Duration::from_mins(5));
    let harness = harness(config).await;
    let mut browser = Browser::default();
    let page = signed_in(&mut browser, &harness, "/portal").await;
    assert!(page.body.contains("for 5 minutes") && page.body.contains("<bdi>Ada</bdi>"), "{}", page.body);
    let fields = [("resource", RESOURCE), ("decision", "take")];
    let shown = browser.submit(&harness, &page, &fields).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.body);
    assert_eq!(shown.header(header::CACHE_CONTROL), Some("no-store"));
    assert!(!shown.body.contains("refresh_token"));
    let claims = claims(token(&shown));
    assert_eq!((claims["aud"].as_str(), claims["iss"].as_str()), (Some(RESOURCE), Some(ORIGIN)));
    assert_eq!(claims["client_id"], "connect-portal");
    assert_eq!(claims["scope"], "platform platform:read");
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 300);
    assert!(harness.events().contains(&"token_issue success portal".to_owned()));

    let account = browser.get(&harness, "/account").await;
    assert!(account.body.contains("<h3><bdi>A token that you took</bdi></h3>"), "{}", account.body);
    assert!(account.body.contains("Took a token from the portal for <strong><bdi>Platform</bdi></strong>"));
    harness.advance(Duration::from_mins(5));
    let account = browser.get(&harness, "/account").await;
    assert!(account.body.contains("Nothing is connected."), "{}", account.body);
}

/// SEC-63: the form of a token that was shown is sent again -> no token, and no second grant
#[tokio::test]
async fn a_token_is_shown_once() {
    let harness = harness(with_portal()).await;
    let mut browser = Browser::default();
    let page = signed_in(&mut browser, &harness, "/portal").await;
    let fields = [("resource", RESOURCE)];
    assert_eq!(browser.submit(&harness, &page, &fields).await.status, StatusCode::OK);
    let again = browser.submit(&harness, &page, &fields).await;
    assert_eq!((again.status, again.location()), (StatusCode::SEE_OTHER, "/portal"));
    let account = browser.get(&harness, "/account").await;
    assert_eq!(account.body.matches("name=\"grant\"").count(), 1);
}

/// SEC-22: a taken token that the person ended -> refused at the gateway at once
#[tokio::test]
async fn a_taken_token_is_ended_like_any_other() {
    let harness = harness(with_portal()).await;
    let mut browser = Browser::default();
    let page = signed_in(&mut browser, &harness, "/portal").await;
    let shown = browser.submit(&harness, &page, &[("resource", RESOURCE)]).await;
    let sid = claims(token(&shown))["sid"].as_str().unwrap().to_owned();
    let account = browser.get(&harness, "/account").await.hidden();
    assert_eq!(hidden(&account, "grant"), sid);
    let form = [("csrf", hidden(&account, "csrf")), ("grant", &sid), ("decision", "disconnect")];
    let answer = browser.send(&harness, form_request("/account/revoke", &form)).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(harness.server.revocations().is_revoked(&sid));
}

/// SEC-13: the portal's form posted from elsewhere, for another form or without a session -> 403, no token
#[tokio::test]
async fn a_form_from_elsewhere_takes_nothing() {
    let harness = harness(with_portal()).await;
    let mut browser = Browser::default();
    let form = signed_in(&mut browser, &harness, "/portal").await.hidden();
    let other = browser.get(&harness, "/portal").await.hidden();
    let account = browser.get(&harness, "/account").await.hidden();
    let (csrf, once) = (hidden(&form, "csrf"), hidden(&form, "once"));
    let cases = [
        vec![("once", once)],
        vec![("csrf", csrf)],
        vec![("csrf", "x"), ("once", once)],
        vec![("csrf", hidden(&other, "csrf")), ("once", once)],
        vec![("csrf", hidden(&account, "csrf")), ("once", once)],
        vec![("csrf", csrf), ("once", hidden(&other, "once"))],
    ];
    for mut case in cases {
        case.push(("resource", RESOURCE));
        let answer = browser.send(&harness, form_request("/portal", &case)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{case:?}");
    }
    let right = [("csrf", csrf), ("once", once), ("resource", RESOURCE)];
    let stranger = harness.send(form_request("/portal", &right)).await;
    assert_eq!(stranger.status, StatusCode::FORBIDDEN);
    assert!(!harness.events().contains(&"token_issue success portal".to_owned()));
}

/// SEC-19: the portal for a resource that is none, or for several -> no token
#[tokio::test]
async fn one_resource_of_ours_is_chosen() {
    let mut config = with_portal();
    config.resources.push(resource("/mcp/other"));
    let harness = harness(config).await;
    let mut browser = Browser::default();
    let page = signed_in(&mut browser, &harness, "/portal").await;
    assert_eq!(page.body.matches("type=\"radio\" id").count(), 2);
    assert!(!page.body.contains(" checked"));
    let other = format!("{ORIGIN}/mcp/other");
    for fields in [
        &[][..],
        &[("resource", "https://elsewhere.example")],
        &[("resource", RESOURCE), ("resource", other.as_str())],
    ] {
        let answer = browser.submit(&harness, &page, fields).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/portal"), "{fields:?}");
    }
    let shown = browser.submit(&harness, &page, &[("resource", &other)]).await;
    assert_eq!(claims(token(&shown))["aud"], other);
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_shown() {
    let harness = harness(with_portal()).await;
    let mut browser = Browser::default();
    let page = signed_in(&mut browser, &harness, "/portal").await;
    harness.break_audit(true);
    let refused = browser.submit(&harness, &page, &[("resource", RESOURCE)]).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    harness.break_audit(false);
    let shown = browser.submit(&harness, &page, &[("resource", RESOURCE)]).await;
    assert_eq!(shown.status, StatusCode::OK, "the form was not used up");
}

/// SEC-63: tokens taken one after the other -> 429 for a while
#[tokio::test]
async fn taking_tokens_is_slowed() {
    let harness = harness(with_portal()).await;
    let mut browser = Browser::default();
    signed_in(&mut browser, &harness, "/portal").await;
    for _ in 0..1000 {
        let page = browser.get(&harness, "/portal").await;
        let answer = browser.submit(&harness, &page, &[("resource", RESOURCE)]).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            assert!(answer.header(header::RETRY_AFTER).is_some());
            return;
        }
    }
    panic!("a thousand tokens were taken");
}

/// SEC-11: the logo -> of a fixed type, never sniffed, and nothing that runs
#[tokio::test]
async fn the_logo_is_served_as_what_it_is() {
    let mut config = config();
    assert_eq!(harness(config.clone()).await.get("/brand/logo").await.status, StatusCode::NOT_FOUND);
    config.brand = Brand::new("Acme", None).unwrap().with_logo(b"RIFF\x04\0\0\0WEBP").unwrap();
    let answer = harness(config).await.get("/brand/logo").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header(header::CONTENT_TYPE), Some("image/webp"));
    assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), Some("nosniff"));
    assert_eq!(answer.header(header::CONTENT_SECURITY_POLICY), Some("default-src 'none'; sandbox"));
}
