//! Tokens for whoever holds a key (RFC 9449).

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use oauth_server::store::{MemoryStore, Store};
use oidc_verify::{DpopNonces, DpopServer};
use serde_json::{Value, json};

use crate::{
    holder::{Holder, proof_claims, with_proof},
    support::{
        Browser, Harness, ORIGIN, REDIRECT, authorize_params, authorize_url, claims, config, form_request,
        redeem_params, static_users, with,
    },
};

fn refresh_params<'a>(client: &'a str, token: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)]
}

fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap_or_else(|| panic!("no {name}: {answer}")).to_owned()
}

/// SEC-18: a public client's bound refresh token without a proof or with another key -> 400 `invalid_grant`, it stays good
/// SEC-30: a proof by another key at a refresh -> 400 `invalid_grant`
#[tokio::test]
async fn a_proof_binds_everything_that_is_issued() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let (holder, thief) = (Holder::new(), Holder::new());
    let code = harness.code(&client).await;
    let answer = holder.token(&harness, "1", &redeem_params(&client, &code)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.header("dpop-nonce"), None, "none is asked for");
    let tokens = answer.json();
    assert_eq!(tokens["token_type"], "DPoP");
    let cnf = &claims(&text(&tokens, "access_token"))["cnf"];
    assert_eq!(*cnf, json!({ "jkt": holder.thumbprint() }));

    let refresh_token = text(&tokens, "refresh_token");
    let form = refresh_params(&client, &refresh_token);
    for refused in [harness.post_form("/token", &form).await, thief.token(&harness, "1", &form).await] {
        assert_eq!((refused.status, refused.error().as_str()), (StatusCode::BAD_REQUEST, "invalid_grant"));
        assert!(refused.body.contains("DPoP key"), "{}", refused.body);
    }
    assert!(harness.events().iter().any(|event| event == "token_refresh denied dpop_other_key"));
    let refreshed = holder.token(&harness, "2", &form).await;
    assert_eq!(refreshed.status, StatusCode::OK, "a thief without the key ends nothing: {}", refreshed.body);
    let refreshed = refreshed.json();
    assert_eq!(refreshed["token_type"], "DPoP");
    assert_eq!(claims(&text(&refreshed, "access_token"))["cnf"]["jkt"], holder.thumbprint());
}

#[tokio::test]
async fn without_a_proof_tokens_are_bearer_tokens() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let tokens = harness.tokens(&client).await;
    assert_eq!(tokens["token_type"], "Bearer");
    assert!(!claims(&text(&tokens, "access_token")).contains_key("cnf"));
    // A key that comes later binds what is issued then, and not what was.
    let holder = Holder::new();
    let form = refresh_params(&client, tokens["refresh_token"].as_str().unwrap());
    let bound = holder.token(&harness, "1", &form).await.json();
    assert_eq!(bound["token_type"], "DPoP");
    assert_eq!(harness.refresh(&client, &text(&bound, "refresh_token")).await.json()["token_type"], "Bearer");
}

/// SEC-18: a confidential client that drops the proof -> 400 `invalid_grant`; one that changes its key is served
#[tokio::test]
async fn a_confidential_client_may_change_its_key_and_not_drop_it() {
    let harness = Harness::new().await;
    let body = json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "client_secret_post" });
    let registered = harness.post_json("/register", &body).await.json();
    let (client, secret) = (text(&registered, "client_id"), text(&registered, "client_secret"));
    let code = harness.code(&client).await;
    let form = with(redeem_params(&client, &code), "client_secret", Some(&secret));
    let tokens = Holder::new().token(&harness, "1", &form).await.json();
    let refresh_token = text(&tokens, "refresh_token");
    let form = with(refresh_params(&client, &refresh_token), "client_secret", Some(&secret));
    assert_eq!(harness.post_form("/token", &form).await.error(), "invalid_grant");
    let next = Holder::new();
    let refreshed = next.token(&harness, "2", &form).await.json();
    assert_eq!(claims(&text(&refreshed, "access_token"))["cnf"]["jkt"], next.thumbprint());
}

/// SEC-30: a proof for another method, or too old, or without a member, or with a bad signature -> 400 `invalid_dpop_proof`
/// SEC-31: a proof for the other path of the endpoint, for the Host of the request, or two of them -> 400 `invalid_dpop_proof`
#[tokio::test]
async fn a_wrong_proof_is_refused_and_costs_nothing() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let code = harness.code(&client).await;
    let holder = Holder::new();
    let right = proof_claims("/token", "1");
    let changed = |name: &str, value: Value| {
        let mut claims = right.clone();
        claims[name] = value;
        vec![holder.sign(&claims)]
    };
    let good = holder.proof("1");
    let stranger = Holder::new().proof("1");
    let forged = format!("{}.{}", good.rsplit_once('.').unwrap().0, stranger.rsplit_once('.').unwrap().1);
    let iat = right["iat"].as_u64().unwrap();
    let cases = [
        changed("htm", json!("GET")),
        changed("htu", json!(format!("{ORIGIN}/auth/token"))),
        changed("htu", json!("http://evil.test/token")),
        changed("htu", json!("https://localhost:8080/token")),
        changed("iat", json!(iat - 60)),
        changed("iat", json!(iat + 6)),
        changed("jti", json!(null)),
        changed("nonce", json!(7)),
        vec![forged],
        vec![String::new()],
        vec![good.clone(), good.clone()],
        vec![format!("{good},{good}")],
    ];
    for proofs in cases {
        let mut request = form_request("/token", &redeem_params(&client, &code));
        request.headers_mut().insert("host", "evil.test".parse().unwrap());
        for proof in &proofs {
            request = with_proof(request, proof);
        }
        let answer = harness.send(request).await;
        assert_eq!((answer.status, answer.error().as_str()), (StatusCode::BAD_REQUEST, "invalid_dpop_proof"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    let elsewhere = holder.sign(&proof_claims("/auth/token", "1"));
    let request = with_proof(form_request("/auth/token", &redeem_params(&client, &code)), &elsewhere);
    assert_eq!(harness.send(request).await.status, StatusCode::OK, "the path that was called counts");
}

/// SEC-30: a proof used a second time, at the same replica or at another -> 400 `invalid_dpop_proof`
/// SEC-33: a proof with a request that is refused anyway -> nothing is remembered of it
#[tokio::test]
async fn a_proof_counts_once_for_all_replicas() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let (one, other) = (Harness::on(Arc::clone(&store)).await, Harness::on(store).await);
    let client = one.client().await;
    let holder = Holder::new();
    let wrong = with(redeem_params(&client, "nonsense"), "code", Some("nonsense"));
    assert_eq!(holder.token(&one, "1", &wrong).await.error(), "invalid_grant");
    let code = one.code(&client).await;
    let tokens = holder.token(&one, "1", &redeem_params(&client, &code)).await;
    assert_eq!(tokens.status, StatusCode::OK, "{}", tokens.body);
    let refresh_token = text(&tokens.json(), "refresh_token");
    let form = refresh_params(&client, &refresh_token);
    for replica in [&one, &other] {
        let answer = holder.token(replica, "1", &form).await;
        assert_eq!((answer.status, answer.error().as_str()), (StatusCode::BAD_REQUEST, "invalid_dpop_proof"));
        assert!(answer.body.contains("used before"), "{}", answer.body);
    }
    assert_eq!(holder.token(&other, "2", &form).await.status, StatusCode::OK, "the token was not touched");
}

/// SEC-32: no nonce where one is demanded, an old one or one of the services -> 400 `use_dpop_nonce` with one that works
#[tokio::test]
async fn a_nonce_can_be_demanded() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let mut demanding = config();
    demanding.dpop_nonce_required = true;
    let harness = Harness::with(demanding, Arc::clone(&store), vec![static_users()]).await;
    let client = harness.client().await;
    let code = harness.code(&client).await;
    let holder = Holder::new();
    let period = std::num::NonZeroU32::new(300).unwrap();
    let services = DpopNonces::new(&harness.server.shared_secret("x"), DpopServer::Resource, period);
    let proof = |id: &str, nonce: Option<&str>, late: u64| {
        let mut claims = proof_claims("/token", id);
        claims["iat"] = (claims["iat"].as_u64().unwrap() + late).into();
        if let Some(nonce) = nonce {
            claims["nonce"] = nonce.into();
        }
        holder.sign(&claims)
    };
    let form = redeem_params(&client, &code);
    let foreign = services.current(harness.now());
    for nonce in [None, Some("nonsense"), Some(&*foreign)] {
        let answer = harness.send(with_proof(form_request("/token", &form), &proof("1", nonce, 0))).await;
        assert_eq!((answer.status, answer.error().as_str()), (StatusCode::BAD_REQUEST, "use_dpop_nonce"));
        assert_eq!(answer.header("dpop-nonce").map(str::len), Some(43));
    }
    let asked = harness.send(with_proof(form_request("/token", &form), &proof("1", None, 0))).await;
    let nonce = asked.header("dpop-nonce").unwrap().to_owned();
    let answer = harness.send(with_proof(form_request("/token", &form), &proof("1", Some(&nonce), 0))).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.header("dpop-nonce"), Some(nonce.as_str()), "for the next request");
    let refresh_token = text(&answer.json(), "refresh_token");
    let form = refresh_params(&client, &refresh_token);
    harness.advance(Duration::from_mins(10));
    let old = harness.send(with_proof(form_request("/token", &form), &proof("2", Some(&nonce), 600))).await;
    assert_eq!(old.error(), "use_dpop_nonce");
    let fresh = old.header("dpop-nonce").unwrap().to_owned();
    assert_ne!(fresh, nonce);

    // Where none is demanded, one that is not ours is refused all the same.
    let lenient = Harness::on(store).await;
    lenient.advance(Duration::from_mins(10));
    let stale = lenient.send(with_proof(form_request("/token", &form), &proof("3", Some(&nonce), 600))).await;
    assert_eq!(stale.error(), "use_dpop_nonce");
    let good = lenient.send(with_proof(form_request("/token", &form), &proof("3", Some(&fresh), 600))).await;
    assert_eq!(good.status, StatusCode::OK, "{}", good.body);
}

/// SEC-8: a code that was asked for with a key, with another key or none -> 400 `invalid_grant`, it stays good
#[tokio::test]
async fn a_code_can_be_bound_to_a_key() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let holder = Holder::new();
    let thumbprint = holder.thumbprint();
    let params = with(authorize_params(&client), "dpop_jkt", Some(&thumbprint));
    let answer = Browser::default().sign_in(&harness, &authorize_url(&params)).await;
    let code = answer.location_param("code").unwrap();
    let form = redeem_params(&client, &code);
    assert_eq!(harness.post_form("/token", &form).await.error(), "invalid_grant");
    assert_eq!(Holder::new().token(&harness, "1", &form).await.error(), "invalid_grant");
    assert_eq!(holder.token(&harness, "1", &form).await.status, StatusCode::OK);

    for bad in ["short", &format!("{thumbprint}="), &thumbprint.replace(|_| true, "+")] {
        let params = with(authorize_params(&client), "dpop_jkt", Some(bad));
        let answer = harness.get(&authorize_url(&params)).await;
        assert_eq!(answer.location_param("error").as_deref(), Some("invalid_request"), "{bad}");
    }
}

/// SEC-8: a code that a thief with a key of their own used first -> the client's own use revokes what the thief got
#[tokio::test]
async fn a_key_of_their_own_does_not_shield_a_thief() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let code = harness.code(&client).await;
    let (client_key, thief) = (Holder::new(), Holder::new());
    let stolen = thief.token(&harness, "1", &redeem_params(&client, &code)).await.json();
    assert_eq!(
        client_key.token(&harness, "1", &redeem_params(&client, &code)).await.error(),
        "invalid_grant"
    );
    let stolen = text(&stolen, "refresh_token");
    let answer = thief.token(&harness, "2", &refresh_params(&client, &stolen)).await;
    assert_eq!(answer.error(), "invalid_grant");
    assert!(harness.events().iter().any(|event| event == "token_revoke success code_replayed"));
}

/// SEC-30: a client that agreed to bound tokens and sends no proof -> 400 `invalid_dpop_proof`
#[tokio::test]
async fn a_client_that_agreed_to_bound_tokens_must_prove() {
    let harness = Harness::new().await;
    let body = json!({ "redirect_uris": [REDIRECT], "dpop_bound_access_tokens": true });
    let registered = harness.post_json("/register", &body).await.json();
    assert_eq!(registered["dpop_bound_access_tokens"], true);
    let client = text(&registered, "client_id");
    let code = harness.code(&client).await;
    let form = redeem_params(&client, &code);
    let answer = harness.post_form("/token", &form).await;
    assert_eq!((answer.status, answer.error().as_str()), (StatusCode::BAD_REQUEST, "invalid_dpop_proof"));
    assert_eq!(Holder::new().token(&harness, "1", &form).await.json()["token_type"], "DPoP");
}

/// SEC-18: a refresh token sent again within the window by somebody without its key -> 400 `invalid_grant`
/// SEC-18: a recorded refresh sent again as a whole, proof included -> 400 `invalid_dpop_proof`, nothing ends
#[tokio::test]
async fn only_the_holder_is_told_the_same_again() {
    let harness = Harness::new().await;
    let client = harness.client().await;
    let holder = Holder::new();
    let code = harness.code(&client).await;
    let tokens = holder.token(&harness, "1", &redeem_params(&client, &code)).await.json();
    let refresh_token = text(&tokens, "refresh_token");
    let form = refresh_params(&client, &refresh_token);
    let first = holder.token(&harness, "2", &form).await.json();
    assert_eq!(Holder::new().token(&harness, "1", &form).await.error(), "invalid_grant");
    assert_eq!(harness.post_form("/token", &form).await.error(), "invalid_grant");
    assert_eq!(holder.token(&harness, "2", &form).await.error(), "invalid_dpop_proof");
    let again = holder.token(&harness, "3", &form).await.json();
    assert_eq!(again["refresh_token"], first["refresh_token"]);
    harness.advance(Duration::from_secs(31));
    assert_eq!(holder.token(&harness, "2", &form).await.error(), "invalid_dpop_proof");
    let newest = text(&first, "refresh_token");
    let answer = holder.token(&harness, "4", &refresh_params(&client, &newest)).await;
    assert_eq!(answer.status, StatusCode::OK, "the family lives: {}", answer.body);
}
