//! OpenID Connect for clients: ID tokens, `/userinfo`, `/end_session`.

use std::time::{Duration, UNIX_EPOCH};

use axum::body::Body;
use http::{Request, StatusCode, header};
use oauth_server::Digest;
use oidc_verify::{Algorithm, IssuerConfig, KeySet, SharedKeys, TokenVerifier};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{
    holder::{Holder, proof_claims, with_proof},
    support::{
        Answer, Browser, Harness, ORIGIN, PASSWORD, REDIRECT, authorize_params, authorize_url, claims,
        form_request, part, query, redeem_params, with,
    },
};

/// The tokens of a sign-in with this scope and nonce.
async fn tokens(harness: &Harness, client: &str, scope: &str, nonce: Option<&str>) -> Value {
    let params = with(with(authorize_params(client), "scope", Some(scope)), "nonce", nonce);
    let answer = Browser::default().sign_in(harness, &authorize_url(&params)).await;
    let code = answer.location_param("code").unwrap();
    harness.post_form("/token", &redeem_params(client, &code)).await.json()
}

async fn userinfo(harness: &Harness, authorization: &[&str]) -> Answer {
    let mut request = Request::get("/userinfo").body(Body::empty()).unwrap();
    for value in authorization {
        request.headers_mut().append(header::AUTHORIZATION, value.parse().unwrap());
    }
    harness.send(request).await
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name}: {value}"))
}

#[tokio::test]
async fn a_client_learns_who_signed_in() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let tokens = tokens(&harness, &client, "openid profile email platform", Some("n-1")).await;
    assert_eq!(tokens["scope"], "platform openid profile email");
    let id_token = text(&tokens, "id_token");
    assert_eq!(part(id_token, 0)["typ"], "JWT");
    let now = harness.now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut told = claims(id_token);
    let subject = told.remove("sub").unwrap();
    assert_eq!(subject.as_str().unwrap().len(), 43);
    let expected = json!({
        "iss": ORIGIN, "aud": client, "exp": now + 900, "iat": now, "auth_time": now, "nonce": "n-1", "name": "Ada",
    });
    assert_eq!(Value::Object(told), expected);
    let issuer = IssuerConfig::builder(ORIGIN).audiences([&client]).algorithms([Algorithm::Es256]);
    let keys = KeySet::from_jwks_json(harness.server.jwks_json().as_bytes()).unwrap();
    let verifier = TokenVerifier::new(issuer.token_types(["JWT"]).build().unwrap(), SharedKeys::new(keys));
    assert!(verifier.verify(id_token, harness.now()).await.is_ok());

    let bearer = format!("Bearer {}", text(&tokens, "access_token"));
    let answer = userinfo(&harness, &[&bearer]).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.json(), json!({ "sub": subject, "name": "Ada" }));
    assert_eq!(answer.header(header::CACHE_CONTROL), Some("no-store"));
    assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), Some("*"));
    let mut posted = form_request("/userinfo", &[]);
    posted.headers_mut().insert(header::AUTHORIZATION, bearer.parse().unwrap());
    assert_eq!(harness.send(posted).await.json(), answer.json());
}

#[tokio::test]
async fn what_was_not_granted_is_not_told() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let tokens = tokens(&harness, &client, "openid", None).await;
    assert_eq!(tokens["scope"], "platform platform:read openid", "the resource's own scopes go with it");
    let id_token = claims(text(&tokens, "id_token"));
    assert!(!id_token.contains_key("name") && !id_token.contains_key("nonce"));
    let told = userinfo(&harness, &[&format!("Bearer {}", text(&tokens, "access_token"))]).await.json();
    assert_eq!(told, json!({ "sub": id_token["sub"] }));
}

#[tokio::test]
async fn a_refresh_tells_again_who_it_is_if_that_was_granted() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let with_openid = tokens(&harness, &client, "openid platform", Some("n-1")).await;
    let refreshed = harness.refresh(&client, text(&with_openid, "refresh_token")).await.json();
    let (first, again) = (claims(text(&with_openid, "id_token")), claims(text(&refreshed, "id_token")));
    assert_eq!((&first["sub"], &first["auth_time"]), (&again["sub"], &again["auth_time"]));
    assert!(!again.contains_key("nonce"));
    let without = tokens(&harness, &client, "platform", Some("n-1")).await;
    assert_eq!(without.get("id_token"), None);
    let refreshed = harness.refresh(&client, text(&without, "refresh_token")).await.json();
    assert_eq!(refreshed.get("id_token"), None);
}

/// SEC-12: a client that asks who the person is -> the consent page says so in plain words
#[tokio::test]
async fn consent_says_that_it_tells_who_you_are() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let params = with(authorize_params(&client), "scope", Some("openid profile email platform"));
    let page = Browser::default().consent_page(&harness, &authorize_url(&params)).await;
    for words in ["Know that it is you, by an identifier", "See your name", "See your e-mail address"] {
        assert!(page.body.contains(&format!("<li>{words}</li>")), "{words}: {}", page.body);
    }
}

/// SEC-21: an ID token as an access token at /userinfo and /introspect, an access token as a hint -> refused
#[tokio::test]
async fn neither_token_passes_for_the_other() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let tokens = tokens(&harness, &client, "openid platform", None).await;
    let (access, id_token) = (text(&tokens, "access_token"), text(&tokens, "id_token"));
    let answer = userinfo(&harness, &[&format!("Bearer {id_token}")]).await;
    assert_eq!((answer.status, answer.error().as_str()), (StatusCode::UNAUTHORIZED, "invalid_token"));
    assert_eq!(
        harness.post_form("/revoke", &[("client_id", &client), ("token", id_token)]).await.status,
        200
    );
    assert_eq!(harness.server.revocations().version(), 0, "an ID token is no token to revoke");
    let hint = [("id_token_hint", access), ("post_logout_redirect_uri", REDIRECT)];
    let answer = harness.get(&format!("/end_session?{}", query(&hint))).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

/// SEC-22, SEC-23: /userinfo without a token, with two, a foreign, an expired or a revoked one -> 401
/// SEC-23: /userinfo with a token that lacks openid -> 403 `insufficient_scope`
#[tokio::test]
async fn nothing_is_told_without_a_live_token_for_it() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let with_openid = tokens(&harness, &client, "openid", None).await;
    let without = tokens(&harness, &client, "platform", None).await;
    let good = format!("Bearer {}", text(&with_openid, "access_token"));
    let narrow = format!("Bearer {}", text(&without, "access_token"));
    let dpop = good.replace("Bearer", "DPoP");
    let tampered = format!("{good}x");
    for (authorization, status, error, challenge) in [
        (vec![], 401, "invalid_request", "Bearer"),
        (vec![good.as_str(), &good], 401, "invalid_request", "Bearer"),
        (vec!["Basic eDp5"], 401, "invalid_request", "Bearer"),
        (vec![&dpop], 401, "invalid_token", "Bearer error=\"invalid_token\""),
        (vec!["Bearer "], 401, "invalid_request", "Bearer"),
        (vec!["Bearer x"], 401, "invalid_token", "Bearer error=\"invalid_token\""),
        (vec![&tampered], 401, "invalid_token", "Bearer error=\"invalid_token\""),
        (vec![&narrow], 403, "insufficient_scope", "Bearer error=\"insufficient_scope\", scope=\"openid\""),
    ] {
        let answer = userinfo(&harness, &authorization).await;
        assert_eq!((answer.status.as_u16(), answer.error().as_str()), (status, error), "{authorization:?}");
        assert_eq!(answer.header(header::WWW_AUTHENTICATE), Some(challenge), "{authorization:?}");
    }
    assert_eq!(userinfo(&harness, &[&good]).await.status, StatusCode::OK);
    let revoked = harness
        .post_form("/revoke", &[("client_id", &client), ("token", good.strip_prefix("Bearer ").unwrap())])
        .await;
    assert_eq!(revoked.status, StatusCode::OK);
    assert_eq!(userinfo(&harness, &[&good]).await.error(), "invalid_token");
    harness.advance(Duration::from_mins(15));
    assert_eq!(userinfo(&harness, &[&narrow]).await.error(), "invalid_token");
}

/// SEC-6: a nonce of more than 512 bytes -> `invalid_request`
#[tokio::test]
async fn a_nonce_is_bounded() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    for (length, error) in [(512, None), (513, Some("invalid_request"))] {
        let nonce = "n".repeat(length);
        let url = authorize_url(&with(authorize_params(&client), "nonce", Some(&nonce)));
        let answer = harness.get(&url).await;
        let found = answer.location().contains("error=").then(|| answer.location_param("error").unwrap());
        assert_eq!(found.as_deref(), error, "{length}");
    }
}

/// Signs in to the account in this browser.
async fn session(browser: &mut Browser, harness: &Harness) {
    let answer = browser.get(harness, "/account").await;
    let form = browser.get(harness, answer.location()).await;
    let answer = browser.submit(harness, &form, &[("username", "ada"), ("password", PASSWORD)]).await;
    assert_eq!(answer.location(), "/account");
}

#[tokio::test]
async fn a_client_signs_a_person_out_and_gets_them_back() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let tokens = tokens(&harness, &client, "openid", None).await;
    let mut browser = Browser::default();
    session(&mut browser, &harness).await;
    harness.advance(Duration::from_mins(50));
    let asked = [
        ("id_token_hint", text(&tokens, "id_token")),
        ("client_id", &client),
        ("post_logout_redirect_uri", REDIRECT),
        ("state", "s t"),
    ];
    let page = browser.get(&harness, &format!("/end_session?{}", query(&asked))).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert!(page.body.contains("<bdi>Claude</bdi></strong> asks to sign you out."), "{}", page.body);
    let stayed = browser.submit(&harness, &page, &[("decision", "cancel")]).await;
    assert_eq!(stayed.location(), "/account");
    assert_eq!(browser.get(&harness, "/account").await.status, StatusCode::OK);
    let answer = browser.submit(&harness, &page, &[("decision", "sign-out")]).await;
    assert_eq!(
        (answer.status, answer.location()),
        (StatusCode::SEE_OTHER, "https://claude.ai/api/mcp/auth_callback?state=s+t")
    );
    assert_eq!(browser.get(&harness, "/account").await.status, StatusCode::SEE_OTHER);
    assert_eq!(harness.refresh(&client, text(&tokens, "refresh_token")).await.status, StatusCode::OK);

    // Nobody is signed in: nothing to ask.
    let answer = browser.get(&harness, &format!("/end_session?{}", query(&asked))).await;
    assert_eq!(answer.location(), "https://claude.ai/api/mcp/auth_callback?state=s+t");
    assert_eq!(browser.get(&harness, "/end_session").await.location(), "/signed-out");
    // A client may post it: the browser is sent here again with its cookie.
    let posted = browser.send(&harness, form_request("/end_session", &asked)).await;
    assert_eq!(posted.location(), format!("/end_session?{}", query(&asked)));
}

/// SEC-16: sign-out to an address that is not registered, of another client, not listed or without a genuine hint -> a page, never a redirect
#[tokio::test]
async fn signing_out_redirects_nowhere_else() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let tokens = tokens(&harness, &client, "openid", None).await;
    let id_token = text(&tokens, "id_token");
    let forged = format!("{id_token}x");
    let mut browser = Browser::default();
    for signed_in in [false, true] {
        if signed_in {
            session(&mut browser, &harness).await;
        }
        for (hint, client_id, to) in [
            (Some(id_token), None, "https://evil.example/"),
            (Some(id_token), None, "https://claude.ai/other"),
            (Some(id_token), None, "https://claude.ai/api/mcp/auth_callback?x=y"),
            (Some(id_token), None, "javascript:alert(1)"),
            (Some(id_token), None, "//evil.example"),
            (Some(id_token), Some("another"), REDIRECT),
            (Some(forged.as_str()), None, REDIRECT),
            (Some("x"), None, REDIRECT),
            (Some("a.e30.c"), None, REDIRECT),
            (None, Some(client.as_str()), REDIRECT),
            (None, None, REDIRECT),
        ] {
            let mut asked = vec![("post_logout_redirect_uri", to), ("state", "s")];
            asked.extend(hint.map(|hint| ("id_token_hint", hint)));
            asked.extend(client_id.map(|id| ("client_id", id)));
            let answer = browser.get(&harness, &format!("/end_session?{}", query(&asked))).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{asked:?}");
            assert_eq!(answer.header(header::LOCATION), None, "{asked:?}");
        }
    }
    let twice = format!(
        "/end_session?post_logout_redirect_uri=a&{}",
        query(&[("post_logout_redirect_uri", REDIRECT)])
    );
    assert_eq!(browser.get(&harness, &twice).await.status, StatusCode::BAD_REQUEST);
    let long = format!("/end_session?state={}", "s".repeat(9000));
    assert_eq!(browser.get(&harness, &long).await.status, StatusCode::BAD_REQUEST);
}

/// SEC-13: a sign-out that another site posts -> 403 without the form's value, and asked for when it is a plain request
#[tokio::test]
async fn nobody_else_signs_a_person_out() {
    let harness = Harness::new().await;
    let mut browser = Browser::default();
    session(&mut browser, &harness).await;
    for csrf in ["", "x"] {
        let form = [("csrf", csrf), ("decision", "sign-out")];
        let answer = browser.send(&harness, form_request("/end_session", &form)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{csrf}");
    }
    let page = browser.get(&harness, "/end_session").await;
    assert!(page.body.contains("Sign out?") && !page.body.contains("asks to sign you out"));
    assert_eq!(browser.get(&harness, "/account").await.status, StatusCode::OK);
}

/// SEC-30: a bound token at /userinfo as a bearer token, without a proof, with another key's, with one for another method or token, or with a used one -> 401
#[tokio::test]
async fn a_bound_token_needs_its_key() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let params = with(authorize_params(&client), "scope", Some("openid platform"));
    let answer = Browser::default().sign_in(&harness, &authorize_url(&params)).await;
    let code = answer.location_param("code").unwrap();
    let (holder, thief) = (Holder::new(), Holder::new());
    let tokens = holder.token(&harness, "1", &redeem_params(&client, &code)).await.json();
    let token = text(&tokens, "access_token");
    let proof = |id: &str, method: &str, token: &str| {
        let mut claims = proof_claims("/userinfo", id);
        claims["htm"] = json!(method);
        claims["ath"] = json!(Digest::of(&SecretString::from(token)).to_text());
        claims
    };
    let ask = async |scheme: &str, proof: Option<String>| {
        let mut request = Request::get("/userinfo").body(Body::empty()).unwrap();
        request.headers_mut().insert("authorization", format!("{scheme} {token}").parse().unwrap());
        let request = match proof {
            Some(proof) => with_proof(request, &proof),
            None => request,
        };
        harness.send(request).await
    };
    let good = holder.sign(&proof("a", "GET", token));
    let refused = [
        ("as a bearer token", ask("Bearer", Some(good.clone())).await),
        ("no proof", ask("DPoP", None).await),
        ("another key", ask("DPoP", Some(thief.sign(&proof("b", "GET", token)))).await),
        ("another method", ask("DPoP", Some(holder.sign(&proof("c", "POST", token)))).await),
        ("another token", ask("DPoP", Some(holder.sign(&proof("d", "GET", "other")))).await),
    ];
    for (name, answer) in refused {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name}: {}", answer.body);
    }
    let told = ask("DPoP", Some(good.clone())).await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.body);
    assert!(told.json()["sub"].is_string());
    let again = ask("DPoP", Some(good)).await;
    assert_eq!((again.status, again.error().as_str()), (StatusCode::UNAUTHORIZED, "invalid_dpop_proof"));
}
