//! The authorization endpoint (RFC 6749 §4.1.1, OAuth 2.1 §4.1.1).
//!
//! Until the client and its redirect are known, an error is a page and never a redirect. After that, every error goes
//! back to the client with its `state` and our `iss` (RFC 9207).

use std::{collections::BTreeSet, sync::Arc};

use axum::{Extension, body::Body, extract::State, response::Response};
use connect_hosts::AllowedRedirect;
use http::{HeaderMap, Uri};
use oidc_verify::KeyThumbprint;

use crate::{
    body::read_form,
    client_address::ClientAddress,
    clients,
    config::Resource,
    dpop::requested_key,
    error::Unavailable,
    http_layer::RequestId,
    interaction::{self, PageError, respond_to_client},
    metadata::OFFLINE_ACCESS,
    openid::{self, OPENID},
    params::Params,
    pushed,
    random::Digest,
    server::Server,
    store::{Client, CodeRequest, GrantType, Purpose},
};

const MAX_QUERY: usize = 8 * 1024;
const MAX_STATE: usize = 2048;
const MAX_NONCE: usize = 512;

/// Why an authorization request goes no further.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
enum AuthorizeError {
    /// Shown to the person: nobody else can be told.
    #[error(transparent)]
    Page(#[from] PageError),
    /// Told to the client.
    #[error("{problem}")]
    Client {
        to: AllowedRedirect,
        state: Option<String>,
        #[source]
        problem: RequestError,
    },
}

impl From<Unavailable> for AuthorizeError {
    fn from(error: Unavailable) -> Self {
        Self::Page(PageError::Unavailable(error))
    }
}

/// What is wrong with a request whose client and redirect are known (RFC 6749 §4.1.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum RequestError {
    #[error("a parameter occurs more than once")]
    Duplicate,
    #[error("state is longer than 2048 bytes")]
    LongState,
    #[error("the client is not registered for the grant type authorization_code")]
    Unauthorized,
    #[error("nonce is longer than 512 bytes")]
    LongNonce,
    #[error("the request parameter is not supported")]
    RequestObject,
    #[error("only a request_uri of /par is supported")]
    RequestUri,
    #[error("this client must push its requests to /par and send the request_uri only")]
    NotPushed,
    #[error("response_type is missing")]
    NoResponseType,
    #[error("response_type must be code")]
    ResponseType,
    #[error("response_mode must be query")]
    ResponseMode,
    #[error("code_challenge is missing: PKCE is required")]
    NoChallenge,
    #[error("code_challenge_method must be S256")]
    ChallengeMethod,
    #[error("code_challenge must be the 43 base64url characters of a SHA-256")]
    Challenge,
    #[error(
        "dpop_jkt must be the SHA-256 thumbprint of a key, the same as that of a DPoP proof if one is sent"
    )]
    Thumbprint,
    #[error("resource is missing and there are several: name one")]
    NoResource,
    #[error("resource is not one of this server's, or occurs more than once")]
    Resource,
    #[error("none of the requested scopes exists for this resource")]
    Scope,
}

impl RequestError {
    /// The registered error code.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Duplicate
            | Self::LongState
            | Self::LongNonce
            | Self::NoResponseType
            | Self::NotPushed
            | Self::Thumbprint
            | Self::ResponseMode
            | Self::NoChallenge
            | Self::ChallengeMethod
            | Self::Challenge => "invalid_request",
            Self::Unauthorized => "unauthorized_client",
            Self::ResponseType => "unsupported_response_type",
            // OpenID Connect Core §3.1.2.6.
            Self::RequestObject => "request_not_supported",
            Self::RequestUri => "request_uri_not_supported",
            // RFC 8707 §2.
            Self::NoResource | Self::Resource => "invalid_target",
            Self::Scope => "invalid_scope",
        }
    }
}

/// `GET /authorize`
pub(crate) async fn by_query(
    State(server): State<Arc<Server>>,
    Extension(request_id): Extension<RequestId>,
    address: Option<Extension<ClientAddress>>,
    uri: Uri,
) -> Response {
    let query = uri.query().unwrap_or_default();
    let params = if query.len() > MAX_QUERY {
        Err(PageError::Unreadable)
    } else {
        Params::parse(query).map_err(|_| PageError::Unreadable)
    };
    answer(&server, &request_id, address.map(|Extension(address)| address), params).await
}

/// `POST /authorize`
pub(crate) async fn by_form(
    State(server): State<Arc<Server>>,
    Extension(request_id): Extension<RequestId>,
    address: Option<Extension<ClientAddress>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let params = read_form(&headers, body).await.map_err(PageError::Body);
    answer(&server, &request_id, address.map(|Extension(address)| address), params).await
}

async fn answer(
    server: &Server,
    request_id: &RequestId,
    address: Option<ClientAddress>,
    params: Result<Params, PageError>,
) -> Response {
    let begun = match params {
        Ok(params) => begin(server, address, &params).await,
        Err(error) => Err(error.into()),
    };
    match begun {
        Ok(response) => response,
        Err(AuthorizeError::Page(error)) => error.respond(server, request_id),
        Err(AuthorizeError::Client { to, state, problem }) => {
            tracing::info!(request_id = request_id.0, error = %problem, "an authorization request was refused");
            let parameters = [("error", problem.code()), ("error_description", &problem.to_string())];
            respond_to_client(server, &to, state.as_deref(), &parameters)
        }
    }
}

async fn begin(
    server: &Server,
    address: Option<ClientAddress>,
    params: &Params,
) -> Result<Response, AuthorizeError> {
    let client = known_client(server, address, params).await?;
    let request = match params.value("request_uri").filter(|uri| pushed::is_handle(uri)) {
        Some(handle) => pushed::take(server, &client, handle).await?,
        None => asked_here(server, &client, params)?,
    };
    Ok(interaction::begin(server, Purpose::Code(request)).await?)
}

/// A request whose parameters came with the browser.
fn asked_here(server: &Server, client: &Client, params: &Params) -> Result<CodeRequest, AuthorizeError> {
    let to = known_redirect(server, client, params)?;
    let must_push = client.settings.require_pushed_authorization_requests;
    let accepted =
        if must_push { Err(RequestError::NotPushed) } else { accept(server, client, &to, params, None) };
    accepted.map_err(|problem| {
        let state = params.value("state").filter(|state| state.len() <= MAX_STATE).map(str::to_owned);
        AuthorizeError::Client { to, state, problem }
    })
}

/// What a client asks for, if it holds together. `proven` is the key of a proof that came with the parameters.
pub(crate) fn accept(
    server: &Server,
    client: &Client,
    to: &AllowedRedirect,
    params: &Params,
    proven: Option<KeyThumbprint>,
) -> Result<CodeRequest, RequestError> {
    check_form(client, params)?;
    let code_challenge = code_challenge(params)?.to_owned();
    let holder = requested_key(params.value("dpop_jkt"), proven).map_err(|_| RequestError::Thumbprint)?;
    let resource = match params.value("resource") {
        Some(requested) => server.config.resource(requested).ok_or(RequestError::Resource)?,
        None => server.config.single_resource().ok_or(RequestError::NoResource)?,
    };
    Ok(CodeRequest {
        client_fingerprint: client.fingerprint(),
        client_id: client.id.clone(),
        redirect_uri: to.as_str().to_owned(),
        redirect_uri_given: params.value("redirect_uri").is_some(),
        state: params.value("state").map(str::to_owned),
        resource: resource.uri.clone(),
        scope: granted_scope(params.value("scope"), resource)?,
        code_challenge,
        dpop_jkt: holder.map(|holder| holder.to_string()),
        nonce: nonce(params)?,
    })
}

async fn known_client(
    server: &Server,
    address: Option<ClientAddress>,
    params: &Params,
) -> Result<Client, AuthorizeError> {
    let id = params.value("client_id").ok_or(PageError::UnknownClient)?;
    Ok(clients::find_to_ask(server, id, address).await?)
}

/// The requested redirect, if the client registered it and it is still on the operator's list. It may be left out when
/// there is only one (OAuth 2.1 §2.3.2).
pub(crate) fn known_redirect(
    server: &Server,
    client: &Client,
    params: &Params,
) -> Result<AllowedRedirect, PageError> {
    if params.is_duplicated("redirect_uri") {
        return Err(PageError::BadRedirect);
    }
    let mut registered = client.redirect_uris.iter().filter_map(|uri| server.redirects.check(uri).ok());
    let found = match (params.value("redirect_uri"), client.redirect_uris.as_slice()) {
        (Some(requested), _) => {
            let requested = server.redirects.check(requested).ok();
            requested.filter(|requested| registered.any(|registered| registered.matches(requested)))
        }
        (None, [_]) => registered.next(),
        (None, _) => None,
    };
    found.ok_or(PageError::BadRedirect)
}

/// What does not depend on the configuration.
fn check_form(client: &Client, params: &Params) -> Result<(), RequestError> {
    if params.is_duplicated("resource") {
        return Err(RequestError::Resource);
    }
    if params.duplicated().is_some() {
        return Err(RequestError::Duplicate);
    }
    if params.value("state").is_some_and(|state| state.len() > MAX_STATE) {
        return Err(RequestError::LongState);
    }
    if !client.may(GrantType::AuthorizationCode) {
        return Err(RequestError::Unauthorized);
    }
    if params.value("request").is_some() {
        return Err(RequestError::RequestObject);
    }
    if params.value("request_uri").is_some() {
        return Err(RequestError::RequestUri);
    }
    match params.value("response_type") {
        Some("code") => {}
        Some(_) => return Err(RequestError::ResponseType),
        None => return Err(RequestError::NoResponseType),
    }
    if params.value("response_mode").is_some_and(|mode| mode != "query") {
        return Err(RequestError::ResponseMode);
    }
    Ok(())
}

/// What the client wants to find in the ID token (OpenID Connect Core §3.1.2.1).
fn nonce(params: &Params) -> Result<Option<String>, RequestError> {
    match params.value("nonce") {
        Some(nonce) if nonce.len() > MAX_NONCE => Err(RequestError::LongNonce),
        nonce => Ok(nonce.map(str::to_owned)),
    }
}

/// S256 only; an absent method would mean `plain` (RFC 7636 §4.3).
fn code_challenge(params: &Params) -> Result<&str, RequestError> {
    let challenge = params.value("code_challenge").ok_or(RequestError::NoChallenge)?;
    if params.value("code_challenge_method") != Some("S256") {
        return Err(RequestError::ChallengeMethod);
    }
    // The one spelling of 32 bytes: what S256 makes of a verifier can equal nothing else.
    Digest::from_text(challenge).map(|_| challenge).ok_or(RequestError::Challenge)
}

/// The requested scopes that exist, in the resource's order; all of the resource's when none of its is requested, but
/// perhaps those of this server. Who the person is, is told with `openid` only. A scope that was not registered may be
/// asked for.
pub(crate) fn granted_scope(requested: Option<&str>, resource: &Resource) -> Result<String, RequestError> {
    let requested: BTreeSet<&str> =
        requested.unwrap_or_default().split(' ').filter(|scope| !scope.is_empty()).collect();
    let names = resource.scopes.iter().map(|scope| scope.name.as_str());
    let of_server =
        |scope: &str| scope == OFFLINE_ACCESS || openid::SCOPES.iter().any(|(name, _)| *name == scope);
    let mut granted: Vec<&str> = if requested.iter().all(|scope| of_server(scope)) {
        names.collect()
    } else {
        names.filter(|name| requested.contains(name)).collect()
    };
    if granted.is_empty() {
        return Err(RequestError::Scope);
    }
    if requested.contains(OPENID) {
        let ours = openid::SCOPES.iter().map(|(name, _)| *name).filter(|name| requested.contains(name));
        granted.extend(ours.filter(|name| resource.scopes.iter().all(|scope| scope.name != *name)));
    }
    Ok(granted.join(" "))
}

#[cfg(test)]
mod tests {
    use super::{RequestError, granted_scope};
    use crate::config::{Resource, ScopeText};

    #[test]
    fn scopes_are_the_requested_ones_that_exist() {
        let scopes = ["read", "write"].map(|name| ScopeText { name: name.into(), description: None });
        let resource = Resource { uri: String::new(), name: String::new(), scopes: scopes.into() };
        let cases = [
            (None, Ok("read write")),
            (Some(""), Ok("read write")),
            (Some("offline_access"), Ok("read write")),
            (Some("read"), Ok("read")),
            (Some("write  read write"), Ok("read write")),
            (Some("read offline_access openid"), Ok("read openid")),
            (Some("openid"), Ok("read write openid")),
            (Some("email openid profile write"), Ok("write openid profile email")),
            (Some("profile email"), Ok("read write")),
            (Some("READ"), Err(RequestError::Scope)),
            (Some("reading"), Err(RequestError::Scope)),
        ];
        for (requested, expected) in cases {
            let granted = granted_scope(requested, &resource);
            assert_eq!(granted.as_deref().map_err(|error| *error), expected, "{requested:?}");
        }
    }
}
