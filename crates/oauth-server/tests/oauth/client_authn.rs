//! Clients that sign assertions, and secrets that are replaced.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::{
    encoding::AsBigEndian as _,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use http::StatusCode;
use oauth_server::{
    Digest,
    store::{Client, ClientAuthentication, ClientKeys, MemoryStore, PreviousSecret, SecretMethod},
};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::support::{Answer, Harness, ORIGIN, REDIRECT, basic, form_request, redeem_params, with};

pub(crate) const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client's key pair.
pub(crate) struct Signer(EcdsaKeyPair);

impl Signer {
    pub(crate) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub(crate) fn jwks(&self) -> Value {
        let (x, y) = self.0.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
        json!({ "keys": [{ "kty": "EC", "crv": "P-256", "kid": "1", "x": x, "y": y }] })
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let [header, claims] = [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// An assertion that passes, with these claims instead.
    pub(crate) fn assertion(&self, harness: &Harness, client: &str, changes: &Value) -> String {
        static IDS: AtomicU64 = AtomicU64::new(0);
        let id = IDS.fetch_add(1, Ordering::Relaxed).to_string();
        let now = harness.now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let mut claims =
            json!({ "iss": client, "sub": client, "aud": ORIGIN, "exp": now + 60, "iat": now, "jti": id });
        for (name, value) in changes.as_object().unwrap() {
            claims[name.as_str()] = value.clone();
        }
        self.sign(&json!({ "alg": "ES256", "kid": "1" }), &claims)
    }
}

async fn register(harness: &Harness, signer: &Signer) -> String {
    let body = json!({
        "redirect_uris": [REDIRECT],
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
        "jwks": signer.jwks(),
    });
    let answer = harness.post_json("/register", &body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    let answer = answer.json();
    assert_eq!(answer["token_endpoint_auth_method"], "private_key_jwt");
    assert_eq!(answer["token_endpoint_auth_signing_alg"], "ES256");
    assert_eq!(answer["jwks"], signer.jwks());
    assert!(answer.get("client_secret").is_none());
    answer["client_id"].as_str().unwrap().to_owned()
}

/// Revokes a token that does not exist: 200 shows that the client was accepted, and costs no code.
async fn revoke(harness: &Harness, form: &[(&str, &str)]) -> Answer {
    harness.post_form("/revoke", &[&[("token", "none")], form].concat()).await
}

async fn present(harness: &Harness, assertion: &str) -> Answer {
    revoke(harness, &[("client_assertion_type", JWT_BEARER), ("client_assertion", assertion)]).await
}

#[tokio::test]
async fn a_client_signs_its_way_to_a_token() {
    let harness = Harness::new().await;
    let signer = Signer::new();
    let client = register(&harness, &signer).await;
    for named in [Some(client.as_str()), None] {
        let code = harness.code(&client).await;
        let assertion = signer.assertion(&harness, &client, &json!({}));
        let form = [
            with(redeem_params(&client, &code), "client_id", named),
            vec![("client_assertion_type", JWT_BEARER), ("client_assertion", &assertion)],
        ]
        .concat();
        let answer = harness.post_form("/token", &form).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert!(answer.json()["refresh_token"].is_string());
    }
}

/// SEC-17: an assertion with a list as `aud`, for another server, expired, valid too long, without `jti` or of a stranger -> 401 `invalid_client`, the same answer each time
#[tokio::test]
async fn an_assertion_that_is_wrong_in_one_thing_is_refused_alike() {
    let harness = Harness::new().await;
    let (signer, stranger) = (Signer::new(), Signer::new());
    let client = register(&harness, &signer).await;
    let now = harness.now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let mut assertions = vec![
        stranger.assertion(&harness, &client, &json!({})),
        signer.assertion(&harness, "nobody", &json!({})),
        signer.sign(&json!({ "alg": "none" }), &json!({ "iss": client, "sub": client })),
        "a.b.c".to_owned(),
    ];
    let changes = [
        json!({ "aud": [ORIGIN] }),
        json!({ "aud": format!("{ORIGIN}/token") }),
        json!({ "aud": "https://other.example" }),
        json!({ "iss": "other" }),
        json!({ "exp": now }),
        json!({ "exp": now + 301 }),
        json!({ "jti": null }),
        json!({ "nbf": now + 60 }),
    ];
    assertions.extend(changes.iter().map(|changes| signer.assertion(&harness, &client, changes)));
    let mut answers = Vec::new();
    for assertion in &assertions {
        let answer = present(&harness, assertion).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{assertion}");
        assert_eq!(answer.error(), "invalid_client");
        answers.push(answer.body);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "nothing tells the cases apart: {answers:?}");
    let good = signer.assertion(&harness, &client, &json!({}));
    assert_eq!(present(&harness, &good).await.status, StatusCode::OK);
}

/// SEC-17: an assertion a second time, also at another replica, or fifty times at once -> 200 once, then 401 `invalid_client`
#[tokio::test]
async fn an_assertion_counts_once_among_all_replicas() {
    let store = Arc::new(MemoryStore::default());
    let harness = Harness::on(store.clone()).await;
    let replica = Harness::on(store).await;
    let signer = Signer::new();
    let client = register(&harness, &signer).await;
    let assertion = signer.assertion(&harness, &client, &json!({}));
    assert_eq!(present(&harness, &assertion).await.status, StatusCode::OK);
    assert_eq!(present(&harness, &assertion).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(present(&replica, &assertion).await.status, StatusCode::UNAUTHORIZED);

    let assertion = signer.assertion(&harness, &client, &json!({}));
    let attempts = (0..50).map(|_| present(&harness, &assertion));
    let answers = futures_util::future::join_all(attempts).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == StatusCode::OK).count(), 1);

    // Another client may use the same identifier.
    let other = register(&harness, &signer).await;
    for client in [&client, &other] {
        let same = signer.assertion(&harness, client, &json!({ "jti": "same" }));
        assert_eq!(present(&harness, &same).await.status, StatusCode::OK);
    }
}

/// SEC-17: a client that registered keys comes with a secret or nothing, a secret one with an assertion -> 401 `invalid_client`
/// SEC-17: an assertion beside a secret, of another kind or for another `client_id` -> 400 `invalid_request` or 401 `invalid_client`
#[tokio::test]
async fn a_client_authenticates_by_its_registered_method_only() {
    let harness = Harness::new().await;
    let signer = Signer::new();
    let signing = register(&harness, &signer).await;
    let body = json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "client_secret_post" });
    let secret = harness.post_json("/register", &body).await.json();
    let (secret, key) = (secret["client_id"].as_str().unwrap(), secret["client_secret"].as_str().unwrap());
    let public = harness.client().await;
    let assertion = |client: &str| signer.assertion(&harness, client, &json!({}));
    let typed = ("client_assertion_type", JWT_BEARER);
    let saml = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer");
    let (signing, public) = (signing.as_str(), public.as_str());
    let cases = [
        (vec![("client_id", signing)], None, 401),
        (vec![("client_id", signing), ("client_secret", key)], None, 401),
        (vec![("client_id", secret), typed], Some(secret), 401),
        (vec![("client_id", public), typed], Some(public), 401),
        (vec![("client_id", signing)], Some(signing), 401),
        (vec![("client_id", signing), saml], Some(signing), 401),
        (vec![("client_id", public), typed], Some(signing), 401),
        (vec![("client_id", signing), ("client_secret", key), typed], Some(signing), 400),
        (vec![("client_id", signing), typed], Some(signing), 200),
    ];
    for (mut form, signed_as, status) in cases {
        let presented = signed_as.map(assertion);
        form.extend(presented.as_deref().map(|presented| ("client_assertion", presented)));
        assert_eq!(revoke(&harness, &form).await.status.as_u16(), status, "{form:?}");
    }
    let form = [("token", "none"), typed, ("client_assertion", &assertion(signing)), ("client_id", signing)];
    let mut request = form_request("/revoke", &form);
    request.headers_mut().insert("authorization", basic(secret, key).parse().unwrap());
    assert_eq!(harness.send(request).await.error(), "invalid_request");
}

/// SEC-17: keys that are private, symmetric, none, too weak or missing, or an algorithm that is not offered -> 400 `invalid_client_metadata`
#[tokio::test]
async fn keys_that_cannot_be_meant_are_not_registered() {
    let harness = Harness::new().await;
    let signer = Signer::new();
    let mut private = signer.jwks();
    let scalar = signer.0.private_key().as_be_bytes().unwrap();
    private["keys"][0]["d"] = json!(BASE64_URL_SAFE_NO_PAD.encode(scalar.as_ref()));
    let cases = [
        json!({ "jwks": private }),
        json!({ "jwks": { "keys": [{ "kty": "oct", "k": "c2VjcmV0" }] } }),
        json!({ "jwks": { "keys": [] } }),
        json!({ "jwks": {} }),
        json!({ "jwks": "https://claude.ai/jwks" }),
        json!({ "jwks": null }),
        json!({}),
        json!({ "jwks": signer.jwks(), "token_endpoint_auth_signing_alg": "HS256" }),
        json!({ "jwks": signer.jwks(), "token_endpoint_auth_signing_alg": "none" }),
    ];
    for mut body in cases {
        body["redirect_uris"] = json!([REDIRECT]);
        body["token_endpoint_auth_method"] = json!("private_key_jwt");
        let answer = harness.post_json("/register", &body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer.error(), "invalid_client_metadata", "{body}");
        assert!(!answer.body.contains("c2VjcmV0"));
    }
}

/// SEC-17: keys that cannot be read now -> 503 with Retry-After, not `invalid_client`, on which clients would register again
#[tokio::test]
async fn keys_that_cannot_be_read_are_an_outage() {
    let harness = Harness::new().await;
    let signer = Signer::new();
    let client = register(&harness, &signer).await;
    let found = harness.store.client(&client).await.unwrap().unwrap();
    let keys = ClientKeys::Uri("https://client.example/jwks.json".into());
    let remote =
        Client { id: "remote".into(), authentication: ClientAuthentication::PrivateKeyJwt(keys), ..found };
    harness.store.insert_client(&remote, 9, harness.now(), &|| Ok(())).await.unwrap();
    let assertion = signer.assertion(&harness, "remote", &json!({}));
    let answer = present(&harness, &assertion).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("retry-after"), Some("5"));
    // What is wrong without looking at keys makes nobody read them.
    let late = signer.assertion(&harness, "remote", &json!({ "exp": 1 }));
    assert_eq!(present(&harness, &late).await.status, StatusCode::UNAUTHORIZED);
}

/// SEC-17: the secret before the present one, after its time -> 401 `invalid_client`
#[tokio::test]
async fn a_replaced_secret_counts_until_its_end() {
    let harness = Harness::new().await;
    let client = harness.store.client(&harness.client().await).await.unwrap().unwrap();
    let digest = |text: &str| Digest::of(&SecretString::from(text));
    let previous = PreviousSecret { digest: digest("old"), ends_at: harness.now() + Duration::from_mins(1) };
    let rotated = Client {
        id: "rotated".into(),
        authentication: ClientAuthentication::Secret {
            method: SecretMethod::Post,
            digest: digest("new"),
            previous: Some(previous),
        },
        ..client
    };
    harness.store.insert_client(&rotated, 9, harness.now(), &|| Ok(())).await.unwrap();
    let present =
        async |secret| revoke(&harness, &[("client_id", "rotated"), ("client_secret", secret)]).await.status;
    assert_eq!(present("old").await, StatusCode::OK);
    assert_eq!(present("new").await, StatusCode::OK);
    assert_eq!(present("other").await, StatusCode::UNAUTHORIZED);
    harness.advance(Duration::from_mins(1));
    assert_eq!(present("old").await, StatusCode::UNAUTHORIZED);
    assert_eq!(present("new").await, StatusCode::OK);
}
