//! The files in the temporary folder, as an operator would write them.

use oauth_server::identity::{HashError, hash_password};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::scenario::PEOPLE;

pub(super) const CONFIG: &str = "connect.toml";
pub(super) const DATABASE: &str = "connect.db";
pub(super) const CONNECT_AUDIT: &str = "connect-audit.jsonl";
pub(super) const TOOLS_AUDIT: &str = "tools-audit.jsonl";

/// The configuration of Connect Server.
pub(super) fn connect_config(public_url: &str, upstream: &str) -> Result<String, HashError> {
    let port = public_url.rsplit(':').next().unwrap_or_default();
    let people: Vec<Value> = PEOPLE
        .iter()
        .map(|person| {
            Ok(json!({
                "username": person.username,
                "password_hash": hash_password(&SecretString::from(person.password))?,
                "tenant": person.tenant,
                "display_name": person.name,
                "hints": person.hints(),
            }))
        })
        .collect::<Result<_, HashError>>()?;
    let config = json!({
        "public_url": public_url,
        "allowed_hosts": "localhost, claude.ai, claude.com, cursor://, vscode.dev, chatgpt.com",
        "listen": { "public": format!("127.0.0.1:{port}"), "private": "127.0.0.1:0" },
        "database": { "url": format!("sqlite:{DATABASE}") },
        "audit": { "file": CONNECT_AUDIT },
        "log": { "format": "text" },
        "static_user": people,
        "service": [{
            "name": "platform",
            "label": "Platform data",
            "path": "/mcp/platform",
            "upstream": upstream,
            "scopes": ["platform"],
            "scope_descriptions": { "platform": "List and read the data that you may see" },
        }],
        "brand": { "name": "Quickstart Laboratories" },
    });
    // A value made of texts, lists and tables is always TOML.
    Ok(toml::to_string(&config).unwrap_or_default())
}
