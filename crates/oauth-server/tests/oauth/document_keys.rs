//! Clients that publish their keys with the document about them.

use std::time::Duration;

use http::StatusCode;
use public_fetch::FetchError;
use serde_json::{Value, json};

use crate::client_authn::{JWT_BEARER, Signer};
use crate::support::{Answer, Harness, REDIRECT, authorize_params, authorize_url, redeem_params};

const ID: &str = "https://client.example/metadata.json";
const KEYS: &str = "https://client.example/keys.json";
const MINUTE: Duration = Duration::from_mins(1);

fn document(members: &Value) -> Value {
    let mut document = json!({
        "client_id": ID,
        "client_name": "A client",
        "redirect_uris": [REDIRECT],
        "token_endpoint_auth_method": "private_key_jwt",
    });
    document.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    document
}

async fn harness(members: &Value) -> Harness {
    let harness = Harness::new().await;
    harness.published.set(ID, &document(members));
    harness
}

/// Revokes a token that does not exist: 200 shows that the client was accepted.
async fn present(harness: &Harness, assertion: &str) -> Answer {
    let form = [("token", "none"), ("client_assertion_type", JWT_BEARER), ("client_assertion", assertion)];
    harness.post_form("/revoke", &form).await
}

fn reads_of_keys(harness: &Harness) -> usize {
    harness.published.fetched().iter().filter(|url| *url == KEYS).count()
}

#[tokio::test]
async fn a_client_with_published_keys_signs_its_way_to_tokens() {
    let signer = Signer::new();
    for members in [json!({ "jwks": signer.jwks() }), json!({ "jwks_uri": KEYS })] {
        let harness = harness(&members).await;
        harness.published.set(KEYS, &signer.jwks());
        let code = harness.code(ID).await;
        let assertion = signer.assertion(&harness, ID, &json!({}));
        let proof = [("client_assertion_type", JWT_BEARER), ("client_assertion", assertion.as_str())];
        let answer = harness.post_form("/token", &[&redeem_params(ID, &code)[..], &proof].concat()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let without = harness.refresh(ID, answer.json()["refresh_token"].as_str().unwrap()).await;
        assert_eq!(without.error(), "invalid_client");
    }
}

/// SEC-40: a document whose keys are missing, private, shared, or in two places -> an error page
#[tokio::test]
async fn a_document_publishes_public_keys_in_one_place() {
    let signer = Signer::new();
    let mut private = signer.jwks();
    private["keys"][0]["d"] = json!("c2VjcmV0");
    let cases = [
        json!({}),
        json!({ "jwks": { "keys": [] } }),
        json!({ "jwks": private }),
        json!({ "jwks": { "keys": [{ "kty": "oct", "k": "c2VjcmV0" }] } }),
        json!({ "jwks": signer.jwks(), "jwks_uri": KEYS }),
        json!({ "jwks_uri": "http://client.example/keys.json" }),
        json!({ "jwks_uri": "data:application/json,{}" }),
        json!({ "jwks_uri": "keys.json" }),
        json!({ "jwks": signer.jwks(), "token_endpoint_auth_signing_alg": "HS256" }),
        json!({ "jwks": signer.jwks(), "token_endpoint_auth_signing_alg": "none" }),
    ];
    for members in cases {
        let harness = harness(&members).await;
        let answer = harness.get(&authorize_url(&authorize_params(ID))).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{members}");
        assert_eq!(harness.published.fetched(), [ID], "{members}");
    }
}

/// SEC-17, SEC-28: assertions that name unknown keys -> 401 `invalid_client`, the keys are read once in 30 seconds
#[tokio::test]
async fn unknown_keys_are_looked_for_once_in_thirty_seconds() {
    let harness = harness(&json!({ "jwks_uri": KEYS })).await;
    let signer = Signer::new();
    harness.published.set(KEYS, &signer.jwks());
    harness.published.lifetime(5 * MINUTE);
    let unknown = signer.sign(&json!({ "alg": "ES256", "kid": "2" }), &claims(&harness));
    for _ in 0..5 {
        let answer = present(&harness, &unknown).await;
        assert_eq!((answer.status, answer.error().as_str()), (StatusCode::UNAUTHORIZED, "invalid_client"));
    }
    assert_eq!(reads_of_keys(&harness), 1);
    harness.advance(Duration::from_secs(30));
    assert_eq!(present(&harness, &unknown).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(reads_of_keys(&harness), 2);
    // A new key is found, and while the host is down the known ones go on.
    let other = Signer::new();
    harness.advance(Duration::from_secs(30));
    harness.published.answer(KEYS, Err(FetchError::Unreachable));
    assert_eq!(present(&harness, &unknown).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(present(&harness, &signer.assertion(&harness, ID, &json!({}))).await.status, StatusCode::OK);
    let mut keys = other.jwks();
    keys["keys"][0]["kid"] = json!("2");
    harness.published.set(KEYS, &keys);
    let known = other.sign(&json!({ "alg": "ES256", "kid": "2" }), &claims(&harness));
    assert_eq!(present(&harness, &known).await.status, StatusCode::OK);
}

/// SEC-28: a key that was taken back -> 401 `invalid_client` after five minutes
/// SEC-28: keys that cannot be read, or are none -> 503
#[tokio::test]
async fn a_key_that_was_taken_back_is_gone_in_five_minutes() {
    let harness = harness(&json!({ "jwks_uri": KEYS })).await;
    let (signer, other) = (Signer::new(), Signer::new());
    harness.published.lifetime(Duration::from_hours(24));
    harness.published.set(KEYS, &signer.jwks());
    assert_eq!(present(&harness, &signer.assertion(&harness, ID, &json!({}))).await.status, StatusCode::OK);
    harness.published.set(KEYS, &other.jwks());
    harness.advance(5 * MINUTE);
    let answer = present(&harness, &signer.assertion(&harness, ID, &json!({}))).await;
    assert_eq!((answer.status, answer.error().as_str()), (StatusCode::UNAUTHORIZED, "invalid_client"));
    assert_eq!(present(&harness, &other.assertion(&harness, ID, &json!({}))).await.status, StatusCode::OK);
    harness.advance(5 * MINUTE);
    for broken in [Err(FetchError::Unreachable), Ok(b"{}".to_vec()), Ok(vec![b' '; 64 * 1024 + 1])] {
        harness.published.answer(KEYS, broken);
        let answer = present(&harness, &other.assertion(&harness, ID, &json!({}))).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.body);
    }
}

fn claims(harness: &Harness) -> Value {
    let now = harness.now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let id = format!("{now} {}", harness.published.fetched().len());
    json!({ "iss": ID, "sub": ID, "aud": crate::support::ORIGIN, "exp": now + 60, "iat": now, "jti": id })
}
