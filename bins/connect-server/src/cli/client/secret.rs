//! `connect-server client secret`

use std::time::Duration;

use clap::Args;
use oauth_server::{
    Digest, SystemRandomness, random_secret,
    store::{Client, ClientAuthentication, ClientStore as _, PreviousSecret},
};
use secrecy::ExposeSecret;
use settings::Span;

use super::{Registry, changed_meanwhile, table};
use crate::cli::{CliError, print};

#[derive(Debug, Args)]
pub(in crate::cli) struct Replace {
    /// The `client_id`.
    id: String,
    /// How long the old secret goes on counting, such as `24h`; `0s` ends it at once.
    #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = read_span)]
    overlap: Duration,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn read_span(text: &str) -> Result<Duration, String> {
    let span: Result<Span, _> = text.parse();
    span.map(|span| span.0).map_err(|_| "expected a span of time such as 30m, 24h or 7d".to_owned())
}

pub(super) async fn run(registry: &Registry, command: Replace) -> Result<(), CliError> {
    let before = registry.stored(&command.id).await?;
    let ClientAuthentication::Secret { method, digest: old, .. } = before.authentication else {
        return Err(CliError::Input(format!("client {:?} has no secret", command.id)));
    };
    let secret = random_secret(&SystemRandomness).map_err(CliError::Randomness)?;
    let ends_at = registry.now.checked_add(command.overlap).unwrap_or(registry.now);
    let authentication = ClientAuthentication::Secret {
        method,
        digest: Digest::of(&secret),
        previous: Some(PreviousSecret { digest: old, ends_at }),
    };
    let after = Client { authentication, ..before.clone() };
    let confirm = || registry.record("client_secret", &command.id);
    if !registry.store.replace_client(&before, &after, &confirm).await? {
        return Err(changed_meanwhile(&command.id));
    }
    print(&table::added(&after, Some(secret.expose_secret()), command.json)?)
}
