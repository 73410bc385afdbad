//! The clients of the configuration.

use std::time::SystemTime;

use connect_hosts::RedirectPolicy;
use oauth_server::{
    Digest,
    store::{Client, ClientAuthentication},
};
use secrecy::{ExposeSecret, SecretString};

use super::StartError;
use crate::{
    config::{self, ClientMethod, Config},
    secrets,
};

/// The shortest secret: what is kept of it is a plain digest, so it must be one that nobody can guess.
const SHORTEST_SECRET: usize = 32;

/// Every client of the configuration, checked, with its secret looked up.
pub(super) async fn configured(config: &Config, now: SystemTime) -> Result<Vec<Client>, StartError> {
    let mut clients = Vec::new();
    for client in &config.operator_clients {
        clients.push(one(config, client, now).await?);
    }
    Ok(clients)
}

async fn one(config: &Config, client: &config::Client, now: SystemTime) -> Result<Client, StartError> {
    let description = &client.description;
    let wrong = |why: String| StartError::Client { id: description.id.clone(), why };
    let keys = description.keys().map_err(|problem| wrong(problem.to_string()))?;
    let authentication = match (description.method, &client.secret, keys) {
        (ClientMethod::None, ..) => ClientAuthentication::None,
        (ClientMethod::Secret(method), Some(secret), _) => {
            let digest = digest(&secrets::resolve(secret).await?).map_err(wrong)?;
            ClientAuthentication::Secret { method, digest, previous: None }
        }
        (ClientMethod::PrivateKeyJwt, _, Some(keys)) => ClientAuthentication::PrivateKeyJwt(keys),
        (ClientMethod::Secret(_), None, _) => return Err(wrong("secret is missing".to_owned())),
        (ClientMethod::PrivateKeyJwt, _, None) => return Err(wrong("jwks is missing".to_owned())),
    };
    let public_url = config.public_url.as_str();
    let client = description
        .operator_client(authentication, public_url, &config.services)
        .map_err(|problem| wrong(problem.to_string()))?;
    let redirects = RedirectPolicy::new(config.allowed_hosts.clone());
    client.check(&redirects, now).map_err(|problem| wrong(problem.to_string()))
}

fn digest(secret: &SecretString) -> Result<Digest, String> {
    let found = secret.expose_secret().len();
    if found < SHORTEST_SECRET {
        return Err(format!(
            "the secret has {found} bytes, expected at least {SHORTEST_SECRET} random ones, as `openssl rand -hex 32` prints them"
        ));
    }
    Ok(Digest::of(secret))
}
