//! Where an identity provider sends the browser back to: one callback per provider.

use std::sync::Arc;

use audit::{Action, Outcome};
use axum::{
    extract::{Path, State, rejection::PathRejection},
    response::Response,
};
use http::{HeaderMap, Uri};

use crate::{
    caller::Caller,
    identity::{IdentitySource, OidcUpstream, UpstreamError, UpstreamSignIn},
    interaction::{Opened, PageError},
    params::Params,
    random::same,
    server::Server,
    sign_in::{Binding, SignedIn, finish, source, upstream_error},
    store::Stage,
};

/// `GET /callback/<source>`
pub(crate) async fn callback(
    State(server): State<Arc<Server>>,
    caller: Caller,
    source: Result<Path<String>, PathRejection>,
    uri: Uri,
) -> Response {
    let answer = match &source {
        Ok(Path(source)) => receive(&server, &caller, source, &uri).await,
        Err(_) => Err(PageError::UnknownSource),
    };
    answer.unwrap_or_else(|error| error.respond(&server, &caller.request_id))
}

async fn receive(
    server: &Server,
    caller: &Caller,
    source_id: &str,
    uri: &Uri,
) -> Result<Response, PageError> {
    let IdentitySource::Oidc(upstream) = source(server, source_id)?.as_ref() else {
        return Err(PageError::UnknownSource);
    };
    let params = Params::parse(uri.query().unwrap_or_default()).map_err(|_| PageError::Unreadable)?;
    if params.duplicated().is_some() {
        return Err(PageError::Unreadable);
    }
    let (opened, binding) = returned(server, upstream, &caller.headers, &params).await?;
    let request_id = &caller.request_id;
    let identity = match (params.value("error"), params.value("code")) {
        (Some(error), _) => Err(upstream.callback_error(params.value("iss"), error).await),
        (None, Some(code)) => complete(server, upstream, &binding, &params, code).await,
        (None, None) => return Err(PageError::Unreadable),
    };
    match identity {
        Ok(UpstreamSignIn { identity, session, refresh_token }) => {
            let signed_in = SignedIn { source: source_id.to_owned(), identity, session, refresh_token };
            finish(server, caller, &opened, signed_in).await
        }
        Err(error) if error.is_refused() => {
            tracing::info!(request_id = request_id.0, %error, "the identity provider refused a sign-in");
            opened.cancel(server, request_id, Action::Login, error.reason()).await
        }
        Err(error) => {
            let event = opened.event(Action::Login, Outcome::Failure, request_id).reason(error.reason());
            server.record_refusal(event);
            Err(upstream_error(error))
        }
    }
}

/// The sign-in that this browser was sent away for, if it was sent to this provider (SEC-14).
async fn returned(
    server: &Server,
    upstream: &OidcUpstream,
    headers: &HeaderMap,
    params: &Params,
) -> Result<(Opened, Binding), PageError> {
    let state = params.value("state").ok_or(PageError::NoInteraction)?;
    let (id, _) = state.split_once('.').ok_or(PageError::NoInteraction)?;
    let opened = Opened::find(server, headers, id, Stage::SignIn).await?;
    let binding = Binding::new(server, &opened, upstream);
    if same(state, &binding.state) { Ok((opened, binding)) } else { Err(PageError::NoInteraction) }
}

async fn complete(
    server: &Server,
    upstream: &OidcUpstream,
    binding: &Binding,
    params: &Params,
    code: &str,
) -> Result<UpstreamSignIn, UpstreamError> {
    upstream
        .complete(
            &binding.redirect_uri,
            code,
            params.value("iss"),
            &binding.nonce,
            &binding.pkce_verifier,
            server.now(),
        )
        .await
}
