//! Pushed authorization requests (RFC 9126): the client hands its parameters in itself, the browser brings only a handle.

use std::{sync::Arc, time::Duration};

use axum::{Extension, body::Body, extract::State, response::Response};
use http::{HeaderMap, StatusCode, Uri};
use oidc_verify::DpopProof;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::{
    authorize::{RequestError, accept, known_redirect},
    client_authn::authenticate,
    clock::after,
    dpop,
    error::{Unavailable, json_no_store, oauth_error},
    exchange::{TokenError, read_strict_form, refuse},
    http_layer::RequestId,
    interaction::PageError,
    random::{Digest, secret},
    server::Server,
    store::{Client, CodeRequest, PushedRequest},
};

/// What every handle starts with (RFC 9126 §2.2).
const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// How long the browser may take to come: only a redirect is in between.
const LIFETIME: Duration = Duration::from_mins(1);

/// Why a request is not taken in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
enum PushError {
    /// What can be wrong at `/token` too.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The redirect.
    #[error("redirect_uri is not one of the client's allowed ones, or is missing although there are several")]
    Redirect,
    /// RFC 9126 §2.1: there is nothing to push in a handle.
    #[error("request_uri cannot be pushed")]
    RequestUri,
    /// What can be wrong at `/authorize` too.
    #[error(transparent)]
    Request(#[from] RequestError),
}

/// `POST /par`
pub(crate) async fn push(
    State(server): State<Arc<Server>>,
    Extension(request_id): Extension<RequestId>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match try_push(&server, &uri, &headers, body).await {
        Ok(response) => response,
        Err(PushError::Token(error)) => refuse(&error, &request_id),
        Err(error) => {
            tracing::info!(request_id = request_id.0, error = %error, "a pushed request was refused");
            let code = match &error {
                PushError::Request(error) => error.code(),
                _ => "invalid_request",
            };
            oauth_error(StatusCode::BAD_REQUEST, code, &error.to_string())
        }
    }
}

async fn try_push(
    server: &Server,
    uri: &Uri,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, PushError> {
    let form = read_strict_form(uri, headers, body).await?;
    let client = authenticate(server, headers, &form).await.map_err(TokenError::from)?;
    let now = server.now();
    let proof = dpop::proof(server, headers, uri.path(), now).map_err(TokenError::from)?;
    if form.value("request_uri").is_some() {
        return Err(PushError::RequestUri);
    }
    let to = known_redirect(server, &client, &form).map_err(|_| PushError::Redirect)?;
    let request = accept(server, &client, &to, &form, proof.as_ref().map(DpopProof::thumbprint))?;
    if let Some(proof) = &proof {
        dpop::use_up(server, proof, now).await.map_err(TokenError::from)?;
    }
    let handle = secret(server.randomness.as_ref()).map_err(unavailable)?;
    let expires_at = after(now, LIFETIME);
    let pushed = PushedRequest { digest: Digest::of(&handle), request, expires_at };
    server.store.insert_pushed(&pushed, server.config.max_pushed_requests).await.map_err(unavailable)?;
    let body = json!({
        "request_uri": format!("{PREFIX}{}", handle.expose_secret()),
        "expires_in": LIFETIME.as_secs(),
    });
    let mut response = json_no_store(StatusCode::CREATED, &body);
    if proof.is_some() {
        server.dpop.hand_out_nonce(&mut response, now);
    }
    Ok(response)
}

fn unavailable(error: impl Into<Unavailable>) -> PushError {
    PushError::Token(TokenError::Unavailable(error.into()))
}

/// Whether a `request_uri` has the form of ours.
pub(crate) fn is_handle(request_uri: &str) -> bool {
    request_uri.starts_with(PREFIX)
}

/// Takes out what a client pushed. Nothing else that the browser brings along counts (RFC 9126 §4). What may have changed
/// since is looked at again when the interaction is opened.
pub(crate) async fn take(
    server: &Server,
    client: &Client,
    request_uri: &str,
) -> Result<CodeRequest, PageError> {
    let handle = request_uri.strip_prefix(PREFIX).ok_or(PageError::NoPushedRequest)?;
    let digest = Digest::of_text(handle);
    let taken = server.store.take_pushed(&digest, &client.id, server.now()).await;
    taken.map_err(Unavailable::from)?.ok_or(PageError::NoPushedRequest)
}
