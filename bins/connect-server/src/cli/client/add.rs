//! `connect-server client add`

use std::{fs, path::PathBuf, time::Duration};

use clap::Args;
use connect_hosts::RedirectPolicy;
use oauth_server::{
    Digest, ReplayWindow, SystemRandomness, random_identifier, random_secret,
    store::{ClientAuthentication, ClientStore as _},
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::{Registry, table};
use crate::{
    cli::{CliError, print},
    config::{ClientDescription, ClientMethod, GrantTypeName},
};

#[derive(Debug, Args)]
pub(in crate::cli) struct Add {
    /// The `client_id`; a random one when absent.
    #[arg(long)]
    id: Option<String>,
    /// What people read on the consent page.
    #[arg(long)]
    name: Option<String>,
    /// How it authenticates: `none`, `client_secret_basic`, `client_secret_post` or `private_key_jwt`.
    #[arg(long, value_name = "METHOD", default_value = "client_secret_basic")]
    authentication: ClientMethod,
    /// A file with its public keys (a JSON Web Key Set), for `private_key_jwt`.
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// Where its public keys are, for `private_key_jwt`.
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,
    /// The one algorithm of its assertions.
    #[arg(long, value_name = "ALGORITHM")]
    signing_alg: Option<String>,
    /// Where it receives codes; may be repeated.
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// What it may do at the token endpoint, such as `client_credentials`; may be repeated.
    #[arg(long = "grant-type", value_name = "TYPE", default_values = ["authorization_code", "refresh_token"])]
    grant_types: Vec<GrantTypeName>,
    /// Its tenant, when it acts for itself.
    #[arg(long)]
    tenant: Option<String>,
    /// A claim for rules and tags, when it acts for itself; the value is JSON, or else text. May be repeated.
    #[arg(long = "hint", value_name = "NAME=VALUE")]
    hints: Vec<String>,
    /// A service that it may call for itself; may be repeated.
    #[arg(long = "service", value_name = "NAME")]
    services: Vec<String>,
    /// A service that it is: it may look into the tokens for it and exchange them. May be repeated.
    #[arg(long = "serves", value_name = "NAME")]
    serves: Vec<String>,
    /// A scope that it may have for itself; may be repeated.
    #[arg(long = "scope")]
    scopes: Vec<String>,
    /// How many seconds a used refresh token may be sent again.
    #[arg(long, value_name = "SECONDS")]
    refresh_replay: Option<u64>,
    /// It must push its authorization requests.
    #[arg(long)]
    require_pushed_authorization_requests: bool,
    /// Its tokens must be bound to a key.
    #[arg(long)]
    dpop_bound_access_tokens: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(registry: &Registry, command: Add) -> Result<(), CliError> {
    let json = command.json;
    let description = describe(command)?;
    let input = |text: String| CliError::Input(text);
    let (authentication, secret) = authentication(&description)?;
    let config = &registry.config;
    let client = description
        .operator_client(authentication, config.public_url.as_str(), &config.services)
        .map_err(|problem| input(problem.to_string()))?;
    let redirects = RedirectPolicy::new(config.allowed_hosts.clone());
    let client = client.check(&redirects, registry.now).map_err(|problem| input(problem.to_string()))?;
    if registry.configured(&client.id) || registry.store.client(&client.id).await?.is_some() {
        return Err(input(format!("there is a client {:?} already", client.id)));
    }
    let confirm = || registry.record("client_add", &client.id);
    registry.store.insert_client(&client, u64::MAX, registry.now, &confirm).await?;
    print(&table::added(&client, secret.as_ref().map(ExposeSecret::expose_secret), json)?)
}

fn authentication(
    description: &ClientDescription,
) -> Result<(ClientAuthentication, Option<SecretString>), CliError> {
    let keys = description.keys().map_err(|problem| CliError::Input(problem.to_string()))?;
    Ok(match (description.method, keys) {
        (ClientMethod::PrivateKeyJwt, Some(keys)) => (ClientAuthentication::PrivateKeyJwt(keys), None),
        (ClientMethod::Secret(method), _) => {
            let secret = random_secret(&SystemRandomness).map_err(CliError::Randomness)?;
            let digest = Digest::of(&secret);
            (ClientAuthentication::Secret { method, digest, previous: None }, Some(secret))
        }
        (ClientMethod::None | ClientMethod::PrivateKeyJwt, _) => (ClientAuthentication::None, None),
    })
}

fn describe(command: Add) -> Result<ClientDescription, CliError> {
    let id = match command.id {
        Some(id) => id,
        None => random_identifier(&SystemRandomness).map_err(CliError::Randomness)?,
    };
    let replay = command.refresh_replay.map(|seconds| ReplayWindow::new(Duration::from_secs(seconds)));
    Ok(ClientDescription {
        id,
        name: command.name,
        method: command.authentication,
        jwks: command.jwks.map_or_else(|| Ok(Map::new()), |file| read_jwks(&file))?,
        jwks_uri: command.jwks_uri,
        signing_alg: command.signing_alg,
        redirect_uris: command.redirect_uris,
        grant_types: command.grant_types,
        tenant: command.tenant,
        hints: command.hints.iter().map(|hint| read_hint(hint)).collect::<Result<_, _>>()?,
        services: command.services,
        serves: command.serves,
        scopes: command.scopes,
        refresh_replay: replay.transpose().map_err(|error| CliError::Input(error.to_string()))?,
        require_pushed_authorization_requests: command.require_pushed_authorization_requests,
        dpop_bound_access_tokens: command.dpop_bound_access_tokens,
    })
}

fn read_jwks(file: &std::path::Path) -> Result<Map<String, Value>, CliError> {
    let wrong = |why: String| CliError::Input(format!("{}: {why}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    // What is in the file may be a private key: the reader's words about it are not repeated.
    serde_json::from_str(&text).map_err(|_| wrong("not a JSON object".to_owned()))
}

fn read_hint(hint: &str) -> Result<(String, Value), CliError> {
    let Some((name, text)) = hint.split_once('=').filter(|(name, _)| !name.is_empty()) else {
        return Err(CliError::Input(format!("{hint:?} is not of the form name=value")));
    };
    Ok((name.to_owned(), serde_json::from_str(text).unwrap_or_else(|_| json!(text))))
}
