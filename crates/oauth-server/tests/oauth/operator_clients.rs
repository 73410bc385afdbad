//! Clients that the operator configured.

use std::sync::Arc;

use http::StatusCode;
use oauth_server::{
    Digest, OAuthConfig, OperatorClient,
    store::{Client, ClientAuthentication, ClientSettings, GrantType, MemoryStore, SecretMethod},
};
use secrecy::SecretString;

use crate::support::{
    Browser, HOSTS, Harness, REDIRECT, authorize_params, authorize_url, config, redeem_params, redirects,
    static_users,
};

const SECRET: &str = "a secret of the configuration that nobody guesses";

fn operator(id: &str, grant_types: &[GrantType]) -> Client {
    let client = OperatorClient {
        id: id.into(),
        name: Some("Ours".into()),
        authentication: ClientAuthentication::Secret {
            method: SecretMethod::Basic,
            digest: Digest::of(&SecretString::from(SECRET)),
            previous: None,
        },
        redirect_uris: vec![REDIRECT.into()],
        grant_types: [&[GrantType::AuthorizationCode], grant_types].concat().into_iter().collect(),
        settings: ClientSettings::default(),
    };
    client.check(&redirects(HOSTS), std::time::UNIX_EPOCH).unwrap()
}

async fn harness(clients: Vec<Client>) -> Harness {
    let config = OAuthConfig { clients, ..config() };
    Harness::with(config, Arc::new(MemoryStore::default()), vec![static_users()]).await
}

#[tokio::test]
async fn a_client_of_the_configuration_works_and_is_not_in_the_store() {
    let harness = harness(vec![operator("ours", &[GrantType::RefreshToken])]).await;
    let code = harness.code("ours").await;
    let form = [redeem_params("ours", &code), vec![("client_secret", SECRET)]].concat();
    let answer = harness.post_form("/token", &form).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert!(answer.json()["refresh_token"].is_string());
    assert_eq!(harness.store.client("ours").await.unwrap(), None);
    // A code that was stolen needs the secret.
    let code = harness.code("ours").await;
    let answer = harness.post_form("/token", &redeem_params("ours", &code)).await;
    assert_eq!(answer.error(), "invalid_client");
}

/// SEC-39: a row of the store with the id of a configured client -> the configured one counts
#[tokio::test]
async fn what_is_configured_comes_first() {
    let harness = harness(vec![operator("ours", &[])]).await;
    let impostor = Client { authentication: ClientAuthentication::None, ..operator("ours", &[]) };
    harness.store.insert_client(&impostor, 9, harness.now(), &|| Ok(())).await.unwrap();
    let answer = harness.post_form("/revoke", &[("client_id", "ours"), ("token", "x")]).await;
    assert_eq!(answer.error(), "invalid_client");
}

/// SEC-39: two configured clients with one id -> the server does not start
#[tokio::test]
async fn a_client_is_configured_once() {
    let config = OAuthConfig { clients: vec![operator("ours", &[]), operator("ours", &[])], ..config() };
    let problems = config.validate().unwrap_err().to_string();
    assert!(problems.contains("client \"ours\" is configured twice"), "{problems}");
}

/// SEC-2: a client that may not use codes, at /authorize -> `unauthorized_client`, nobody is asked anything
#[tokio::test]
async fn a_client_without_the_grant_type_gets_no_code() {
    let device_only = Client { grant_types: [GrantType::DeviceCode].into(), ..operator("ours", &[]) };
    let harness = harness(vec![device_only]).await;
    let mut browser = Browser::default();
    let answer = browser.get(&harness, &authorize_url(&authorize_params("ours"))).await;
    assert_eq!(answer.location_param("error").as_deref(), Some("unauthorized_client"));
}
