//! What the ID token must be, and what is kept of it.

use std::time::SystemTime;

use http::StatusCode;
use oauth_server::identity::{OidcUpstream, OidcUpstreamConfig, Step, UpstreamProblem};
use serde_json::{Value, json};

use super::keys::{self, Key};
use super::provider::{CLIENT_ID, CLIENT_SECRET, Fault, Provider, client, complete, now};

#[tokio::test]
async fn every_listed_algorithm_verifies() {
    for alg in ["ES256", "ES384", "EdDSA", "RS256", "PS256"] {
        let provider = Provider::start().await;
        provider.set(|provider| provider.keys = vec![Key::generate("k", alg)]);
        assert_eq!(complete(&provider.upstream()).await.unwrap().subject, "alice", "{alg}");
    }
}

/// SEC-14, SEC-24, SEC-27: an ID token with one wrong claim, nonce or algorithm -> the sign-in is refused
#[tokio::test]
async fn a_token_with_one_wrong_claim_is_refused() {
    let at = now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let provider = Provider::start().await;
    let trailing = format!("{}/", provider.issuer);
    let upstream = provider.upstream();
    for (claims, reason) in [
        (json!({"nonce": "another"}), "id_token_nonce"),
        (json!({"nonce": null}), "id_token_nonce"),
        (json!({"nonce": ""}), "id_token_nonce"),
        (json!({"iss": "https://evil.example"}), "id_token_issuer"),
        (json!({ "iss": trailing }), "id_token_issuer"),
        (json!({"iss": null}), "id_token_missing"),
        (json!({"aud": "another"}), "id_token_audience"),
        (json!({"aud": []}), "id_token_audience"),
        (json!({"aud": null}), "id_token_audience"),
        (json!({"aud": [CLIENT_ID, "another"]}), "id_token_audience"),
        (json!({"aud": [CLIENT_ID, "another"], "azp": "another"}), "id_token_audience"),
        (json!({"azp": "another"}), "id_token_audience"),
        (json!({"exp": at}), "id_token_time"),
        (json!({"exp": at - 1}), "id_token_time"),
        (json!({"exp": null}), "id_token_missing"),
        (json!({"iat": at + 61}), "id_token_time"),
        (json!({"iat": null}), "id_token_missing"),
        (json!({"sub": null}), "id_token_missing"),
        (json!({"sub": 7}), "id_token_missing"),
        (json!({"sub": ""}), "id_token_subject"),
        (json!({"sub": "a\u{0}b"}), "id_token_subject"),
        (json!({"sub": "a\nb"}), "id_token_subject"),
        (json!({"sub": "x".repeat(1025)}), "id_token_subject"),
    ] {
        provider.set(|provider| provider.claims = claims.clone());
        let error = complete(&upstream).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{claims}: {error}");
        assert!(!error.is_transient() && !error.is_refused(), "{claims}");
    }
    for claims in [
        json!({"aud": [CLIENT_ID]}),
        json!({"azp": CLIENT_ID}),
        json!({"aud": [CLIENT_ID, "another"], "azp": CLIENT_ID}),
        json!({"exp": at + 1}),
        json!({"iat": at + 60}),
        // As some large providers write them.
        json!({"updated_at": "2026-01-01T00:00:00.000Z", "email_verified": "true"}),
    ] {
        provider.set(|provider| provider.claims = claims.clone());
        assert!(complete(&upstream).await.is_ok(), "{claims}");
    }
}

/// SEC-24: an ID token whose header chooses how it is verified -> the sign-in is refused
#[tokio::test]
async fn a_token_that_is_not_signed_by_a_published_key_is_refused() {
    type MakeToken = fn(&Key, Value) -> String;
    let makers: [(&str, MakeToken); 8] = [
        ("none", |_, claims| keys::unsigned(&claims)),
        ("HS256 with the client secret", |key, claims| {
            keys::hs256(CLIENT_SECRET.as_bytes(), &key.kid, &claims)
        }),
        ("HS256 with the public key", |key, claims| {
            keys::hs256(key.jwk()["x"].as_str().unwrap().as_bytes(), &key.kid, &claims)
        }),
        ("another key under the same kid", |key, claims| {
            Key::generate(&key.kid, "ES256").sign(&key.header(), &claims)
        }),
        ("an unknown kid", |_, claims| {
            let key = Key::generate("unknown", "ES256");
            key.sign(&key.header(), &claims)
        }),
        ("another algorithm under the same kid", |key, claims| {
            let other = Key::generate(&key.kid, "EdDSA");
            other.sign(&other.header(), &claims)
        }),
        ("an embedded key", |_, claims| {
            let key = Key::generate("k1", "ES256");
            key.sign(&json!({"alg": "ES256", "jwk": key.jwk()}), &claims)
        }),
        ("changed claims", |key, claims| {
            let token = key.sign(&key.header(), &claims);
            let parts: Vec<_> = token.split('.').collect();
            let mut changed = claims.clone();
            changed["sub"] = json!("mallory");
            format!("{}.{}.{}", parts[0], keys::b64(changed.to_string()), parts[2])
        }),
    ];
    for (name, maker) in makers {
        let provider = Provider::start().await;
        provider.set(|provider| provider.make_token = Box::new(maker));
        let error = complete(&provider.upstream()).await.unwrap_err();
        assert_eq!(error.reason(), "id_token_signature", "{name}: {error}");
    }
}

#[tokio::test]
async fn a_token_that_is_none_is_refused() {
    for (name, header) in [
        ("critical extension", json!({"alg": "ES256", "kid": "k1", "crit": ["x"], "x": 1})),
        ("an access token", json!({"alg": "ES256", "kid": "k1", "typ": "at+jwt"})),
        ("a nested token", json!({"alg": "ES256", "kid": "k1", "cty": "JWT"})),
    ] {
        let provider = Provider::start().await;
        provider
            .set(|provider| provider.make_token = Box::new(move |key, claims| key.sign(&header, &claims)));
        let error = complete(&provider.upstream()).await.unwrap_err();
        assert_eq!(error.reason(), "id_token_missing", "{name}: {error}");
    }
    for token in ["", "a.b", "a.b.c", "ä.ö.ü", "null"] {
        let provider = Provider::start().await;
        provider.set(|provider| provider.make_token = Box::new(move |_, _| token.to_owned()));
        let error = complete(&provider.upstream()).await.unwrap_err();
        assert_eq!((error.reason(), error.step()), ("id_token_missing", Step::Token), "{token:?}");
    }
    let provider = Provider::start().await;
    let answer = json!({"access_token": "a", "token_type": "Bearer"});
    provider.set(|provider| drop(provider.faults.insert("/token", Fault::Body(StatusCode::OK, answer))));
    assert_eq!(complete(&provider.upstream()).await.unwrap_err().reason(), "id_token_missing");
}

#[tokio::test]
async fn hostile_subjects_pass_verbatim() {
    let provider = Provider::start().await;
    let upstream = provider.upstream();
    let long = "é".repeat(200);
    for subject in
        ["auth0|x/é", long.as_str(), "' OR 1=1 --", "<b>", "a b ", "aws:x", "=XX", "日本", "../..", "null"]
    {
        provider.set(|provider| provider.claims = json!({ "sub": subject }));
        assert_eq!(complete(&upstream).await.unwrap().subject, subject);
    }
}

#[tokio::test]
async fn names_and_addresses_are_only_what_can_be_shown() {
    let provider = Provider::start().await;
    let upstream = provider.upstream();
    for (claims, name, email) in [
        (json!({}), None, None),
        (json!({"preferred_username": "alice", "email": "a@b.example"}), Some("alice"), Some("a@b.example")),
        (json!({"name": "Alice", "preferred_username": "al"}), Some("Alice"), None),
        (json!({"name#de": "Alicia"}), Some("Alicia"), None),
        (json!({"email": "a@b.example", "email_verified": false}), None, None),
        (json!({"name": "\u{1b}[2J \n"}), Some("[2J"), None),
    ] {
        provider.set(|provider| provider.claims = claims.clone());
        let identity = complete(&upstream).await.unwrap();
        assert_eq!((identity.display_name.as_deref(), identity.email.as_deref()), (name, email), "{claims}");
    }
    provider.set(|provider| provider.claims = json!({"name": "x".repeat(5000)}));
    assert_eq!(complete(&upstream).await.unwrap().display_name.unwrap().len(), 200);
}

#[tokio::test]
async fn a_configured_tenant_must_be_there() {
    let provider = Provider::start().await;
    let config = OidcUpstreamConfig { tenant_claim: Some("/org/id".into()), ..provider.config() };
    let upstream = OidcUpstream::new(config, client()).unwrap();
    for org in [
        json!(null),
        json!("acme"),
        json!({}),
        json!({"id": ""}),
        json!({"id": 7}),
        json!({"id": ["acme"]}),
        json!({"id": "x".repeat(257)}),
        json!({"id": "a\nb"}),
    ] {
        provider.set(|provider| provider.claims = json!({ "org": org }));
        let error = complete(&upstream).await.unwrap_err();
        assert_eq!(*error.problem(), UpstreamProblem::Tenant { pointer: "/org/id".into() }, "{org}");
    }
}

#[tokio::test]
async fn a_hint_too_large_for_a_token_is_refused_by_name() {
    let provider = Provider::start().await;
    let config = OidcUpstreamConfig { hint_claims: vec!["groups".into()], ..provider.config() };
    let upstream = OidcUpstream::new(config, client()).unwrap();
    // Two bytes of quotes are part of the JSON.
    provider.set(|provider| provider.claims = json!({"groups": "x".repeat(2046)}));
    assert!(complete(&upstream).await.is_ok());
    provider.set(|provider| provider.claims = json!({"groups": "x".repeat(2047)}));
    let error = complete(&upstream).await.unwrap_err();
    assert!(error.to_string().contains("\"groups\"") && error.to_string().contains("2048"), "{error}");
}
