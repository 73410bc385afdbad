//! What a document says about its client (RFC 7591 §2, Client ID Metadata Documents).

use std::{collections::BTreeSet, time::SystemTime};

use ::url::Url;
use oidc_verify::CLIENT_ASSERTION_ALGORITHMS;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::url::DocumentUrl;
use crate::store::{
    Client, ClientAuthentication, ClientKeys, ClientOrigin, ClientSettings, GrantType, PRIVATE_KEY_JWT,
};

const MAX_REDIRECTS: usize = 32;
const MAX_NAME: usize = 128;

/// Why a document describes no client that this server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Invalid {
    #[error("it is not a JSON object in which each known member occurs once and has its type")]
    Json,
    #[error("its client_id is not exactly the URL it was read from")]
    ClientId,
    #[error("its client_name is missing, blank or longer than 128 characters")]
    Name,
    #[error("its redirect_uris is missing, empty or has more than 32 entries")]
    Redirects,
    #[error("it has a client secret, which a public document cannot keep")]
    Secret,
    #[error(
        "its token_endpoint_auth_method is neither none nor private_key_jwt: a shared secret or a certificate cannot be used here"
    )]
    Authentication,
    #[error("private_key_jwt needs a usable jwks of public keys, or an https jwks_uri, and not both")]
    Keys,
    #[error("its token_endpoint_auth_signing_alg is not one that this server takes")]
    SigningAlgorithm,
    #[error("its grant_types lacks authorization_code")]
    GrantTypes,
    #[error("its response_types lacks code")]
    ResponseTypes,
}

/// The members that count. Others are ignored, `null` counts as absent, a repeated member is an error.
#[derive(Deserialize)]
struct Members {
    client_id: Option<String>,
    client_name: Option<String>,
    redirect_uris: Option<Vec<String>>,
    token_endpoint_auth_method: Option<String>,
    token_endpoint_auth_signing_alg: Option<String>,
    jwks: Option<Map<String, Value>>,
    jwks_uri: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    client_secret: Option<Value>,
    client_secret_expires_at: Option<Value>,
}

/// Reads the document at `url`, as of `now`. Its redirects are judged when they are used, like those of every client.
pub(super) fn read(url: &DocumentUrl, body: &[u8], now: SystemTime) -> Result<Client, Invalid> {
    // The derived reader would also take a list of the members' values.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Invalid::Json);
    }
    let members: Members = serde_json::from_slice(body).map_err(|_| Invalid::Json)?;
    // By simple string comparison (RFC 3986 §6.2.1).
    if members.client_id.as_deref() != Some(url.as_str()) {
        return Err(Invalid::ClientId);
    }
    let is_name = |name: &&String| !name.trim().is_empty() && name.chars().nth(MAX_NAME).is_none();
    let name = members.client_name.as_ref().filter(is_name).ok_or(Invalid::Name)?;
    let redirect_uris = members.redirect_uris.as_deref().unwrap_or_default();
    if redirect_uris.is_empty() || redirect_uris.len() > MAX_REDIRECTS {
        return Err(Invalid::Redirects);
    }
    if members.client_secret.is_some() || members.client_secret_expires_at.is_some() {
        return Err(Invalid::Secret);
    }
    Ok(Client {
        id: url.as_str().to_owned(),
        name: Some(name.clone()),
        authentication: authentication(url, &members)?,
        redirect_uris: redirect_uris.to_vec(),
        grant_types: grant_types(members.grant_types.as_deref(), members.response_types.as_deref())?,
        origin: ClientOrigin::Document,
        settings: ClientSettings {
            token_endpoint_auth_signing_alg: members.token_endpoint_auth_signing_alg,
            ..ClientSettings::default()
        },
        registered_at: now,
        first_used_at: None,
        registration_token: None,
    })
}

/// An absent method is `none`, as in a registration: a document can hold no secret.
fn authentication(url: &DocumentUrl, members: &Members) -> Result<ClientAuthentication, Invalid> {
    match members.token_endpoint_auth_method.as_deref() {
        None | Some("none") => Ok(ClientAuthentication::None),
        Some(PRIVATE_KEY_JWT) => keys(url, members).map(ClientAuthentication::PrivateKeyJwt),
        Some(_) => Err(Invalid::Authentication),
    }
}

fn keys(url: &DocumentUrl, members: &Members) -> Result<ClientKeys, Invalid> {
    let algorithm = members.token_endpoint_auth_signing_alg.as_deref();
    if algorithm.is_some_and(|algorithm| !CLIENT_ASSERTION_ALGORITHMS.contains(&algorithm)) {
        return Err(Invalid::SigningAlgorithm);
    }
    match (&members.jwks, &members.jwks_uri) {
        (Some(jwks), None) => ClientKeys::inline(json!(jwks).to_string()).map_err(|_| Invalid::Keys),
        // Plain http only for keys of a document that came that way: on loopback.
        (None, Some(uri)) => match Url::parse(uri) {
            Ok(at) if at.scheme() == "https" || at.scheme() == url.url().scheme() => {
                Ok(ClientKeys::Uri(uri.clone()))
            }
            _ => Err(Invalid::Keys),
        },
        (None, None) | (Some(_), Some(_)) => Err(Invalid::Keys),
    }
}

/// Unknown grants are tolerated: a document is written for every server. Absent means the two that need a redirect, as
/// in a registration.
fn grant_types(
    grants: Option<&[String]>,
    responses: Option<&[String]>,
) -> Result<BTreeSet<GrantType>, Invalid> {
    let lists = |list: Option<&[String]>, wanted: &str| {
        list.is_none_or(|list| list.iter().any(|found| found == wanted))
    };
    let mut offered = vec![GrantType::AuthorizationCode, GrantType::RefreshToken];
    if grants.is_some() {
        // Whether it may be used is the operator's to say.
        offered.push(GrantType::DeviceCode);
    }
    let kept: BTreeSet<GrantType> = offered.into_iter().filter(|kind| lists(grants, kind.as_str())).collect();
    if !kept.contains(&GrantType::AuthorizationCode) {
        return Err(Invalid::GrantTypes);
    }
    if lists(responses, "code") { Ok(kept) } else { Err(Invalid::ResponseTypes) }
}
