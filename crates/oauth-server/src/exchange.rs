//! The token endpoint (RFC 6749 §3.2): codes and refresh tokens become access tokens.

mod client_credentials;
mod code;
mod device;
mod issue;
mod jwt_bearer;
mod machine;
mod possession;
mod refresh;
mod token_exchange;

use std::sync::Arc;

use axum::{Extension, body::Body, extract::State, response::Response};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use limits::Limited;
use oidc_verify::DpopProof;

pub(crate) use token_exchange::ExchangeError;

use crate::{
    assertions::AssertionError,
    body::{BodyError, read_form},
    client_address::ClientAddress,
    client_authn::{ClientError, authenticate},
    dpop::ProofError,
    error::{RETRY_AFTER, Unavailable, chain, oauth_error, unavailable_json, with_retry_after},
    http_layer::RequestId,
    params::Params,
    server::Server,
    store::{Client, GrantType},
};

/// Why no token is issued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum TokenError {
    /// The body could not be read.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// Something in the URL: it would be logged on the way.
    #[error("parameters belong in the body, never in the URL")]
    Query,
    /// RFC 6749 §3.2.
    #[error("a parameter occurs more than once")]
    Duplicate,
    /// A parameter that this grant needs.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// The verifier is not 43 to 128 unreserved characters (RFC 7636 §4.1).
    #[error("code_verifier must be 43 to 128 unreserved characters")]
    VerifierForm,
    /// The client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A grant type this server does not have.
    #[error("grant_type is none of {}", GrantType::ALL.map(GrantType::as_str).join(", "))]
    GrantType,
    /// The client is not registered for this grant type.
    #[error("the client is not registered for the grant type {}", .0.as_str())]
    NotRegistered(GrantType),
    /// The code or refresh token is worth nothing, for this client or for anybody.
    #[error("the {0} is invalid, expired, revoked or was issued to another client")]
    Grant(&'static str),
    /// A code or refresh token came a second time: everything issued under its grant is revoked.
    #[error("the {0} was used before; everything issued for it is revoked")]
    Replay(&'static str),
    /// RFC 8628 §3.5: nobody has decided yet.
    #[error("nobody has allowed the device yet: ask again after the interval")]
    Pending,
    /// RFC 8628 §3.5: too soon.
    #[error("asked too early: wait five seconds longer between requests from now on")]
    SlowDown,
    /// RFC 8628 §3.5: somebody said no.
    #[error("the person or their identity provider said no")]
    AccessDenied,
    /// RFC 8628 §3.5: nobody decided in time.
    #[error("the device code has expired: ask for another")]
    Expired,
    /// The operator's limit.
    #[error("too many device codes wait: try again later")]
    Full,
    /// RFC 8707 §2.
    #[error("resource must be the one that was authorized")]
    Target,
    /// RFC 8707 §2.
    #[error("resource is not one of this server's")]
    UnknownTarget,
    /// None of it exists.
    #[error("none of the requested scopes exists for this resource")]
    UnknownScope,
    /// Another resource than may be had.
    #[error("resource {0}")]
    Resource(&'static str),
    /// The assertion.
    #[error("the assertion is not accepted: {0}")]
    Assertion(AssertionError),
    /// The token that is to be exchanged, or how it is asked for.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// A grant type that this client may not use as it is registered.
    #[error("this grant type is for {0}")]
    NotForClient(&'static str),
    /// Nothing to grant.
    #[error("none of the scopes that were asked for may be had for this resource")]
    NoScope,
    /// A token that ends with another one.
    #[error("a token that was exchanged ends with the grant that it came from, and is not revoked alone")]
    Delegated,
    /// The proof of possession (RFC 9449 §5).
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The code or refresh token is bound to another key than the one that was proven.
    #[error("the {0} is bound to a DPoP key: send a proof by that key")]
    OtherKey(&'static str),
    /// More than was granted.
    #[error("scope must be within what was granted")]
    Scope,
    /// A client that asks too often.
    #[error(transparent)]
    TooOften(#[from] Limited),
    /// Something is down.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

pub(super) const CODE: &str = "code";
pub(super) const REFRESH_TOKEN: &str = "refresh_token";

/// `POST /token`
pub(crate) async fn token(
    State(server): State<Arc<Server>>,
    Extension(request_id): Extension<RequestId>,
    address: Option<Extension<ClientAddress>>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let address = address.map(|Extension(address)| address);
    let answered = answer(&server, &request_id, address, &uri, &headers, body).await;
    answered.unwrap_or_else(|error| refuse(&error, &request_id))
}

async fn answer(
    server: &Arc<Server>,
    request_id: &RequestId,
    address: Option<ClientAddress>,
    uri: &Uri,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, TokenError> {
    let form = read_strict_form(uri, headers, body).await?;
    // RFC 7521 §4.1: an assertion may be all that there is.
    let client = match jwt_bearer::client_of_rule(server, headers, &form).await? {
        Some(client) => client,
        None => authenticate(server, headers, &form).await?,
    };
    let grant_type = form.value("grant_type").ok_or(TokenError::Missing("grant_type"))?;
    let grant_type = GrantType::from_name(grant_type).ok_or(TokenError::GrantType)?;
    if grant_type == GrantType::JwtBearer && server.assertions.is_empty() {
        return Err(TokenError::GrantType);
    }
    if !client.may(grant_type) {
        return Err(TokenError::NotRegistered(grant_type));
    }
    let proof = possession::check(server, headers, uri, &client)?;
    let request = TokenRequest { server, request_id, address, headers, client, form, proof };
    let mut response = match grant_type {
        GrantType::AuthorizationCode => request.redeem_code().await,
        GrantType::RefreshToken => request.refresh().await,
        GrantType::DeviceCode => request.redeem_device_code().await,
        GrantType::ClientCredentials => request.client_credentials().await,
        GrantType::JwtBearer => request.present_assertion().await,
        GrantType::TokenExchange => request.exchange_token().await,
    }?;
    request.hand_out_nonce(&mut response);
    Ok(response)
}

/// One request at the token endpoint, from a client that is who it says.
pub(super) struct TokenRequest<'a> {
    pub(super) server: &'a Arc<Server>,
    pub(super) request_id: &'a RequestId,
    #[expect(dead_code, reason = "for grants that count by address")]
    pub(super) address: Option<ClientAddress>,
    #[expect(dead_code, reason = "for grants that look at a header")]
    pub(super) headers: &'a HeaderMap,
    pub(super) client: Client,
    pub(super) form: Params,
    /// The proof that its sender holds a key, which the tokens are bound to then.
    pub(super) proof: Option<DpopProof>,
}

/// A form, from the body only, in which nothing occurs twice.
pub(crate) async fn read_strict_form(
    uri: &Uri,
    headers: &HeaderMap,
    body: Body,
) -> Result<Params, TokenError> {
    if uri.query().is_some() {
        return Err(TokenError::Query);
    }
    let form = read_form(headers, body).await?;
    if form.is_duplicated("resource") {
        return Err(TokenError::Target);
    }
    if form.duplicated().is_some() {
        return Err(TokenError::Duplicate);
    }
    Ok(form)
}

/// The answer for each error, here, at `/revoke` and at `/introspect`.
pub(crate) fn refuse(error: &TokenError, request_id: &RequestId) -> Response {
    tracing::info!(request_id = request_id.0, error = chain(error), "a token request was refused");
    let (status, code) = match error {
        TokenError::Body(BodyError::MediaType { .. }) => {
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_request")
        }
        TokenError::Body(BodyError::TooLarge { .. }) => (StatusCode::PAYLOAD_TOO_LARGE, "invalid_request"),
        TokenError::Body(BodyError::Params(_))
        | TokenError::Query
        | TokenError::Duplicate
        | TokenError::Missing(_)
        | TokenError::VerifierForm
        | TokenError::Exchange(_)
        | TokenError::Client(ClientError::Several) => (StatusCode::BAD_REQUEST, "invalid_request"),
        TokenError::Client(ClientError::Refused | ClientError::AssertionRefused) => {
            let mut response = oauth_error(StatusCode::UNAUTHORIZED, "invalid_client", &error.to_string());
            let challenge = HeaderValue::from_static("Basic realm=\"oauth\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            return response;
        }
        TokenError::Proof(error) => return error.respond(request_id),
        TokenError::Pending => (StatusCode::BAD_REQUEST, "authorization_pending"),
        TokenError::SlowDown => (StatusCode::BAD_REQUEST, "slow_down"),
        TokenError::AccessDenied => (StatusCode::BAD_REQUEST, "access_denied"),
        TokenError::Expired => (StatusCode::BAD_REQUEST, "expired_token"),
        TokenError::Full => {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            let answer = oauth_error(status, "temporarily_unavailable", &error.to_string());
            return with_retry_after(answer, RETRY_AFTER);
        }
        TokenError::GrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
        TokenError::NotRegistered(_) | TokenError::NotForClient(_) => {
            (StatusCode::BAD_REQUEST, "unauthorized_client")
        }
        TokenError::Grant(_) | TokenError::Replay(_) | TokenError::OtherKey(_) | TokenError::Assertion(_) => {
            (StatusCode::BAD_REQUEST, "invalid_grant")
        }
        // RFC 7009 §2.2.1.
        TokenError::Delegated => (StatusCode::BAD_REQUEST, "unsupported_token_type"),
        TokenError::TooOften(limited) => {
            let status = StatusCode::TOO_MANY_REQUESTS;
            let response = oauth_error(status, "temporarily_unavailable", &error.to_string());
            return with_retry_after(response, limited.retry_after_seconds());
        }
        TokenError::Target | TokenError::UnknownTarget | TokenError::Resource(_) => {
            (StatusCode::BAD_REQUEST, "invalid_target")
        }
        TokenError::Scope | TokenError::UnknownScope | TokenError::NoScope => {
            (StatusCode::BAD_REQUEST, "invalid_scope")
        }
        TokenError::Unavailable(unavailable) | TokenError::Client(ClientError::Unavailable(unavailable)) => {
            return unavailable_json(unavailable, &request_id.0);
        }
    };
    oauth_error(status, code, &error.to_string())
}
