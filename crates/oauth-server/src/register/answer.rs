//! What a client is told about its registration (RFC 7591 §3.2.1, RFC 7592 §3).

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::metadata::Dropped;
use crate::{
    clock::unix_seconds,
    server::Server,
    store::{Client, ClientAuthentication, ClientKeys},
};

/// What is shown once, and what was not taken.
#[derive(Default)]
pub(super) struct Told<'a> {
    /// The token that opens the registration.
    pub(super) token: &'a str,
    /// A secret that was just made.
    pub(super) secret: Option<&'a SecretString>,
    /// Redirects that were not registered.
    pub(super) dropped: &'a [Dropped],
}

/// The answer. Members that do not apply are absent, never null.
pub(super) fn answer(server: &Server, client: &Client, told: &Told<'_>) -> Value {
    let grant_types: Vec<&str> = client.grant_types.iter().map(|kind| kind.as_str()).collect();
    let mut answer = Map::new();
    let mut put = |name: &str, value: Value| answer.insert(name.to_owned(), value);
    put("client_id", json!(client.id));
    put("client_id_issued_at", json!(unix_seconds(client.registered_at)));
    put("redirect_uris", json!(client.redirect_uris));
    put("token_endpoint_auth_method", json!(client.authentication.as_str()));
    put("grant_types", json!(grant_types));
    put("response_types", json!(["code"]));
    put("registration_client_uri", json!(server.config.url_of(&format!("/register/{}", client.id))));
    put("registration_access_token", json!(told.token));
    let texts = [
        ("client_name", &client.name),
        ("application_type", &client.settings.application_type),
        ("token_endpoint_auth_signing_alg", &client.settings.token_endpoint_auth_signing_alg),
        ("scope", &client.settings.registered_scope),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            put(name, json!(text));
        }
    }
    let promises = [
        ("require_pushed_authorization_requests", client.settings.require_pushed_authorization_requests),
        ("dpop_bound_access_tokens", client.settings.dpop_bound_access_tokens),
    ];
    for (name, _) in promises.iter().filter(|(_, promised)| *promised) {
        put(name, json!(true));
    }
    match &client.authentication {
        ClientAuthentication::PrivateKeyJwt(ClientKeys::Inline(jwks)) => {
            put("jwks", serde_json::from_str(jwks).unwrap_or_default());
        }
        ClientAuthentication::PrivateKeyJwt(ClientKeys::Uri(uri)) => {
            put("jwks_uri", json!(uri));
        }
        ClientAuthentication::None | ClientAuthentication::Secret { .. } => {}
    }
    if let Some(secret) = told.secret {
        put("client_secret", json!(secret.expose_secret()));
        // It does not expire (RFC 7591 §3.2.1).
        put("client_secret_expires_at", json!(0));
    }
    if !told.dropped.is_empty() {
        let dropped = told.dropped.iter().map(
            |Dropped { redirect_uri, reason }| json!({ "redirect_uri": redirect_uri, "reason": reason }),
        );
        put("dropped_redirect_uris", dropped.collect());
    }
    Value::Object(answer)
}
