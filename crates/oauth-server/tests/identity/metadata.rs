//! The provider's metadata and keys: fetched, shared, replaced.

use oauth_server::identity::OidcUpstream;
use serde_json::json;

use super::keys::Key;
use super::provider::{CALLBACK, DISCOVERY, NONCE, Provider, challenge, client, complete, config};

#[tokio::test]
async fn rotated_keys_are_fetched_once_and_a_storm_is_bounded() {
    let provider = Provider::start().await;
    let upstream = provider.upstream();
    complete(&upstream).await.unwrap();
    assert_eq!(provider.hits("/jwks"), 1);
    provider.set(|provider| provider.keys = vec![Key::generate("k2", "ES256")]);
    complete(&upstream).await.unwrap();
    complete(&upstream).await.unwrap();
    assert_eq!(provider.hits("/jwks"), 2, "one fetch for the new key");
    provider.set(|provider| {
        provider.make_token = Box::new(|_, claims| {
            let key = Key::generate("never-published", "ES256");
            key.sign(&key.header(), &claims)
        });
    });
    for _ in 0..5 {
        assert_eq!(complete(&upstream).await.unwrap_err().reason(), "id_token_signature");
    }
    assert_eq!(provider.hits("/jwks"), 2, "no fetch within half a minute of the last forced one");
}

#[tokio::test]
async fn a_key_withdrawn_by_the_provider_verifies_nothing_after_a_forced_fetch() {
    let provider = Provider::start().await;
    let upstream = provider.upstream();
    let stolen = Key::generate("stolen", "ES256");
    let published = stolen.jwk();
    provider.set(|provider| provider.keys = vec![stolen]);
    complete(&upstream).await.unwrap();
    provider.set(|provider| {
        let stolen = provider.keys.remove(0);
        assert_eq!(stolen.jwk(), published);
        provider.keys = vec![Key::generate("k2", "ES256")];
        provider.make_token = Box::new(move |key, claims| {
            let signer = if claims["sub"] == "alice" { key } else { &stolen };
            signer.sign(&signer.header(), &claims)
        });
    });
    complete(&upstream).await.unwrap();
    provider.set(|provider| provider.claims = json!({"sub": "mallory"}));
    assert_eq!(complete(&upstream).await.unwrap_err().reason(), "id_token_signature");
}

#[tokio::test]
async fn discovery_is_shared_by_those_who_wait_for_it() {
    let provider = Provider::start().await;
    let upstream = std::sync::Arc::new(provider.upstream());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let upstream = std::sync::Arc::clone(&upstream);
        tasks.spawn(async move { upstream.begin(CALLBACK, "s", NONCE, &challenge(), None).await.is_ok() });
    }
    assert!(tasks.join_all().await.into_iter().all(|begun| begun));
    assert_eq!((provider.hits(DISCOVERY), provider.hits("/jwks")), (1, 1));
}

#[tokio::test]
async fn metadata_of_another_issuer_or_with_foreign_endpoints_is_refused() {
    let provider = Provider::start().await;
    let trailing = format!("{}/", provider.issuer);
    for (metadata, reason) in [
        (json!({"issuer": "https://evil.example"}), "upstream_metadata"),
        (json!({ "issuer": trailing }), "upstream_metadata"),
        (json!({"issuer": null}), "upstream_metadata"),
        (json!({"token_endpoint": null}), "upstream_endpoint"),
        (json!({"token_endpoint": "http://evil.example/token"}), "upstream_endpoint"),
        (json!({"token_endpoint": "ftp://127.0.0.1/token"}), "upstream_endpoint"),
        (json!({"authorization_endpoint": "http://evil.example/authorize"}), "upstream_endpoint"),
        (json!({"authorization_endpoint": "javascript:alert(1)"}), "upstream_endpoint"),
    ] {
        provider.set(|provider| provider.metadata = metadata.clone());
        let error = provider.upstream().begin(CALLBACK, "s", NONCE, &challenge(), None).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{metadata}: {error}");
        assert!(!error.is_transient(), "{metadata}");
    }
    let upstream = OidcUpstream::new(config(&trailing), client()).unwrap();
    assert_eq!(complete(&upstream).await.unwrap_err().reason(), "upstream_metadata");
}
