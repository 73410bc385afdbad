//! The whole way from registration to a refreshed token.

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use http::{StatusCode, header};
use oauth_server::{SigningAlgorithm, store::MemoryStore};
use oidc_verify::{Algorithm, IssuerConfig, KeySet, SharedKeys, TokenVerifier};
use serde_json::json;

use crate::support::{
    Browser, Harness, ORIGIN, PASSWORD, REDIRECT, RESOURCE, authorize_params, authorize_url, claims, config,
    database, part, redeem_params, sqlite, static_users, with,
};

#[tokio::test]
async fn a_client_gets_an_rfc_9068_token_and_a_refresh_token() {
    for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa, SigningAlgorithm::Rs256] {
        let mut config = config();
        config.keys.algorithm = algorithm;
        let harness = Harness::with(config, Arc::new(MemoryStore::default()), vec![static_users()]).await;
        let client = harness.client().await;
        let tokens = harness.tokens(&client).await;
        assert_eq!(tokens["token_type"], "Bearer");
        assert_eq!(tokens["expires_in"], 900);
        assert_eq!(tokens["scope"], "platform");
        assert_eq!(tokens["refresh_token"].as_str().unwrap().len(), 98);
        let token = tokens["access_token"].as_str().unwrap();
        let header = part(token, 0);
        assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!(algorithm.as_str())));
        let now = harness.now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut claims = claims(token);
        for random in ["jti", "sid"] {
            assert_eq!(claims.remove(random).unwrap().as_str().unwrap().len(), 22, "{random}");
        }
        let expected = json!({
            "iss": ORIGIN,
            "aud": RESOURCE,
            "sub": "auth0|ada/é",
            "client_id": client,
            "scope": "platform",
            "iat": now,
            "exp": now + 900,
            "auth_time": now,
            "idp": "http://localhost:8080/local",
            "tenant": "acme",
            "hints": { "groups": ["analysts"] },
        });
        assert_eq!(serde_json::Value::Object(claims), expected);
    }
}

#[tokio::test]
async fn every_step_is_recorded() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let tokens = harness.tokens(&client).await;
    harness.refresh(&client, tokens["refresh_token"].as_str().unwrap()).await;
    let expected = [
        "registration success -",
        "consent success -",
        "login success -",
        "token_issue success -",
        "token_refresh success -",
    ];
    assert_eq!(harness.events(), expected);
    for secret in
        [tokens["refresh_token"].as_str().unwrap(), tokens["access_token"].as_str().unwrap(), PASSWORD]
    {
        assert!(harness.sink.lines.lines().iter().all(|line| !line.contains(secret)));
    }
}

/// SEC-9: the form that leads to the client is followed with its body -> 303, which is followed with GET
/// SEC-10: a client is confused about who answers -> success carries `iss`
#[tokio::test]
async fn the_answer_carries_state_and_issuer_and_is_followed_with_get() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let answer = Browser::default().sign_in(&harness, &authorize_url(&authorize_params(&client))).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(answer.location().starts_with(&format!("{REDIRECT}?code=")));
    assert_eq!(answer.location_param("state").as_deref(), Some("s t&ate"));
    assert_eq!(answer.location_param("iss").as_deref(), Some(ORIGIN));
    assert_eq!(answer.header(header::CACHE_CONTROL), Some("no-store"));
    assert_eq!(answer.header(header::REFERRER_POLICY), Some("no-referrer"));
    assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), None);
}

#[tokio::test]
async fn existing_clients_authorize_without_resource_under_their_own_paths() {
    let harness = Harness::new().await;
    let redirect = "quilt://auth/callback?host=open.example.com";
    let body = json!({
        "client_name": "Catalog", "redirect_uris": [redirect], "token_endpoint_auth_method": "none",
    });
    let client = harness.post_json("/auth/register", &body).await.json()["client_id"].clone();
    let client = client.as_str().unwrap();
    let params = with(with(authorize_params(client), "resource", None), "scope", None);
    let params = with(params, "redirect_uri", Some(redirect));
    let url = authorize_url(&params).replace("/authorize", "/connect/authorize");
    let answer = Browser::default().sign_in(&harness, &url).await;
    assert!(answer.location().starts_with(&format!("{redirect}&code=")), "{}", answer.location());
    let code = answer.location_param("code").unwrap();
    let form = with(redeem_params(client, &code), "redirect_uri", Some(redirect));
    let tokens = harness.post_form("/auth/token", &form).await;
    assert_eq!(tokens.status, StatusCode::OK, "{}", tokens.body);
    assert!(tokens.json()["refresh_token"].is_string());
    assert_eq!(claims(tokens.json()["access_token"].as_str().unwrap())["aud"], RESOURCE);
}

#[tokio::test]
async fn the_transport_url_names_the_same_resource_and_a_loopback_port_may_vary() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let transport = format!("{RESOURCE}/mcp");
    let redirect = "http://localhost:51234/callback";
    let params = with(authorize_params(&client), "resource", Some(&transport));
    let params = with(params, "redirect_uri", Some(redirect));
    let answer = Browser::default().sign_in(&harness, &authorize_url(&params)).await;
    let code = answer.location_param("code").unwrap();
    let form = with(redeem_params(&client, &code), "redirect_uri", Some(redirect));
    let form = with(form, "resource", Some(&transport));
    let tokens = harness.post_form("/token", &form).await.json();
    assert_eq!(claims(tokens["access_token"].as_str().unwrap())["aud"], RESOURCE);
}

#[tokio::test]
async fn the_origin_names_the_only_resource() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let origin = format!("{ORIGIN}/");
    let params = with(authorize_params(&client), "resource", Some(&origin));
    let answer = Browser::default().sign_in(&harness, &authorize_url(&params)).await;
    let code = answer.location_param("code").unwrap();
    let form = with(redeem_params(&client, &code), "resource", Some(&origin));
    let tokens = harness.post_form("/token", &form).await.json();
    assert_eq!(claims(tokens["access_token"].as_str().unwrap())["aud"], RESOURCE);
}

#[tokio::test]
async fn authorize_may_be_posted() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let answer = harness.post_form("/authorize", &authorize_params(&client)).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(answer.location().starts_with("/consent?interaction="));
}

/// SEC-13: consent given on a copy of a page that was cancelled -> 400 page
#[tokio::test]
async fn a_cancelled_consent_tells_the_client_and_ends_the_interaction() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let mut browser = Browser::default();
    let page = browser.consent_page(&harness, &authorize_url(&authorize_params(&client))).await;
    let copy = browser.clone();
    let answer = browser.submit(&harness, &page, &[("decision", "cancel")]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.location_param("error").as_deref(), Some("access_denied"));
    assert_eq!(answer.location_param("state").as_deref(), Some("s t&ate"));
    assert_eq!(answer.location_param("iss").as_deref(), Some(ORIGIN));
    let again = copy.clone().submit(&harness, &page, &[("decision", "allow")]).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    assert_eq!(harness.events().last().unwrap(), "consent denied cancelled");
}

/// SEC-13: a sign-in on a copy of a page that was cancelled -> 400 page
#[tokio::test]
async fn a_sign_in_can_be_cancelled_and_a_wrong_password_repeated() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let mut browser = Browser::default();
    let page = browser.allow(&harness, &authorize_url(&authorize_params(&client))).await;
    let wrong = [("username", "ada"), ("password", "wrong"), ("decision", "sign-in")];
    let failed = browser.submit(&harness, &page, &wrong).await;
    assert_eq!(failed.status, StatusCode::FORBIDDEN);
    assert!(failed.body.contains("value=\"ada\""));
    assert_eq!(harness.events().last().unwrap(), "login denied wrong_password");
    let right = [("username", "ada"), ("password", PASSWORD), ("decision", "sign-in")];
    let mut other = browser.clone();
    let cancelled = browser.submit(&harness, &failed, &[("decision", "cancel")]).await;
    assert_eq!(cancelled.location_param("error").as_deref(), Some("access_denied"));
    assert_eq!(other.submit(&harness, &failed, &right).await.status, StatusCode::BAD_REQUEST);
}

/// SEC-13: consent posted from another browser, with a forged anti-forgery value, twice or too late -> 400 or 403 page
/// SEC-13: the cookie of before consent used after it -> 400 page, the session is a new one
#[tokio::test]
async fn an_interaction_belongs_to_one_browser_one_stage_and_ten_minutes() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let url = authorize_url(&authorize_params(&client));
    let mut browser = Browser::default();
    let page = browser.consent_page(&harness, &url).await;
    let interaction = page.hidden().first().unwrap().1.clone();
    let allow = [("decision", "allow")];
    let before_consent = browser.clone();

    let stranger = Browser::default().submit(&harness, &page, &allow).await;
    assert_eq!(stranger.status, StatusCode::BAD_REQUEST, "no cookie");
    let early = browser.get(&harness, &format!("/sign-in?interaction={interaction}")).await;
    assert_eq!(early.status, StatusCode::BAD_REQUEST, "sign-in before consent");
    let form = [("interaction", interaction.as_str()), ("csrf", "forged"), ("decision", "allow")];
    let forged = browser.send(&harness, crate::support::form_request("/consent", &form)).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN, "wrong anti-forgery value");

    let allowed = browser.submit(&harness, &page, &allow).await;
    assert_eq!(allowed.status, StatusCode::SEE_OTHER);
    let replayed = before_consent.clone().submit(&harness, &page, &allow).await;
    assert_eq!(replayed.status, StatusCode::BAD_REQUEST, "consent given twice");
    let fixed = before_consent.clone().get(&harness, allowed.location()).await;
    assert_eq!(fixed.status, StatusCode::BAD_REQUEST, "the cookie from before consent");

    harness.advance(Duration::from_mins(10));
    let late = browser.get(&harness, allowed.location()).await;
    assert_eq!(late.status, StatusCode::BAD_REQUEST, "expired");
}

#[tokio::test]
async fn two_tabs_of_one_browser_do_not_disturb_each_other() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let url = authorize_url(&authorize_params(&client));
    let mut browser = Browser::default();
    let first = browser.allow(&harness, &url).await;
    let second = browser.allow(&harness, &url).await;
    let fields = [("username", "ada"), ("password", PASSWORD)];
    for page in [second, first] {
        let answer = browser.submit(&harness, &page, &fields).await;
        assert!(answer.location_param("code").is_some());
    }
    assert!(browser.cookies.is_empty(), "{:?}", browser.cookies);
}

#[tokio::test]
async fn consent_names_the_client_the_host_and_the_scopes() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let url = authorize_url(&authorize_params(&client));
    let page = Browser::default().consent_page(&harness, &url).await;
    for text in ["Claude", "claude.ai", "Platform", "Work with your data"] {
        assert!(page.body.contains(text), "{text}");
    }
    assert!(!page.body.contains("on this computer"));
    let loopback = with(authorize_params(&client), "redirect_uri", Some("http://localhost:1/callback"));
    let page = Browser::default().consent_page(&harness, &authorize_url(&loopback)).await;
    assert!(page.body.contains("on this computer"));
}

/// SEC-21: an access token after its time -> rejected by the verifier of the gateway
#[tokio::test]
async fn the_gateways_verifier_accepts_the_token_with_the_published_keys() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let tokens = harness.tokens(&client).await;
    let keys = KeySet::from_jwks_json(harness.server.jwks_json().as_bytes()).unwrap();
    let issuer = IssuerConfig::builder(ORIGIN)
        .audience(RESOURCE)
        .algorithms([Algorithm::Es256])
        .required_claims(["client_id", "jti", "sid", "idp", "auth_time"])
        .tenant_claim("/tenant")
        .build()
        .unwrap();
    let verifier = TokenVerifier::new(issuer, SharedKeys::new(keys));
    let token = tokens["access_token"].as_str().unwrap();
    let accepted = verifier.verify(token, harness.now()).await.unwrap();
    assert_eq!(accepted.client_id(), Some(client.as_str()));
    assert_eq!(accepted.tenant(), Some("acme"));
    assert_eq!(accepted.scopes(), ["platform"]);
    let expired = harness.now() + Duration::from_mins(15);
    assert!(verifier.verify(token, expired).await.is_err());
}

/// SEC-23: the database is read by a stranger -> no code, token, client secret, cookie or password is in it
#[tokio::test]
async fn no_secret_reaches_the_database() {
    let (directory, url) = sqlite();
    let harness = Harness::on(Arc::new(database(&url).await)).await;
    let body = json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "client_secret_post" });
    let registered = harness.post_json("/register", &body).await.json();
    let (client, secret) =
        (registered["client_id"].as_str().unwrap(), registered["client_secret"].as_str().unwrap());
    let mut browser = Browser::default();
    browser.allow(&harness, &authorize_url(&authorize_params(client))).await;
    let cookies: Vec<String> = browser.cookies.into_values().collect();
    let code = harness.code(client).await;
    let form = with(redeem_params(client, &code), "client_secret", Some(secret));
    let tokens = harness.post_form("/token", &form).await.json();
    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    let mut kept = Vec::new();
    for file in std::fs::read_dir(directory.path()).unwrap() {
        kept.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    let holds = |text: &str| kept.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds(client), "the files that are searched are the database");
    assert_eq!(cookies.len(), 1);
    for secret in [secret, &code, refresh_token, &cookies[0], PASSWORD] {
        assert!(!holds(secret));
    }
}
