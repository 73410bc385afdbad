//! What the server refuses to start with.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use audit::{AuditLog, MemorySink};
use oauth_server::{
    OAuthConfig, OAuthServer, Parts, StartError, SystemRandomness, identity::IdentitySource, seal::Sealing,
    store::MemoryStore,
};

use crate::published::Published;
use crate::support::{HOSTS, config, redirects, resource, static_users};

async fn start(
    config: OAuthConfig,
    identity_sources: Vec<IdentitySource>,
) -> Result<OAuthServer, StartError> {
    let parts = Parts {
        store: Arc::new(MemoryStore::default()),
        identity_sources,
        redirects: redirects(HOSTS),
        audit: AuditLog::start(MemorySink::default(), || UNIX_EPOCH).unwrap(),
        clock: Arc::new(|| -> SystemTime { UNIX_EPOCH }),
        randomness: Arc::new(SystemRandomness),
        sealing: Sealing::unsealed(),
        fetch: Arc::new(Published::default()),
        account_facts: None,
    };
    OAuthServer::new(config, parts).await
}

/// SEC-23: people with passwords on a public origin -> the server does not start
#[tokio::test]
async fn static_users_need_a_loopback_public_url() {
    for (url, starts) in [
        ("http://localhost:8080", true),
        ("http://127.0.0.1:8080", true),
        ("http://[::1]:8080", true),
        ("https://localhost:8443", true),
        ("https://connect.example.com", false),
        ("https://localhost.example.com", false),
    ] {
        let config = OAuthConfig::new(url, vec![resource("/mcp/platform")]);
        match start(config, vec![static_users()]).await {
            Ok(_) => assert!(starts, "{url}"),
            Err(StartError::StaticUsersBeyondLoopback { public_url }) => {
                assert!(!starts && public_url == url, "{url}");
            }
            Err(error) => panic!("{url}: {error}"),
        }
    }
}

#[tokio::test]
async fn somebody_must_be_able_to_sign_in_and_in_one_place_only() {
    assert!(matches!(start(config(), vec![]).await, Err(StartError::NoIdentitySource)));
    let twice = start(config(), vec![static_users(), static_users()]).await;
    assert!(matches!(twice, Err(StartError::DuplicateIdentitySource { id }) if id == "local"));
}

#[tokio::test]
async fn bad_settings_are_all_reported() {
    let broken = OAuthConfig::new("https://c.example/path", vec![]);
    let error = start(broken, vec![static_users()]).await.unwrap_err();
    assert!(error.to_string().contains("public_url"), "{error}");
    assert!(error.to_string().contains("no resource"), "{error}");
}
