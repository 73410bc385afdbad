//! Client metadata as they come in, and what is made of them (RFC 7591 §2).

use std::collections::BTreeSet;

use connect_hosts::RedirectPolicy;
use oidc_verify::CLIENT_ASSERTION_ALGORITHMS;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use super::RegisterError;
use crate::{
    config::{DeviceClients, is_scope_token},
    error::Unavailable,
    random::{Digest, secret},
    server::Server,
    store::{Client, ClientAuthentication, ClientKeys, GrantType, PRIVATE_KEY_JWT, SecretMethod},
};

const MAX_REDIRECTS: usize = 32;
const MAX_NAME: usize = 128;
const MAX_SCOPE: usize = 1024;
const MAX_URI: usize = 2048;
/// The longest part of a refused redirect that is repeated in the answer.
const MAX_ECHO: usize = 256;

/// A redirect that was not registered.
#[derive(Debug)]
pub(super) struct Dropped {
    pub(super) redirect_uri: String,
    pub(super) reason: &'static str,
}

pub(super) fn reasons(dropped: &[Dropped]) -> String {
    dropped.iter().map(|dropped| dropped.reason).collect::<Vec<_>>().join(", ")
}

/// Client metadata as it comes in. Unknown members are ignored, `null` counts as absent, a repeated member is an error.
#[derive(Deserialize)]
pub(super) struct Metadata {
    redirect_uris: Option<Vec<String>>,
    token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    require_pushed_authorization_requests: Option<bool>,
    dpop_bound_access_tokens: Option<bool>,
    response_types: Option<Vec<String>>,
    token_endpoint_auth_signing_alg: Option<String>,
    jwks: Option<Map<String, Value>>,
    jwks_uri: Option<String>,
    client_name: Option<String>,
    application_type: Option<String>,
    scope: Option<String>,
    // What only a change may have (RFC 7592 §2.2).
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<String>,
}

/// Metadata that hold together.
pub(super) struct Accepted {
    metadata: Metadata,
    grant_types: BTreeSet<GrantType>,
    authentication: Requested,
    pub(super) redirect_uris: Vec<String>,
    pub(super) dropped: Vec<Dropped>,
}

/// How a client wants to authenticate.
enum Requested {
    None,
    Secret(SecretMethod),
    Keys(ClientKeys),
}

impl Accepted {
    /// Checks everything that does not depend on who asks.
    pub(super) fn check(server: &Server, metadata: Metadata) -> Result<Self, RegisterError> {
        let grant_types = grant_types(server, &metadata)?;
        check_texts(&metadata)?;
        let (redirect_uris, dropped) = judge_redirects(&server.redirects, &metadata)?;
        let authentication = requested(&metadata)?;
        Ok(Self { metadata, grant_types, authentication, redirect_uris, dropped })
    }

    /// What the client is from now on. It keeps its secret if it has one and goes on needing one; a new one is given
    /// beside it.
    pub(super) fn apply(
        self,
        server: &Server,
        client: Client,
    ) -> Result<(Client, Vec<Dropped>, Option<SecretString>), Unavailable> {
        let (authentication, new_secret) = match (self.authentication, client.authentication) {
            (Requested::None, _) => (ClientAuthentication::None, None),
            (Requested::Keys(keys), _) => (ClientAuthentication::PrivateKeyJwt(keys), None),
            (Requested::Secret(method), ClientAuthentication::Secret { digest, previous, .. }) => {
                (ClientAuthentication::Secret { method, digest, previous }, None)
            }
            (Requested::Secret(method), _) => {
                let secret = secret(server.randomness.as_ref())?;
                let digest = Digest::of(&secret);
                (ClientAuthentication::Secret { method, digest, previous: None }, Some(secret))
            }
        };
        let mut settings = client.settings;
        settings.token_endpoint_auth_signing_alg = self.metadata.token_endpoint_auth_signing_alg;
        settings.require_pushed_authorization_requests =
            self.metadata.require_pushed_authorization_requests == Some(true);
        settings.dpop_bound_access_tokens = self.metadata.dpop_bound_access_tokens == Some(true);
        settings.application_type = self.metadata.application_type;
        settings.registered_scope = self.metadata.scope;
        let client = Client {
            name: self.metadata.client_name,
            authentication,
            redirect_uris: self.redirect_uris,
            grant_types: self.grant_types,
            settings,
            ..client
        };
        Ok((client, self.dropped, new_secret))
    }
}

/// Reads the JSON object of RFC 7591 §2.
pub(super) fn parse(body: &[u8]) -> Result<Metadata, RegisterError> {
    // The derived reader would also take a list of the members' values.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(RegisterError::Json { problem: "it is no object", line: 1, column: 1 });
    }
    serde_json::from_slice(body).map_err(|error| RegisterError::Json {
        problem: if error.is_data() {
            "a member has another type or occurs twice"
        } else {
            "it is not well-formed"
        },
        line: error.line(),
        column: error.column(),
    })
}

/// Unknown grants are tolerated, as clients list what they can do elsewhere. Absent means both that need a redirect.
fn grant_types(server: &Server, metadata: &Metadata) -> Result<BTreeSet<GrantType>, RegisterError> {
    let mut offered = vec![GrantType::AuthorizationCode, GrantType::RefreshToken];
    if server.config.device_clients == DeviceClients::Any && metadata.grant_types.is_some() {
        offered.push(GrantType::DeviceCode);
    }
    let listed = |wanted: &str, list: &Option<Vec<String>>| {
        list.as_ref().is_none_or(|list| list.iter().any(|found| found == wanted))
    };
    let kept: BTreeSet<GrantType> =
        offered.into_iter().filter(|kind| listed(kind.as_str(), &metadata.grant_types)).collect();
    if !kept.contains(&GrantType::AuthorizationCode) {
        return Err(metadata_error("grant_types", "must contain authorization_code"));
    }
    if !listed("code", &metadata.response_types) {
        return Err(metadata_error("response_types", "must contain code"));
    }
    Ok(kept)
}

fn check_texts(metadata: &Metadata) -> Result<(), RegisterError> {
    if let Some(name) = &metadata.client_name {
        check_name(name).map_err(|problem| metadata_error("client_name", problem))?;
    }
    if !matches!(metadata.application_type.as_deref(), None | Some("web" | "native")) {
        return Err(metadata_error("application_type", "must be web or native"));
    }
    let well_formed = |scope: &String| {
        scope.len() <= MAX_SCOPE && scope.split(' ').all(|token| token.is_empty() || is_scope_token(token))
    };
    if metadata.scope.as_ref().is_some_and(|scope| !well_formed(scope)) {
        return Err(metadata_error("scope", "must be scope tokens separated by spaces"));
    }
    Ok(())
}

/// Whether people can be shown this name.
pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
    if name.chars().count() > MAX_NAME {
        return Err("is longer than 128 characters");
    }
    if name.trim().is_empty() || name.chars().any(deceives) {
        return Err("is blank or has control or direction characters");
    }
    Ok(())
}

/// Characters that make a name read as something else on the consent page (SEC-12).
fn deceives(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn judge_redirects(
    redirects: &RedirectPolicy,
    metadata: &Metadata,
) -> Result<(Vec<String>, Vec<Dropped>), RegisterError> {
    let requested = metadata.redirect_uris.as_deref().unwrap_or_default();
    if requested.is_empty() {
        return Err(metadata_error("redirect_uris", "is missing: name at least one"));
    }
    if requested.len() > MAX_REDIRECTS {
        return Err(metadata_error("redirect_uris", "has more than 32 entries"));
    }
    let (mut kept, mut dropped) = (Vec::new(), Vec::new());
    for redirect in requested {
        match redirects.check(redirect) {
            Ok(allowed) if kept.iter().any(|found| found == allowed.as_str()) => {}
            Ok(allowed) => kept.push(allowed.as_str().to_owned()),
            Err(denied) => {
                let redirect_uri = redirect.chars().take(MAX_ECHO).collect();
                dropped.push(Dropped { redirect_uri, reason: denied.reason() });
            }
        }
    }
    if kept.is_empty() { Err(RegisterError::NoRedirect(dropped)) } else { Ok((kept, dropped)) }
}

/// An absent method is `none`: that is what clients without one mean.
fn requested(metadata: &Metadata) -> Result<Requested, RegisterError> {
    match metadata.token_endpoint_auth_method.as_deref() {
        None | Some("none") => Ok(Requested::None),
        Some("client_secret_basic") => Ok(Requested::Secret(SecretMethod::Basic)),
        Some("client_secret_post") => Ok(Requested::Secret(SecretMethod::Post)),
        Some(PRIVATE_KEY_JWT) => keys(metadata).map(Requested::Keys),
        Some(_) => {
            let problem = "must be none, client_secret_basic, client_secret_post or private_key_jwt";
            Err(metadata_error("token_endpoint_auth_method", problem))
        }
    }
}

/// RFC 7591 §2: `jwks` or `jwks_uri`, never both.
fn keys(metadata: &Metadata) -> Result<ClientKeys, RegisterError> {
    let algorithm = metadata.token_endpoint_auth_signing_alg.as_deref();
    if algorithm.is_some_and(|algorithm| !CLIENT_ASSERTION_ALGORITHMS.contains(&algorithm)) {
        let problem = "must be one of token_endpoint_auth_signing_alg_values_supported";
        return Err(metadata_error("token_endpoint_auth_signing_alg", problem));
    }
    match (&metadata.jwks, &metadata.jwks_uri) {
        (Some(jwks), None) => ClientKeys::inline(json!(jwks).to_string()).map_err(RegisterError::Keys),
        (None, Some(uri)) => {
            let is_web = Url::parse(uri).is_ok_and(|url| url.scheme() == "https" && url.fragment().is_none());
            if is_web && uri.len() <= MAX_URI {
                Ok(ClientKeys::Uri(uri.clone()))
            } else {
                Err(metadata_error("jwks_uri", "must be an https URL without fragment"))
            }
        }
        (None, None) => {
            Err(metadata_error("jwks", "is missing: private_key_jwt needs the public keys, or jwks_uri"))
        }
        (Some(_), Some(_)) => Err(metadata_error("jwks", "must not come with jwks_uri")),
    }
}

pub(super) fn metadata_error(member: &'static str, problem: &'static str) -> RegisterError {
    RegisterError::Metadata { member, problem }
}
