//! What a request must be before it is looked at, and answers in words where the transport has none.

use std::time::Duration;

use axum::{
    Json,
    extract::Request,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, StatusCode, Uri, header};
use serde_json::json;

/// How long one request may take, from its head to its answer: a body that trickles in and a tool that hangs end here.
const DEADLINE: Duration = Duration::from_mins(1);

/// Refuses what is ambiguous, and bounds the time of what is not.
pub(crate) async fn wire_layer(request: Request, next: Next) -> Response {
    if !names_one_host(request.uri(), request.headers()) {
        return error(StatusCode::BAD_REQUEST, -32600, "the request names several hosts");
    }
    let is_json = is_json(request.headers());
    match tokio::time::timeout(DEADLINE, next.run(request)).await {
        // To the transport, JSON that it cannot read is another media type.
        Ok(answer) if is_json && answer.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            error(StatusCode::BAD_REQUEST, -32700, "the body is not a JSON-RPC message")
        }
        Ok(answer) => answer,
        Err(_) => error(StatusCode::GATEWAY_TIMEOUT, -32000, "the request took too long"),
    }
}

/// The transport (SEC-46) compares one `Host` with those that are allowed; there must not be another.
fn names_one_host(uri: &Uri, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (host, further) = (hosts.next(), hosts.next());
    let agrees = uri.authority().is_none_or(|authority| host.is_some_and(|host| host == authority.as_str()));
    further.is_none() && agrees
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    media_type.is_some_and(|text| text.starts_with("application/json"))
}

/// The id of the request is not known here.
fn error(status: StatusCode, code: i32, message: &str) -> Response {
    let body = json!({ "jsonrpc": "2.0", "id": null, "error": { "code": code, "message": message } });
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
