//! Introspection (RFC 7662): whether a token counts, told only to those whom it concerns.

use std::{sync::Arc, time::SystemTime};

use axum::{Extension, body::Body, extract::State, response::Response};
use http::{HeaderMap, StatusCode, Uri};
use oidc_verify::VerifiedToken;
use serde_json::{Map, Value, json};

use crate::{
    client_authn::{ClientError, authenticate},
    clock::unix_seconds,
    error::{Unavailable, json_no_store},
    exchange::{TokenError, read_strict_form, refuse},
    http_layer::RequestId,
    random::Digest,
    server::Server,
    store::{Client, ClientAuthentication, ClientOrigin, Grant},
};

/// The claims of an access token that the answer repeats (RFC 7662 §2.2, RFC 8693 §4.1, RFC 9449 §6.2). `idp` and `tenant`
/// are ours: a subject is somebody only at its issuer.
const TOLD: [&str; 12] =
    ["iss", "sub", "aud", "client_id", "scope", "exp", "iat", "jti", "cnf", "act", "idp", "tenant"];

/// `POST /introspect`
pub(crate) async fn introspect(
    State(server): State<Arc<Server>>,
    Extension(request_id): Extension<RequestId>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match try_introspect(&server, &uri, &headers, body).await {
        Ok(Some(mut token)) => {
            token.insert("active".to_owned(), json!(true));
            json_no_store(StatusCode::OK, &Value::Object(token))
        }
        // One answer for everything that is not a live token of theirs: nothing can be learnt from it (SEC-22).
        Ok(None) => json_no_store(StatusCode::OK, &json!({ "active": false })),
        Err(error) => refuse(&error, &request_id),
    }
}

async fn try_introspect(
    server: &Server,
    uri: &Uri,
    headers: &HeaderMap,
    body: Body,
) -> Result<Option<Map<String, Value>>, TokenError> {
    let form = read_strict_form(uri, headers, body).await?;
    let client = authenticate(server, headers, &form).await?;
    if client.authentication == ClientAuthentication::None {
        // RFC 7662 §2.1: whoever asks proves who it is.
        return Err(ClientError::Refused.into());
    }
    server.introspections.check(&client.id)?;
    let token = form.value("token").ok_or(TokenError::Missing("token"))?;
    let now = server.now();
    // The hint is not needed: the two kinds do not look alike.
    match server.own_tokens.verify(token, now).await {
        Ok(verified) => Ok(access_token(server, &client, &verified, now).await?),
        Err(_) => Ok(refresh_token(server, &client, token, now).await?),
    }
}

async fn access_token(
    server: &Server,
    client: &Client,
    token: &VerifiedToken,
    now: SystemTime,
) -> Result<Option<Map<String, Value>>, Unavailable> {
    let is_own = token.client_id() == Some(client.id.as_str());
    if !is_own && !serves(client, token.audience()) {
        return Ok(None);
    }
    let Some(session) = token.text_claim("sid") else { return Ok(None) };
    // The store, not the view: another replica may have revoked it just now.
    let grant = server.store.grant(session).await?;
    if !grant.is_some_and(|grant| counts(&grant, now)) {
        return Ok(None);
    }
    let told = TOLD.iter().filter_map(|name| Some(((*name).to_owned(), token.claims().get(*name)?.clone())));
    let mut told: Map<String, Value> = told.collect();
    let is_bound = token.claims().get("cnf").and_then(|cnf| cnf.get("jkt")).is_some();
    told.insert("token_type".to_owned(), json!(if is_bound { "DPoP" } else { "Bearer" }));
    Ok(Some(told))
}

/// Whether a client is the server of a resource, so that its tokens are meant for it.
fn serves(client: &Client, resource: &str) -> bool {
    client.origin == ClientOrigin::Operator && client.settings.serves.iter().any(|served| served == resource)
}

/// A refresh token is told to nobody but the client that holds it: to a resource server it must not pass for an access
/// token.
async fn refresh_token(
    server: &Server,
    client: &Client,
    token: &str,
    now: SystemTime,
) -> Result<Option<Map<String, Value>>, Unavailable> {
    let found = server.store.refresh_token(&Digest::of_text(token)).await?;
    let usable = found.filter(|(token, grant)| {
        let is_own = grant.client_id == client.id;
        is_own && token.used_at.is_none() && token.expires_at > now && counts(grant, now)
    });
    Ok(usable.map(|(token, grant)| {
        let mut told = Map::new();
        let mut tell = |name: &str, value: Value| told.insert(name.to_owned(), value);
        tell("iss", json!(server.config.public_url));
        tell("sub", json!(grant.identity.subject));
        tell("idp", json!(grant.identity.issuer));
        tell("aud", json!(grant.resource));
        tell("client_id", json!(grant.client_id));
        tell("scope", json!(grant.scope));
        tell("exp", json!(unix_seconds(token.expires_at)));
        if let Some(tenant) = grant.identity.tenant {
            tell("tenant", json!(tenant));
        }
        if let Some(thumbprint) = grant.dpop_jkt {
            tell("cnf", json!({ "jkt": thumbprint }));
        }
        told
    }))
}

fn counts(grant: &Grant, now: SystemTime) -> bool {
    grant.revoked_at.is_none() && grant.expires_at > now
}
