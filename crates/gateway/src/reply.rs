//! The gateway's own answers: one place that turns a refusal into HTTP.

use std::borrow::Cow;

use bytes::Bytes;
use decision::RequestId;
use http::{
    HeaderValue, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use oidc_verify::DpopError;
use role_mapper::DenyReason;
use serde_json::json;

use crate::{
    Denial,
    body::{BodyFault, GatewayBody},
    credentials::Scheme,
    discovery::Challenges,
    rpc::{Disagreement, Failure, Unreadable, failure},
    upstream::UpstreamError,
};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const METHODS: HeaderValue = HeaderValue::from_static("POST, GET, DELETE");
const METADATA_METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");
/// When to try again after a failure of ours, in seconds.
const RETRY: u64 = 5;

/// Why a request is not forwarded, or has no answer.
#[derive(Debug)]
pub(crate) enum Refusal {
    NotFound,
    MetadataMethod,
    Method,
    Host,
    Origin,
    NoToken,
    MalformedToken,
    Denied(Denial, Scheme),
    AuditUnavailable,
    Body(BodyFault, Option<String>),
    Disagreement(Disagreement, Option<String>),
    Upstream(UpstreamError, Option<String>),
}

impl Refusal {
    /// A stable word for metrics and bodies.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::MetadataMethod | Self::Method => "method",
            Self::Host => "host",
            Self::Origin => "origin",
            Self::NoToken => "no_token",
            Self::MalformedToken => "token_header",
            Self::Denied(denial, _) => denial.reason(),
            Self::AuditUnavailable => "audit_unavailable",
            Self::Body(fault, _) => body_reason(*fault),
            Self::Disagreement(..) => "header_mismatch",
            Self::Upstream(error, _) => upstream_reason(error),
        }
    }

    /// The answer. Challenges exist wherever a token is asked for.
    pub(crate) fn into_response(
        self,
        challenges: Option<&Challenges>,
        request: &RequestId,
    ) -> Response<GatewayBody> {
        let reason = self.reason();
        match self {
            Self::NotFound => plain(StatusCode::NOT_FOUND, "not_found", "there is nothing here", request),
            Self::MetadataMethod | Self::Method => {
                let allowed = if matches!(self, Self::Method) { METHODS } else { METADATA_METHODS };
                let mut response = plain(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "method_not_allowed",
                    "this method is not supported here",
                    request,
                );
                response.headers_mut().insert(ALLOW, allowed);
                response
            }
            Self::Host => bad_request("send exactly one Host header", request),
            Self::Origin => plain(
                StatusCode::FORBIDDEN,
                "origin_not_allowed",
                "pages of this origin may not call this service",
                request,
            ),
            Self::NoToken => challenged(
                StatusCode::UNAUTHORIZED,
                challenges.map(|challenges| &challenges.plain),
                "unauthorized",
                "an access token is needed",
                request,
            ),
            Self::MalformedToken => challenged(
                StatusCode::BAD_REQUEST,
                challenges.map(|challenges| &challenges.invalid_request),
                "invalid_request",
                "send exactly one Authorization header with one token",
                request,
            ),
            Self::Denied(denial, scheme) => denied(&denial, scheme, challenges, request),
            Self::AuditUnavailable => unavailable(
                "the call cannot be recorded now, and what cannot be recorded is not done",
                request,
            ),
            Self::Body(fault, id) => {
                let (status, kind) = body_answer(fault);
                rpc(status, kind, id.as_deref(), &fault.to_string(), reason, request)
            }
            Self::Disagreement(error, id) => rpc(
                StatusCode::BAD_REQUEST,
                Failure::HeaderMismatch,
                id.as_deref(),
                &error.to_string(),
                reason,
                request,
            ),
            Self::Upstream(error, id) => rpc(
                upstream_status(&error),
                Failure::Internal,
                id.as_deref(),
                &error.to_string(),
                reason,
                request,
            ),
        }
    }
}

fn denied(
    denial: &Denial,
    scheme: Scheme,
    challenges: Option<&Challenges>,
    request: &RequestId,
) -> Response<GatewayBody> {
    let of_scheme = challenges.map(|challenges| match scheme {
        Scheme::Bearer => &challenges.bearer,
        Scheme::Dpop => &challenges.dpop,
    });
    match denial {
        Denial::Limited(limited) => {
            let text = format!("too many calls, the next is allowed in {} s", limited.retry_after_seconds());
            let response = plain(StatusCode::TOO_MANY_REQUESTS, "rate_limited", text, request);
            with_retry(response, limited.retry_after_seconds())
        }
        denial if denial.is_transient() => unavailable("the call cannot be decided now", request),
        Denial::Scope => challenged(
            StatusCode::FORBIDDEN,
            of_scheme.map(|challenges| &challenges.insufficient_scope),
            "insufficient_scope",
            "the access token lacks a scope of this resource",
            request,
        ),
        // A person who was deactivated is signed out, at once.
        Denial::Token(_)
        | Denial::Audience
        | Denial::OwnClaim(_)
        | Denial::Revoked
        | Denial::Mapping(DenyReason::InactiveSubject | DenyReason::InactiveTenant) => challenged(
            StatusCode::UNAUTHORIZED,
            of_scheme.map(|challenges| &challenges.invalid_token),
            "invalid_token",
            "the access token is expired, revoked or not for this resource",
            request,
        ),
        Denial::Confirmation
        | Denial::Downgraded
        | Denial::NotBound
        | Denial::Proof(_)
        | Denial::NonceNeeded(_)
        | Denial::Replayed => unproven(denial, challenges, request),
        // No error code: none of RFC 6750 fits, and another token would not help.
        _ => challenged(
            StatusCode::FORBIDDEN,
            of_scheme.map(|challenges| &challenges.plain),
            "access_denied",
            "no role is granted to you for this service; an administrator can find out why by the request_id",
            request,
        ),
    }
}

/// RFC 9449 §7.1 and §9: the challenge is of the scheme that would be right. What it says of a proof's faults is for the
/// developer of the client, who made it.
fn unproven(denial: &Denial, challenges: Option<&Challenges>, request: &RequestId) -> Response<GatewayBody> {
    let (challenge, error): (fn(&Challenges) -> &HeaderValue, _) = match denial {
        Denial::NonceNeeded(_) => (|challenges| &challenges.use_dpop_nonce, "use_dpop_nonce"),
        Denial::Proof(fault) if *fault != DpopError::OtherKey => {
            (|challenges| &challenges.invalid_dpop_proof, "invalid_dpop_proof")
        }
        Denial::Replayed => (|challenges| &challenges.invalid_dpop_proof, "invalid_dpop_proof"),
        _ => (|challenges| &challenges.dpop.invalid_token, "invalid_token"),
    };
    let mut response =
        challenged(StatusCode::UNAUTHORIZED, challenges.map(challenge), error, denial.to_string(), request);
    if let Denial::NonceNeeded(nonce) = denial
        && let Ok(nonce) = HeaderValue::from_str(nonce)
    {
        response.headers_mut().insert("dpop-nonce", nonce);
    }
    response
}

fn body_reason(fault: BodyFault) -> &'static str {
    match fault {
        BodyFault::Unreadable(Unreadable::Batch) => "batch",
        BodyFault::Unreadable(Unreadable::NotAMessage) => "not_a_message",
        BodyFault::Unreadable(Unreadable::Ambiguous) => "ambiguous_message",
        BodyFault::Unreadable(Unreadable::TooDeep) => "message_too_deep",
        BodyFault::Unreadable(Unreadable::TooLong) => "member_too_long",
        BodyFault::Unreadable(Unreadable::Late) => "method_too_late",
        BodyFault::Unexpected => "body_unexpected",
        BodyFault::TooLong => "body_too_long",
        BodyFault::Stalled => "body_stalled",
        BodyFault::Broken => "body_broken",
    }
}

fn body_answer(fault: BodyFault) -> (StatusCode, Failure) {
    match fault {
        BodyFault::Unreadable(Unreadable::NotAMessage) => (StatusCode::BAD_REQUEST, Failure::Parse),
        BodyFault::Unreadable(_) | BodyFault::Unexpected | BodyFault::Broken => {
            (StatusCode::BAD_REQUEST, Failure::InvalidRequest)
        }
        BodyFault::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, Failure::InvalidRequest),
        BodyFault::Stalled => (StatusCode::REQUEST_TIMEOUT, Failure::InvalidRequest),
    }
}

fn upstream_reason(error: &UpstreamError) -> &'static str {
    match error {
        UpstreamError::Connect(_) => "upstream_connect",
        UpstreamError::ConnectTimeout => "upstream_connect_timeout",
        UpstreamError::Broken(_) => "upstream_broken",
        UpstreamError::ResponseTimeout => "upstream_timeout",
        UpstreamError::Switched => "upstream_switched",
        UpstreamError::Challenged => "upstream_challenged",
        UpstreamError::Body(fault) => body_reason(*fault),
    }
}

fn upstream_status(error: &UpstreamError) -> StatusCode {
    match error {
        UpstreamError::ConnectTimeout | UpstreamError::ResponseTimeout => StatusCode::GATEWAY_TIMEOUT,
        UpstreamError::Connect(_)
        | UpstreamError::Broken(_)
        | UpstreamError::Switched
        | UpstreamError::Challenged => StatusCode::BAD_GATEWAY,
        UpstreamError::Body(fault) => body_answer(*fault).0,
    }
}

fn bad_request(text: &'static str, request: &RequestId) -> Response<GatewayBody> {
    plain(StatusCode::BAD_REQUEST, "invalid_request", text, request)
}

fn unavailable(text: &'static str, request: &RequestId) -> Response<GatewayBody> {
    with_retry(plain(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", text, request), RETRY)
}

fn with_retry(mut response: Response<GatewayBody>, seconds: u64) -> Response<GatewayBody> {
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

fn challenged(
    status: StatusCode,
    challenge: Option<&HeaderValue>,
    error: &'static str,
    text: impl Into<Cow<'static, str>>,
    request: &RequestId,
) -> Response<GatewayBody> {
    let mut response = plain(status, error, text, request);
    if let Some(challenge) = challenge {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge.clone());
    }
    response
}

fn plain(
    status: StatusCode,
    error: &'static str,
    text: impl Into<Cow<'static, str>>,
    request: &RequestId,
) -> Response<GatewayBody> {
    let body = json!({ "error": error, "error_description": text.into(), "request_id": request.as_str() });
    answer(status, Bytes::from(body.to_string()))
}

fn rpc(
    status: StatusCode,
    kind: Failure,
    id: Option<&str>,
    text: &str,
    reason: &str,
    request: &RequestId,
) -> Response<GatewayBody> {
    answer(status, failure(kind, id, text, reason, request.as_str()))
}

fn answer(status: StatusCode, body: Bytes) -> Response<GatewayBody> {
    let mut response = Response::new(GatewayBody::own(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    response
}

/// A discovery document.
pub(crate) fn document(body: Bytes) -> Response<GatewayBody> {
    let mut response = answer(StatusCode::OK, body);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response<GatewayBody> {
    let mut response = Response::new(GatewayBody::own(Bytes::new()));
    *response.status_mut() = status;
    response
}
