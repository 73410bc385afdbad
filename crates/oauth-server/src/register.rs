//! Dynamic client registration (RFC 7591).
//!
//! Each redirect is judged on its own: the allowed ones are kept, the others are reported, and only when none is left is
//! the registration refused.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use audit::{Action, Event, Outcome, Party};
use axum::{Extension, body::Body, extract::State, response::Response};
use http::{HeaderMap, StatusCode};
use oidc_verify::CLIENT_ASSERTION_ALGORITHMS;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    body::{BodyError, read},
    client_authn::keys::ClientKeysProblem,
    clock::{before, unix_seconds},
    config::{DeviceClients, is_scope_token},
    error::{RETRY_AFTER, Unavailable, json_no_store, oauth_error, unavailable_json, with_retry_after},
    http_layer::RequestId,
    random::{Digest, identifier, secret},
    server::Server,
    store::{
        Client, ClientAuthentication, ClientKeys, ClientOrigin, ClientSettings, GrantType, PRIVATE_KEY_JWT,
        SecretMethod,
    },
};

const MAX_BODY: usize = 32 * 1024;
const MAX_REDIRECTS: usize = 32;
const MAX_NAME: usize = 128;
const MAX_SCOPE: usize = 1024;
/// The longest part of a refused redirect that is repeated in the answer.
const MAX_ECHO: usize = 256;

/// How long a client is safe from giving way to others while nobody has signed in with it yet. A flood can shut others
/// out only by filling every place within this time, again and again.
const REPLACEABLE_AFTER: Duration = Duration::from_mins(1);

/// Why a registration was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
enum RegisterError {
    /// The body could not be read.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The body is not the JSON object of RFC 7591 §2. Nothing of what was sent is repeated.
    #[error("the body is not a JSON object of client metadata: {problem} (line {line}, column {column})")]
    Json {
        /// What is wrong with it.
        problem: &'static str,
        /// Where, counted from 1.
        line: usize,
        /// Where, counted from 1.
        column: usize,
    },
    /// A member has an unusable value.
    #[error("{member} {problem}")]
    Metadata {
        /// The member.
        member: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The keys of an assertion's signer.
    #[error("jwks {0}")]
    Keys(ClientKeysProblem),
    /// No redirect may receive a code.
    #[error("none of the redirect_uris is allowed here ({})", reasons(.0))]
    NoRedirect(Vec<Dropped>),
    /// The operator's limit.
    #[error("no more clients can register at the moment")]
    Full,
    /// Something is down.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// A redirect that was not registered.
#[derive(Debug)]
struct Dropped {
    redirect_uri: String,
    reason: &'static str,
}

fn reasons(dropped: &[Dropped]) -> String {
    dropped.iter().map(|dropped| dropped.reason).collect::<Vec<_>>().join(", ")
}

/// Client metadata as it comes in. Unknown members are ignored, `null` counts as absent, a repeated member is an error.
#[derive(Deserialize)]
struct Metadata {
    redirect_uris: Option<Vec<String>>,
    token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    require_pushed_authorization_requests: Option<bool>,
    dpop_bound_access_tokens: Option<bool>,
    response_types: Option<Vec<String>>,
    token_endpoint_auth_signing_alg: Option<String>,
    jwks: Option<Map<String, Value>>,
    client_name: Option<String>,
    application_type: Option<String>,
    scope: Option<String>,
}

/// `POST /register`
pub(crate) async fn register(
    State(server): State<Arc<Server>>,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match try_register(&server, &request_id, &headers, body).await {
        Ok(answer) => json_no_store(StatusCode::CREATED, &answer),
        Err(error) => {
            record_refusal(&server, &request_id, &error);
            refuse(&error, &request_id)
        }
    }
}

async fn try_register(
    server: &Server,
    request_id: &RequestId,
    headers: &HeaderMap,
    body: Body,
) -> Result<Value, RegisterError> {
    let body = read(headers, body, "application/json", MAX_BODY).await?;
    let metadata = parse(&body)?;
    let grant_types = grant_types(server, &metadata)?;
    check_texts(&metadata)?;
    let (kept, dropped) = judge_redirects(server, &metadata)?;
    let (authentication, client_secret) = authentication(server, &metadata)?;
    let now = server.now();
    let client = Client {
        id: identifier(server.randomness.as_ref()).map_err(Unavailable::from)?,
        name: metadata.client_name.clone(),
        authentication,
        redirect_uris: kept,
        grant_types,
        origin: ClientOrigin::Dynamic,
        settings: ClientSettings {
            require_pushed_authorization_requests: metadata.require_pushed_authorization_requests
                == Some(true),
            dpop_bound_access_tokens: metadata.dpop_bound_access_tokens == Some(true),
            token_endpoint_auth_signing_alg: metadata.token_endpoint_auth_signing_alg.clone(),
            ..ClientSettings::default()
        },
        registered_at: now,
        first_used_at: None,
        registration_token: None,
    };
    let party = Arc::new(Party { client: Some(client.id.clone()), ..Party::default() });
    let event = Event::new(Action::Registration, Outcome::Success, party)
        .request_id(request_id.0.as_str())
        .target(client.redirect_uris.join(" "));
    let confirm = || server.record(event.clone());
    let replaceable = before(now, REPLACEABLE_AFTER);
    let max = server.config.max_unused_clients;
    let inserted = server.store.insert_client(&client, max, replaceable, &confirm).await;
    if inserted.map_err(Unavailable::from)? {
        Ok(answer(&client, &metadata, client_secret.as_ref(), &dropped))
    } else {
        Err(RegisterError::Full)
    }
}

fn parse(body: &[u8]) -> Result<Metadata, RegisterError> {
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
    server: &Server,
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
        match server.redirects.check(redirect) {
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
fn authentication(
    server: &Server,
    metadata: &Metadata,
) -> Result<(ClientAuthentication, Option<SecretString>), RegisterError> {
    let method = match metadata.token_endpoint_auth_method.as_deref() {
        None | Some("none") => return Ok((ClientAuthentication::None, None)),
        Some("client_secret_basic") => SecretMethod::Basic,
        Some("client_secret_post") => SecretMethod::Post,
        Some(PRIVATE_KEY_JWT) => return Ok((ClientAuthentication::PrivateKeyJwt(keys(metadata)?), None)),
        Some(_) => {
            let problem = "must be none, client_secret_basic, client_secret_post or private_key_jwt";
            return Err(metadata_error("token_endpoint_auth_method", problem));
        }
    };
    let secret = secret(server.randomness.as_ref()).map_err(Unavailable::from)?;
    let digest = Digest::of(&secret);
    Ok((ClientAuthentication::Secret { method, digest, previous: None }, Some(secret)))
}

fn keys(metadata: &Metadata) -> Result<ClientKeys, RegisterError> {
    let algorithm = metadata.token_endpoint_auth_signing_alg.as_deref();
    if algorithm.is_some_and(|algorithm| !CLIENT_ASSERTION_ALGORITHMS.contains(&algorithm)) {
        let problem = "must be one of token_endpoint_auth_signing_alg_values_supported";
        return Err(metadata_error("token_endpoint_auth_signing_alg", problem));
    }
    let Some(jwks) = &metadata.jwks else {
        return Err(metadata_error("jwks", "is missing: private_key_jwt needs the public keys"));
    };
    ClientKeys::inline(json!(jwks).to_string()).map_err(RegisterError::Keys)
}

fn metadata_error(member: &'static str, problem: &'static str) -> RegisterError {
    RegisterError::Metadata { member, problem }
}

/// RFC 7591 §3.2.1. Members that do not apply are absent, never null.
fn answer(client: &Client, metadata: &Metadata, secret: Option<&SecretString>, dropped: &[Dropped]) -> Value {
    let grant_types: Vec<&str> = client.grant_types.iter().map(|kind| kind.as_str()).collect();
    let mut answer = Map::new();
    let mut put = |name: &str, value: Value| answer.insert(name.to_owned(), value);
    put("client_id", json!(client.id));
    put("client_id_issued_at", json!(unix_seconds(client.registered_at)));
    put("redirect_uris", json!(client.redirect_uris));
    put("token_endpoint_auth_method", json!(client.authentication.as_str()));
    put("grant_types", json!(grant_types));
    put("response_types", json!(["code"]));
    let texts = [
        ("client_name", &metadata.client_name),
        ("application_type", &metadata.application_type),
        ("token_endpoint_auth_signing_alg", &client.settings.token_endpoint_auth_signing_alg),
        ("scope", &metadata.scope),
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
    if let Some(jwks) = metadata.jwks.as_ref().filter(|_| client.authentication.as_str() == PRIVATE_KEY_JWT) {
        put("jwks", json!(jwks));
    }
    if let Some(secret) = secret {
        put("client_secret", json!(secret.expose_secret()));
        // It does not expire (RFC 7591 §3.2.1).
        put("client_secret_expires_at", json!(0));
    }
    if !dropped.is_empty() {
        let dropped = dropped.iter().map(
            |Dropped { redirect_uri, reason }| json!({ "redirect_uri": redirect_uri, "reason": reason }),
        );
        put("dropped_redirect_uris", dropped.collect());
    }
    Value::Object(answer)
}

fn record_refusal(server: &Server, request_id: &RequestId, error: &RegisterError) {
    let (outcome, reason) = match error {
        RegisterError::Body(_)
        | RegisterError::Json { .. }
        | RegisterError::Metadata { .. }
        | RegisterError::Keys(_) => (Outcome::Denied, "invalid_client_metadata"),
        RegisterError::NoRedirect(_) => (Outcome::Denied, "no_allowed_redirect"),
        RegisterError::Full => (Outcome::Denied, "client_quota"),
        RegisterError::Unavailable(_) => (Outcome::Failure, "unavailable"),
    };
    let event = Event::new(Action::Registration, outcome, Arc::default());
    server.record_refusal(event.request_id(request_id.0.as_str()).reason(reason));
}

fn refuse(error: &RegisterError, request_id: &RequestId) -> Response {
    let (status, code) = match error {
        RegisterError::Body(BodyError::MediaType { .. }) => {
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_client_metadata")
        }
        RegisterError::Body(BodyError::TooLarge { .. }) => {
            (StatusCode::PAYLOAD_TOO_LARGE, "invalid_client_metadata")
        }
        RegisterError::Metadata { member: "redirect_uris", .. } | RegisterError::NoRedirect(_) => {
            (StatusCode::BAD_REQUEST, "invalid_redirect_uri")
        }
        RegisterError::Body(BodyError::Params(_))
        | RegisterError::Json { .. }
        | RegisterError::Metadata { .. }
        | RegisterError::Keys(_) => (StatusCode::BAD_REQUEST, "invalid_client_metadata"),
        RegisterError::Full => {
            let answer =
                oauth_error(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", &error.to_string());
            return with_retry_after(answer, RETRY_AFTER);
        }
        RegisterError::Unavailable(unavailable) => return unavailable_json(unavailable, &request_id.0),
    };
    oauth_error(status, code, &error.to_string())
}
