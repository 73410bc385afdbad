//! What every answer has in common: a request id, a time within which it comes, and for browser clients CORS.

use std::{future::Future, sync::Arc};

use axum::{
    Extension,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use crate::{
    error::{Unavailable, unavailable_json},
    interaction::PageError,
    random::identifier,
    server::Server,
};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The identifier of a request, by which the pages and the audit log refer to it. A binary that has its own puts it into
/// the request's extensions; otherwise this server makes one. It is never the client's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub String);

/// Gives each request its identifier and names it in the answer.
pub(crate) async fn request_id(
    State(server): State<Arc<Server>>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = match request.extensions().get::<RequestId>() {
        Some(id) => id.clone(),
        None => match identifier(server.randomness.as_ref()) {
            Ok(id) => RequestId(id),
            Err(error) => return unavailable_json(&Unavailable::Randomness(error), ""),
        },
    };
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    response
}

/// Answers a client 503 when its request takes too long (SEC-55). What was under way is abandoned as if the client had gone
/// away: a change is made as a whole or not at all.
pub(crate) async fn json_in_time(
    State(server): State<Arc<Server>>,
    Extension(request_id): Extension<RequestId>,
    request: Request,
    next: Next,
) -> Response {
    let answer = in_time(&server, next.run(request)).await;
    answer.unwrap_or_else(|error| unavailable_json(&error, &request_id.0))
}

/// The same for a person, who gets a page.
pub(crate) async fn page_in_time(
    State(server): State<Arc<Server>>,
    Extension(request_id): Extension<RequestId>,
    request: Request,
    next: Next,
) -> Response {
    let answer = in_time(&server, next.run(request)).await;
    answer.unwrap_or_else(|error| PageError::Unavailable(error).respond(&server, &request_id))
}

async fn in_time(server: &Server, answer: impl Future<Output = Response>) -> Result<Response, Unavailable> {
    let answer = tokio::time::timeout(server.config.request_timeout, answer).await;
    answer.map_err(|_| Unavailable::TooSlow)
}

/// Lets clients that run in a browser read these answers. No answer depends on a cookie, so any origin may.
pub(crate) async fn cors(request: Request, next: Next) -> Response {
    let preflight = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response =
        if preflight { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    if preflight {
        allow_preflight(headers);
    } else {
        let exposed = HeaderValue::from_static("dpop-nonce, retry-after, www-authenticate, x-request-id");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    response
}

fn allow_preflight(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, DELETE"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, dpop, mcp-protocol-version"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
