//! What people see and do about their own account.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use http::{Request, StatusCode, header};
use oauth_server::{
    Digest,
    identity::{Identity, IdentitySource, StaticUser, StaticUsers, hash_password},
    store::{Code, Grant, GrantKind, Interaction, MemoryStore, Page, Purpose, Stage},
};
use secrecy::SecretString;
use serde_json::json;

use crate::support::{
    Answer, Browser, Harness, PASSWORD, REDIRECT, RESOURCE, authorize_params, authorize_url, claims, config,
    form_request, redeem_params, static_users,
};

const SESSION: &str = "connect-session";

fn two_people() -> IdentitySource {
    let user = |username: &str| StaticUser {
        username: username.into(),
        password_hash: hash_password(&SecretString::from(PASSWORD)).unwrap(),
        tenant: None,
        subject: username.into(),
        display_name: Some(username.to_uppercase()),
        hints: serde_json::Map::new(),
    };
    let users = vec![user("ada"), user("bob")];
    IdentitySource::Static(StaticUsers::new("local", "http://localhost:8080/local", users).unwrap())
}

async fn harness() -> Harness {
    Harness::with(config(), Arc::new(MemoryStore::default()), vec![two_people()]).await
}

impl Browser {
    /// Signs in to a page about the account and gives that page.
    async fn page(&mut self, harness: &Harness, path: &str, username: &str) -> Answer {
        let answer = self.get(harness, path).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        let form = self.get(harness, answer.location()).await;
        let answer = self.submit(harness, &form, &[("username", username), ("password", PASSWORD)]).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, path));
        self.get(harness, path).await
    }

    /// Has a client connected by this person and gives its refresh token and its grant.
    async fn connect(&mut self, harness: &Harness, client: &str, username: &str) -> (String, String) {
        let page = self.allow(harness, &authorize_url(&authorize_params(client))).await;
        let answer = self.submit(harness, &page, &[("username", username), ("password", PASSWORD)]).await;
        let code = answer.location_param("code").unwrap();
        let tokens = harness.post_form("/token", &redeem_params(client, &code)).await.json();
        let sid = claims(tokens["access_token"].as_str().unwrap())["sid"].as_str().unwrap().to_owned();
        (tokens["refresh_token"].as_str().unwrap().to_owned(), sid)
    }

    /// Posts to the account with a form's anti-forgery value, or this one.
    async fn post(&mut self, harness: &Harness, path: &str, csrf: &str, fields: &[(&str, &str)]) -> Answer {
        let mut form = vec![("csrf", csrf)];
        form.extend(fields);
        self.send(harness, form_request(path, &form)).await
    }
}

fn csrf(page: &Answer) -> String {
    page.hidden().into_iter().find(|(name, _)| name == "csrf").unwrap().1
}

fn grants(page: &Answer) -> Vec<String> {
    page.hidden().into_iter().filter(|(name, _)| name == "grant").map(|(_, value)| value).collect()
}

#[tokio::test]
async fn a_person_signs_in_and_sees_what_is_connected() {
    let harness = harness().await;
    let client = harness.client().await;
    let mut browser = Browser::default();
    let (_, grant) = browser.connect(&harness, &client, "ada").await;
    assert!(!browser.cookies.contains_key(SESSION), "a sign-in for a client is none for these pages");
    let page = browser.page(&harness, "/account", "ada").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    for shown in [
        "Signed in as <strong><bdi>ADA</bdi></strong> with User name and password",
        "<h3><bdi>Claude</bdi></h3>",
        "<dd><bdi>analyst</bdi></dd>",
        "60 calls in a minute, at most 10 of them at once",
        "<dt>May</dt><dd>Work with your data</dd>",
        "Signed in to this page",
        "Connected <strong><bdi>Claude</bdi></strong>",
    ] {
        assert!(page.body.contains(shown), "{shown}: {}", page.body);
    }
    assert_eq!(grants(&page), [grant]);
    let events = harness.events();
    assert_eq!(events.iter().filter(|event| *event == "login success -").count(), 2, "{events:?}");
}

#[tokio::test]
async fn a_grant_says_from_which_device_it_was_made() {
    let harness = harness().await;
    let client = harness.client().await;
    let mut browser = Browser::default();
    let page = browser.allow(&harness, &authorize_url(&authorize_params(&client))).await;
    let hidden = page.hidden();
    let mut form: Vec<(&str, &str)> = hidden.iter().map(|(name, value)| (&**name, &**value)).collect();
    form.extend([("username", "ada"), ("password", PASSWORD)]);
    let mut request = form_request("/sign-in", &form);
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
    request.headers_mut().insert(header::USER_AGENT, agent.parse().unwrap());
    let address = oauth_server::ClientAddress("203.0.113.77".parse().unwrap());
    request.extensions_mut().insert(address);
    assert_eq!(browser.send(&harness, request).await.status, StatusCode::SEE_OTHER);
    let page = browser.page(&harness, "/account", "ada").await;
    assert!(page.body.contains("<dt>From</dt><dd><bdi>Firefox on Linux</bdi></dd>"), "{}", page.body);
    assert!(page.body.contains("<bdi>Firefox on Linux · 203.0.113.0/24</bdi>"), "{}", page.body);
    assert!(!page.body.contains("203.0.113.77"));
}

/// SEC-13: a session that somebody planted in the browser before the sign-in -> the sign-in makes a new one and ends it
#[tokio::test]
async fn every_sign_in_makes_a_new_session_and_ends_the_one_before() {
    let harness = harness().await;
    let mut browser = Browser::default();
    browser.page(&harness, "/account", "bob").await;
    let planted = browser.cookies[SESSION].clone();
    // The browser is sent to sign in although it has a session: as when that one is somebody else's.
    let mut victim = Browser::default();
    let answer = victim.get(&harness, "/account").await;
    let form = victim.get(&harness, answer.location()).await;
    victim.cookies.insert(SESSION.into(), planted.clone());
    victim.submit(&harness, &form, &[("username", "ada"), ("password", PASSWORD)]).await;
    assert_ne!(victim.cookies[SESSION], planted);
    assert!(victim.get(&harness, "/account").await.body.contains("<bdi>ADA</bdi>"));
    assert_eq!(browser.get(&harness, "/account").await.status, StatusCode::SEE_OTHER, "it is over");
}

/// SEC-13: forms of the account page posted from elsewhere, without a session or with another's value -> 403, nothing changed
#[tokio::test]
async fn forms_from_elsewhere_change_nothing() {
    let harness = harness().await;
    let client = harness.client().await;
    let (mut browser, mut other) = (Browser::default(), Browser::default());
    let (refresh_token, grant) = browser.connect(&harness, &client, "ada").await;
    let own = csrf(&browser.page(&harness, "/account", "ada").await);
    let foreign = csrf(&other.page(&harness, "/account", "bob").await);
    let one = [("decision", "disconnect"), ("grant", grant.as_str())];
    let all = [("decision", "disconnect-all")];
    for (path, fields) in
        [("/account/revoke", &one[..]), ("/account/revoke", &all), ("/account/sign-out", &[])]
    {
        for value in ["", "x", foreign.as_str()] {
            let answer = browser.post(&harness, path, value, fields).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {value}");
        }
        let answer = Browser::default().post(&harness, path, &own, fields).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} without a session");
        let get = browser.get(&harness, path).await;
        assert_eq!(get.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
    // What names neither one nor all ends nothing.
    for fields in
        [&[][..], &[("decision", "disconnect")], &[("decision", "disconnect-all"), ("grant", &grant)]]
    {
        let answer = browser.post(&harness, "/account/revoke", &own, fields).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{fields:?}");
    }
    assert_eq!(browser.get(&harness, "/account").await.status, StatusCode::OK);
    assert_eq!(harness.refresh(&client, &refresh_token).await.status, StatusCode::OK);
}

/// SEC-13: a person revokes the grant of another -> the same answer as for none, and it stays in force
#[tokio::test]
async fn people_see_and_end_only_what_is_theirs() {
    let harness = harness().await;
    let client = harness.client().await;
    let (mut ada, mut bob) = (Browser::default(), Browser::default());
    let (of_ada, grant_of_ada) = ada.connect(&harness, &client, "ada").await;
    let (of_bob, grant_of_bob) = bob.connect(&harness, &client, "bob").await;
    let page = bob.page(&harness, "/account", "bob").await;
    assert_eq!(grants(&page), [grant_of_bob]);
    assert!(!page.body.contains("ADA"));
    let csrf = csrf(&page);
    for grant in [grant_of_ada.as_str(), "unknown"] {
        let fields = [("decision", "disconnect"), ("grant", grant)];
        let answer = bob.post(&harness, "/account/revoke", &csrf, &fields).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/account?done=disconnected"));
    }
    let answer = bob.post(&harness, "/account/revoke", &csrf, &[("decision", "disconnect-all")]).await;
    assert_eq!(answer.location(), "/account?done=all");
    assert!(!harness.server.revocations().is_revoked(&grant_of_ada));
    assert_eq!(harness.refresh(&client, &of_ada).await.status, StatusCode::OK);
    assert_eq!(harness.refresh(&client, &of_bob).await.error(), "invalid_grant");
}

/// SEC-22: a client that the person disconnected -> refused at the gateway at once, its refresh token is worth nothing
#[tokio::test]
async fn disconnecting_counts_at_once_and_is_recorded() {
    let harness = harness().await;
    let client = harness.client().await;
    let mut browser = Browser::default();
    let (first, grant) = browser.connect(&harness, &client, "ada").await;
    let (second, other) = browser.connect(&harness, &client, "ada").await;
    let page = browser.page(&harness, "/account", "ada").await;
    assert_eq!(grants(&page).len(), 2);
    let csrf = csrf(&page);
    let fields = [("decision", "disconnect"), ("grant", grant.as_str())];
    let answer = browser.post(&harness, "/account/revoke", &csrf, &fields).await;
    let page = browser.get(&harness, answer.location()).await;
    assert!(page.body.contains("role=\"status\"") && page.body.contains("The application was disconnected."));
    assert!(page.body.contains("Disconnected <strong><bdi>Claude</bdi></strong>"), "{}", page.body);
    assert_eq!(grants(&page), [other.as_str()]);
    assert!(harness.server.revocations().is_revoked(&grant));
    assert!(!harness.server.revocations().is_revoked(&other));
    assert_eq!(harness.refresh(&client, &first).await.error(), "invalid_grant");
    let answer = browser.post(&harness, "/account/revoke", &csrf, &[("decision", "disconnect-all")]).await;
    assert!(browser.get(&harness, answer.location()).await.body.contains("Nothing is connected."));
    assert!(harness.server.revocations().is_revoked(&other));
    assert_eq!(harness.refresh(&client, &second).await.error(), "invalid_grant");
    let events = harness.events();
    assert_eq!(
        events.iter().filter(|event| *event == "token_revoke success by_person").count(),
        2,
        "{events:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_disconnected() {
    let harness = harness().await;
    let client = harness.client().await;
    let mut browser = Browser::default();
    let (refresh_token, grant) = browser.connect(&harness, &client, "ada").await;
    let csrf = csrf(&browser.page(&harness, "/account", "ada").await);
    harness.break_audit(true);
    let one = [("decision", "disconnect"), ("grant", grant.as_str())];
    for (path, fields) in [
        ("/account/revoke", &one[..]),
        ("/account/revoke", &[("decision", "disconnect-all")]),
        ("/account/sign-out", &[]),
    ] {
        let answer = browser.post(&harness, path, &csrf, fields).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
    }
    harness.break_audit(false);
    assert_eq!(grants(&browser.get(&harness, "/account").await), [grant]);
    assert_eq!(harness.refresh(&client, &refresh_token).await.status, StatusCode::OK);
}

/// SEC-13: a session left alone for an hour, or kept busy for twelve -> over, the person signs in again
#[tokio::test]
async fn a_session_ends_by_itself() {
    let harness = harness().await;
    let mut browser = Browser::default();
    browser.page(&harness, "/account", "ada").await;
    let minutes = |count| Duration::from_mins(count);
    for _ in 0..12 {
        harness.advance(minutes(59));
        assert_eq!(browser.get(&harness, "/account").await.status, StatusCode::OK);
    }
    harness.advance(minutes(12));
    assert_eq!(browser.get(&harness, "/account").await.status, StatusCode::SEE_OTHER, "twelve hours");
    browser.page(&harness, "/account", "ada").await;
    harness.advance(minutes(60));
    assert_eq!(browser.get(&harness, "/account").await.status, StatusCode::SEE_OTHER, "one idle hour");
}

/// SEC-13: a cookie that was copied before the person signed out -> worth nothing
#[tokio::test]
async fn signing_out_ends_the_session() {
    let harness = harness().await;
    let mut browser = Browser::default();
    let csrf = csrf(&browser.page(&harness, "/account", "ada").await);
    let mut copy = browser.clone();
    let answer = browser.post(&harness, "/account/sign-out", &csrf, &[("decision", "sign-out")]).await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/signed-out"));
    assert!(!browser.cookies.contains_key(SESSION));
    assert!(browser.get(&harness, "/signed-out").await.body.contains("You are signed out"));
    assert_eq!(copy.get(&harness, "/account").await.status, StatusCode::SEE_OTHER);
    assert!(harness.events().contains(&"logout success -".to_owned()));
}

/// SEC-13: a client that asks while a session is there -> consent and sign-in are asked for all the same
#[tokio::test]
async fn a_session_stands_in_for_neither_consent_nor_sign_in() {
    let harness = harness().await;
    let client = harness.client().await;
    let mut browser = Browser::default();
    browser.page(&harness, "/account", "ada").await;
    let url = authorize_url(&authorize_params(&client));
    let consent = browser.consent_page(&harness, &url).await;
    assert!(consent.body.contains("to act for you?"));
    let sign_in = browser.allow(&harness, &url).await;
    assert!(sign_in.body.contains("name=\"password\""), "{}", sign_in.body);
}

/// SEC-13: a sign-in for the account finished as one for a client, or consented to -> refused
#[tokio::test]
async fn a_sign_in_for_the_account_leads_nowhere_else() {
    let harness = harness().await;
    let mut browser = Browser::default();
    let answer = browser.get(&harness, "/account").await;
    let id = answer.location().split_once('=').unwrap().1.to_owned();
    let consent = browser.get(&harness, &format!("/consent?interaction={id}")).await;
    assert_eq!(consent.status, StatusCode::BAD_REQUEST);
    let form = browser.get(&harness, answer.location()).await;
    let elsewhere = Browser::default().submit(&harness, &form, &[("decision", "cancel")]).await;
    assert_eq!(elsewhere.status, StatusCode::BAD_REQUEST);
    let cancelled = browser.submit(&harness, &form, &[("decision", "cancel")]).await;
    assert_eq!(cancelled.status, StatusCode::OK);
    assert!(cancelled.body.contains("You are not signed in") && cancelled.body.contains("href=\"/account\""));
    let again = browser.submit(&harness, &form, &[("username", "ada"), ("password", PASSWORD)]).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_refused_password_is_told_to_whom_it_was_tried_on() {
    let harness = harness().await;
    let mut guesser = Browser::default();
    let answer = guesser.get(&harness, "/account").await;
    let form = guesser.get(&harness, answer.location()).await;
    guesser.submit(&harness, &form, &[("username", "ada"), ("password", "guess")]).await;
    let page = Browser::default().page(&harness, "/account", "ada").await;
    assert!(page.body.contains("A sign-in was refused: the password was wrong"), "{}", page.body);
    let page = Browser::default().page(&harness, "/account", "bob").await;
    assert!(!page.body.contains("A sign-in was refused"));
}

#[tokio::test]
async fn what_others_ended_is_told() {
    let harness = harness().await;
    let client = harness.client().await;
    let mut browser = Browser::default();
    let (given_back, _) = browser.connect(&harness, &client, "ada").await;
    let (stolen, _) = browser.connect(&harness, &client, "ada").await;
    harness.post_form("/revoke", &[("client_id", &client), ("token", &given_back)]).await;
    assert_eq!(harness.refresh(&client, &stolen).await.status, StatusCode::OK);
    harness.advance(Duration::from_mins(1));
    assert_eq!(harness.refresh(&client, &stolen).await.error(), "invalid_grant");
    let page = browser.page(&harness, "/account", "ada").await;
    assert!(page.body.contains("Disconnected itself: <strong><bdi>Claude</bdi></strong>"), "{}", page.body);
    assert!(page.body.contains("An application was disconnected for safety: its credential was used twice"));
    assert!(page.body.contains("Nothing is connected."));
}

/// SEC-12: a client whose name is markup -> text on the account page
#[tokio::test]
async fn a_hostile_client_name_stays_text() {
    let harness = Harness::with(config(), Arc::new(MemoryStore::default()), vec![static_users()]).await;
    let name = "</bdi><script>alert(1)</script>";
    let body = json!({ "client_name": name, "redirect_uris": [REDIRECT] });
    let answer = harness.post_json("/register", &body).await;
    let client = answer.json()["client_id"].as_str().unwrap().to_owned();
    let mut browser = Browser::default();
    browser.connect(&harness, &client, "ada").await;
    let page = browser.page(&harness, "/account", "ada").await;
    let shown = "<bdi>&#60;/bdi&#62;&#60;script&#62;alert(1)&#60;/script&#62;</bdi>";
    assert_eq!(page.body.matches(shown).count(), 3, "{}", page.body);
    assert!(!page.body.contains("<script"));
}

#[tokio::test]
async fn many_grants_are_shown_page_by_page() {
    let harness = harness().await;
    let client = harness.client().await;
    let mut browser = Browser::default();
    let mut made = Vec::new();
    for index in 0..27 {
        harness.advance(Duration::from_secs(1));
        made.push(format!("grant{index}"));
        keep(&harness, &client, &format!("grant{index}")).await;
    }
    made.reverse();
    let first = browser.page(&harness, "/account", "ada").await;
    let more = first.body.split_once("<a href=\"/account?after=").unwrap().1.split_once('"').unwrap().0;
    let second = browser.get(&harness, &format!("/account?after={more}")).await;
    assert_eq!([grants(&first), grants(&second)].concat(), made);
    assert_eq!(grants(&first).len(), 25);
    assert!(!second.body.contains("Show more"));
    for odd in ["x", "1", "99999999999999999999.x", ".", "18446744073709551615.x"] {
        let page = browser.get(&harness, &format!("/account?after={odd}&done={odd}")).await;
        assert_eq!(page.status, StatusCode::OK, "{odd}");
        assert!(!page.body.contains("role=\"status\""));
    }
}

/// Keeps a grant of ada as a finished sign-in does: passwords are not checked as often as this test needs it.
async fn keep(harness: &Harness, client: &str, id: &str) {
    let (now, cookie) = (harness.now(), Digest::of(&SecretString::from(id)));
    let interaction = Interaction {
        id: id.into(),
        stage: Stage::SignIn,
        cookie,
        purpose: Purpose::Page(Page::Account),
        created_at: now,
        expires_at: now + Duration::from_mins(1),
    };
    harness.store.insert_interaction(&interaction, 100).await.unwrap();
    let identity = Identity {
        issuer: "http://localhost:8080/local".into(),
        subject: "ada".into(),
        tenant: None,
        display_name: None,
        email: None,
        hints: serde_json::Map::new(),
    };
    let grant = Grant {
        id: id.into(),
        client_id: client.into(),
        identity,
        identity_source: "local".into(),
        resource: RESOURCE.into(),
        scope: "platform".into(),
        authenticated_at: now,
        expires_at: now + Duration::from_hours(24),
        revoked_at: None,
        kind: GrantKind::Code,
        last_used_at: None,
        dpop_jkt: None,
        device: None,
        upstream_session: None,
        client_fingerprint: None,
    };
    let code = Code {
        digest: cookie,
        grant_id: id.into(),
        redirect_uri: None,
        code_challenge: String::new(),
        dpop_jkt: None,
        nonce: None,
        expires_at: now,
        used_at: None,
    };
    let kept = harness.store.complete_interaction(id, &cookie, &grant, &code, now, &|| Ok(())).await;
    assert!(kept.unwrap());
}

/// SEC-11: the pages of an account asked for by a script of another origin -> no CORS, no store
#[tokio::test]
async fn an_account_is_for_nobody_elses_scripts() {
    let harness = harness().await;
    let mut browser = Browser::default();
    browser.page(&harness, "/account", "ada").await;
    let mut request = Request::get("/account").body(Body::empty()).unwrap();
    request.headers_mut().insert(header::ORIGIN, "https://evil.example".parse().unwrap());
    let page = browser.send(&harness, request).await;
    assert_eq!(page.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), None);
    assert_eq!(page.header(header::CACHE_CONTROL), Some("no-store"));
    assert!(page.header(header::CONTENT_SECURITY_POLICY).unwrap().ends_with("form-action 'self'"));
}
