//! Back-channel logout: an identity provider says that a sign-in is over (OpenID Connect Back-Channel Logout 1.0).

use std::{sync::Arc, time::SystemTime};

use audit::{Action, Event, Outcome, Party};
use axum::{
    Extension,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use oidc_verify::{VerifiedToken, VerifyError};

use crate::{
    body::{BodyError, read_form},
    error::{Unavailable, chain, oauth_error, unavailable_json},
    http_layer::RequestId,
    identity::{IdentitySource, OidcUpstream},
    random::Digest,
    server::Server,
    store::UsedAssertion,
};

/// The member of `events` that makes a token a logout token (section 2.4).
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Why a logout token was not followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
enum LogoutError {
    /// No provider with this id sends logout tokens.
    #[error("no identity provider of this name sends logout tokens here")]
    UnknownSource,
    /// The form.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// No token.
    #[error("logout_token is missing or occurs more than once")]
    Missing,
    /// Not genuine, not for us, or not now.
    #[error("the logout token was refused ({})", .0.reason())]
    Refused(#[source] VerifyError),
    /// Something a logout token must have or must not have.
    #[error("the logout token {0}")]
    Claims(&'static str),
    /// It came before.
    #[error("the logout token was used before")]
    Replayed,
    /// Something is down.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// `POST /backchannel-logout/<source>`
pub(crate) async fn backchannel(
    State(server): State<Arc<Server>>,
    Extension(request_id): Extension<RequestId>,
    source: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let ended = match &source {
        Ok(Path(source)) => end(&server, &request_id, source, &headers, body).await,
        Err(_) => Err(LogoutError::UnknownSource),
    };
    match ended {
        // Section 2.8.
        Ok(()) => {
            let no_store = HeaderValue::from_static("no-store");
            (StatusCode::OK, [(header::CACHE_CONTROL, no_store)]).into_response()
        }
        Err(error) => refuse(&server, &error, &request_id),
    }
}

async fn end(
    server: &Server,
    request_id: &RequestId,
    source: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<(), LogoutError> {
    let found = server.identity_sources.iter().find(|found| found.id() == source);
    let Some(IdentitySource::Oidc(upstream)) = found.map(AsRef::as_ref) else {
        return Err(LogoutError::UnknownSource);
    };
    let form = read_form(headers, body).await?;
    let text = form.value("logout_token").ok_or(LogoutError::Missing)?;
    let now = server.now();
    let token = verify(upstream, text, now).await?;
    let id = token.jwt_id().ok_or(LogoutError::Claims("has no jti"))?;
    let logout = UsedAssertion {
        key: Digest::of_parts(&["logout token", token.issuer(), id]),
        expires_at: token.expires_at(),
    };
    let (person, session) = ((source, token.subject()), token.text_claim("sid"));
    let revoked = server.store.revoke_upstream(&logout, person, session, now).await;
    let revoked = revoked.map_err(Unavailable::from)?.ok_or(LogoutError::Replayed)?;
    for grant in &revoked {
        server.revocations.insert(grant, now);
    }
    server.record(event(request_id, &token, &revoked)).map_err(Unavailable::from)?;
    Ok(())
}

/// Section 2.6.
async fn verify(upstream: &OidcUpstream, text: &str, now: SystemTime) -> Result<VerifiedToken, LogoutError> {
    let verifier = upstream.logout().ok_or(LogoutError::UnknownSource)?;
    let token = match verifier.verify(text, now).await {
        Ok(token) => token,
        Err(VerifyError::KeysUnavailable(error)) => return Err(Unavailable::from(error).into()),
        Err(error) => return Err(LogoutError::Refused(error)),
    };
    let claims = token.claims();
    let is_logout =
        claims.get("events").and_then(|events| events.get(EVENT)).is_some_and(serde_json::Value::is_object);
    if !is_logout {
        return Err(LogoutError::Claims("does not have the back-channel logout event"));
    }
    // An ID token has one, and is no logout token.
    if claims.contains_key("nonce") {
        return Err(LogoutError::Claims("must not have a nonce"));
    }
    Ok(token)
}

fn event(request_id: &RequestId, token: &VerifiedToken, revoked: &[String]) -> Event {
    let party = Party {
        issuer: Some(token.issuer().to_owned()),
        subject: Some(token.subject().to_owned()),
        ..Party::default()
    };
    Event::new(Action::TokenRevoke, Outcome::Success, Arc::new(party))
        .request_id(request_id.0.as_str())
        .reason("upstream_logout")
        .target(revoked.join(" "))
}

fn refuse(server: &Server, error: &LogoutError, request_id: &RequestId) -> Response {
    tracing::warn!(request_id = request_id.0, error = chain(error), "a logout token was not followed");
    let status = match error {
        LogoutError::Unavailable(unavailable) => return unavailable_json(unavailable, &request_id.0),
        LogoutError::UnknownSource => StatusCode::NOT_FOUND,
        LogoutError::Body(BodyError::MediaType { .. }) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        LogoutError::Body(BodyError::TooLarge { .. }) => StatusCode::PAYLOAD_TOO_LARGE,
        LogoutError::Body(BodyError::Params(_))
        | LogoutError::Missing
        | LogoutError::Refused(_)
        | LogoutError::Claims(_)
        | LogoutError::Replayed => StatusCode::BAD_REQUEST,
    };
    let event = Event::new(Action::TokenRevoke, Outcome::Denied, Arc::default());
    server.record_refusal(event.request_id(request_id.0.as_str()).reason("logout_token_refused"));
    oauth_error(status, "invalid_request", &error.to_string())
}
