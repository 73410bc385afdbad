//! What every route can run into, and the answers in OAuth's JSON form.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

use crate::{
    client_authn::keys::ClientKeysUnavailable, client_documents::DocumentError, identity::UpstreamError,
    keys::SigningFailed, random::RandomnessUnavailable, seal::SealError, store::StoreError,
};

/// How many seconds a client is asked to wait when something behind this server is down.
pub(crate) const RETRY_AFTER: u64 = 5;

/// Something this server depends on is down. Nothing was done, and trying again later may work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Unavailable {
    /// The store failed, or the audit log could not record the change.
    #[error("the store did not carry out the change")]
    Store(#[from] StoreError),
    /// No random bytes.
    #[error("nothing unguessable can be made")]
    Randomness(#[from] RandomnessUnavailable),
    /// The time for the request ran out, in this server or while its body was awaited.
    #[error("the request took too long")]
    TooSlow,
    /// No signature.
    #[error("no token can be signed")]
    Signing(#[from] SigningFailed),
    /// What a client publishes cannot be read.
    #[error(transparent)]
    ClientKeys(#[from] ClientKeysUnavailable),
    /// What a client publishes about itself cannot be read at present.
    #[error("the client's document is unavailable")]
    Document(#[source] DocumentError),
    /// Another issuer does not tell its keys.
    #[error("the keys of an issuer cannot be read")]
    IssuerKeys(#[from] oidc_verify::KeysUnavailable),
    /// The identity provider does not answer.
    #[error("the identity provider cannot be asked")]
    Upstream(#[from] UpstreamError),
    /// A secret cannot be sealed.
    #[error("a secret cannot be kept")]
    Sealing(#[from] SealError),
    /// The audit log is down.
    #[error("nothing can be recorded")]
    Audit(#[from] audit::AuditUnavailable),
}

impl Unavailable {
    /// Logs the chain, once, where the answer is made.
    pub(crate) fn log(&self, request_id: &str) {
        tracing::error!(request_id, error = chain(self), "a request was answered 503");
    }
}

/// An error with everything that caused it, on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Asks the client to come back after so many seconds.
pub(crate) fn with_retry_after(mut response: Response, seconds: u64) -> Response {
    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    response
}

/// An OAuth error as JSON (RFC 6749 §5.2, RFC 7591 §3.2.2).
pub(crate) fn oauth_error(status: StatusCode, error: &str, description: &str) -> Response {
    let mut body = Map::new();
    body.insert("error".into(), error.into());
    body.insert("error_description".into(), description.into());
    json_no_store(status, &Value::Object(body))
}

/// A JSON answer that nobody may keep.
pub(crate) fn json_no_store(status: StatusCode, body: &Value) -> Response {
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// The 503 of every JSON route.
pub(crate) fn unavailable_json(error: &Unavailable, request_id: &str) -> Response {
    error.log(request_id);
    let text = "the authorization server cannot do this now; try again in a few seconds";
    with_retry_after(
        oauth_error(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", text),
        RETRY_AFTER,
    )
}
