//! Clients as text and as JSON.

use std::time::{SystemTime, UNIX_EPOCH};

use oauth_server::store::{Client, ClientAuthentication, ClientKeys, ClientOrigin};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    cli::CliError,
    config::{ClientDescription, ClientMethod},
};

/// A client as operators see it: everything but secrets.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    origin: &'static str,
    authentication: &'static str,
    grant_types: Vec<&'static str>,
    redirect_uris: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registered_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_used_at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_secret_ends_at: Option<u64>,
    settings: Value,
}

impl Shown {
    pub(super) fn stored(client: &Client) -> Self {
        let (mut jwks, mut jwks_uri, mut old_secret_ends_at) = (None, None, None);
        match &client.authentication {
            ClientAuthentication::PrivateKeyJwt(ClientKeys::Inline(text)) => {
                jwks = serde_json::from_str(text).ok();
            }
            ClientAuthentication::PrivateKeyJwt(ClientKeys::Uri(uri)) => jwks_uri = Some(uri.clone()),
            ClientAuthentication::Secret { previous, .. } => {
                old_secret_ends_at = previous.as_ref().map(|previous| seconds(previous.ends_at));
            }
            _ => {}
        }
        Self {
            id: client.id.clone(),
            name: client.name.clone(),
            origin: match client.origin {
                ClientOrigin::Dynamic => "dynamic",
                ClientOrigin::Operator => "operator",
                _ => "document",
            },
            authentication: client.authentication.as_str(),
            grant_types: client.grant_types.iter().map(|kind| kind.as_str()).collect(),
            redirect_uris: client.redirect_uris.clone(),
            jwks,
            jwks_uri,
            registered_at: Some(seconds(client.registered_at)),
            first_used_at: client.first_used_at.map(seconds),
            old_secret_ends_at,
            settings: json!(client.settings),
        }
    }

    pub(super) fn configured(client: &ClientDescription) -> Self {
        Self {
            id: client.id.clone(),
            name: client.name.clone(),
            origin: "configuration",
            authentication: match client.method {
                ClientMethod::None => "none",
                ClientMethod::Secret(method) => method.as_str(),
                ClientMethod::PrivateKeyJwt => "private_key_jwt",
            },
            grant_types: client.grant_types.iter().map(|name| name.0.as_str()).collect(),
            redirect_uris: client.redirect_uris.clone(),
            jwks: Some(Value::Object(client.jwks.clone())).filter(|_| !client.jwks.is_empty()),
            jwks_uri: client.jwks_uri.clone(),
            registered_at: None,
            first_used_at: None,
            old_secret_ends_at: None,
            settings: json!({
                "tenant": client.tenant,
                "hints": client.hints,
                "services": client.services,
                "serves": client.serves,
                "scopes": client.scopes,
                "refresh_replay": client.refresh_replay,
                "require_pushed_authorization_requests": client.require_pushed_authorization_requests,
                "dpop_bound_access_tokens": client.dpop_bound_access_tokens,
            }),
        }
    }
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Every client, one a line.
pub(super) fn list(clients: &[Shown], json: bool) -> Result<String, CliError> {
    if json {
        return written(&clients);
    }
    let line = |client: &Shown| {
        // A name is a stranger's: what it holds must not move the cursor.
        let name: String = client.name.iter().flat_map(|name| name.escape_debug()).collect();
        format!("{}\t{}\t{}\t{name}\n", client.id, client.origin, client.authentication)
    };
    Ok(clients.iter().map(line).collect::<Vec<_>>().concat())
}

/// One client, readable.
pub(super) fn show(client: &Shown, json: bool) -> Result<String, CliError> {
    if json {
        return written(client);
    }
    let Value::Object(members) = json!(client) else { return written(client) };
    let lines: Vec<String> = members.iter().map(|(name, value)| format!("{name}\t{value}\n")).collect();
    Ok(lines.concat())
}

/// A client and its new secret, which is shown this once.
pub(super) fn added(client: &Client, secret: Option<&str>, json: bool) -> Result<String, CliError> {
    if json {
        let mut shown = json!(Shown::stored(client));
        if let (Some(secret), Some(members)) = (secret, shown.as_object_mut()) {
            members.insert("client_secret".to_owned(), json!(secret));
        }
        return written(&shown);
    }
    let secret = secret.map(|secret| format!("client_secret\t{secret}\n")).unwrap_or_default();
    Ok(format!("client_id\t{}\n{secret}", client.id))
}

/// JSON for people to read too.
pub(super) fn written(value: &impl Serialize) -> Result<String, CliError> {
    let text = serde_json::to_string_pretty(value);
    text.map(|text| text + "\n").map_err(|error| CliError::Input(error.to_string()))
}
