//! `connect-server client token`: initial access tokens.

use std::time::{Duration, UNIX_EPOCH};

use clap::Subcommand;
use oauth_server::{
    Digest, SystemRandomness, random_identifier, random_secret,
    store::{RegistrationToken, RegistrationTokenStore as _},
};
use secrecy::ExposeSecret;
use serde::Serialize;

use super::{Registry, secret::read_span, table::written};
use crate::cli::{CliError, print};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum TokenCommand {
    /// Make a token, printed once.
    Add {
        /// What you call it.
        #[arg(long)]
        label: Option<String>,
        /// How many clients may register with it.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        uses: u32,
        /// How long it may be used, such as `7d`.
        #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = read_span)]
        lifetime: Duration,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the tokens that can still be used.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make a token worthless.
    Revoke {
        /// Its identifier, as `list` prints it.
        id: String,
    },
}

pub(super) async fn run(registry: &Registry, command: TokenCommand) -> Result<(), CliError> {
    match command {
        TokenCommand::Add { label, uses, lifetime, json } => add(registry, label, uses, lifetime, json).await,
        TokenCommand::List { json } => list(registry, json).await,
        TokenCommand::Revoke { id } => {
            let confirm = || registry.record("registration_token_revoke", &id);
            if registry.store.remove_registration_token(&id, &confirm).await? {
                return print(&format!("revoked {id}\n"));
            }
            Err(CliError::Input(format!("there is no token {id:?}")))
        }
    }
}

async fn add(
    registry: &Registry,
    label: Option<String>,
    uses: u32,
    lifetime: Duration,
    json: bool,
) -> Result<(), CliError> {
    let plain = random_secret(&SystemRandomness).map_err(CliError::Randomness)?;
    let token = RegistrationToken {
        id: random_identifier(&SystemRandomness).map_err(CliError::Randomness)?,
        digest: Digest::of(&plain),
        label,
        uses_left: uses,
        created_at: registry.now,
        expires_at: registry.now.checked_add(lifetime).unwrap_or(registry.now),
    };
    let confirm = || registry.record("registration_token_add", &token.id);
    registry.store.insert_registration_token(&token, &confirm).await?;
    if json {
        return print(&written(&Shown { token: Some(plain.expose_secret()), ..Shown::of(&token) })?);
    }
    print(&format!("id\t{}\ntoken\t{}\n", token.id, plain.expose_secret()))
}

async fn list(registry: &Registry, json: bool) -> Result<(), CliError> {
    let tokens = registry.store.registration_tokens().await?;
    let usable = |token: &&RegistrationToken| token.uses_left > 0 && token.expires_at > registry.now;
    let shown: Vec<Shown<'_>> = tokens.iter().filter(usable).map(Shown::of).collect();
    if json {
        return print(&written(&shown)?);
    }
    let line = |token: &Shown<'_>| {
        let label = token.label.unwrap_or_default();
        format!("{}\t{}\t{}\t{label}\n", token.id, token.uses_left, token.expires_at)
    };
    print(&shown.iter().map(line).collect::<Vec<_>>().concat())
}

/// A token as operators see it.
#[derive(Serialize)]
struct Shown<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    uses_left: u32,
    expires_at: u64,
    /// Only when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

impl<'a> Shown<'a> {
    fn of(token: &'a RegistrationToken) -> Self {
        Self {
            id: &token.id,
            label: token.label.as_deref(),
            uses_left: token.uses_left,
            expires_at: token.expires_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            token: None,
        }
    }
}
