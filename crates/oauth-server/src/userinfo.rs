//! `/userinfo` (OpenID Connect Core §5.3): what a client may know of the person whose access token it holds.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    caller::Caller,
    dpop::{self, ProofError},
    error::{Unavailable, json_no_store, oauth_error, unavailable_json},
    openid::{self, OPENID},
    server::Server,
};

/// Why nothing is told (RFC 6750 §3.1).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
enum Refused {
    /// No token, or several.
    #[error("send the access token in one Authorization header")]
    NoToken,
    /// No live token of this server.
    #[error("the access token is invalid, expired or revoked")]
    Token,
    /// Not for this.
    #[error("the access token lacks the scope openid")]
    Scope,
    /// The proof that a bound token needs.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// Something is down.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// How the token was presented.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Bearer,
    Dpop,
}

/// `GET /userinfo` and `POST /userinfo`
pub(crate) async fn userinfo(State(server): State<Arc<Server>>, method: Method, caller: Caller) -> Response {
    match tell(&server, &method, &caller.headers).await {
        Ok(told) => json_no_store(StatusCode::OK, &told),
        Err(error) => refuse(&error, &caller),
    }
}

async fn tell(server: &Server, method: &Method, headers: &HeaderMap) -> Result<Value, Refused> {
    let (scheme, token) = presented(headers).ok_or(Refused::NoToken)?;
    let now = server.now();
    let verified = server.own_tokens.verify(token, now).await.map_err(|_| Refused::Token)?;
    let proof = match (verified.claims().get("cnf"), scheme) {
        (None, Scheme::Bearer) => None,
        // A bound token is worth nothing without proof of its key (RFC 9449 §7.1).
        (Some(cnf), Scheme::Dpop) => {
            let bound_to = cnf.get("jkt").and_then(Value::as_str).and_then(|jkt| jkt.parse().ok());
            let bound = (token, bound_to.ok_or(Refused::Token)?);
            Some(dpop::proof_with(server, headers, (method.as_str(), "/userinfo"), bound, now)?)
        }
        (None, Scheme::Dpop) | (Some(_), Scheme::Bearer) => return Err(Refused::Token),
    };
    let session = verified.text_claim("sid").ok_or(Refused::Token)?;
    // The store, not the view: another replica may have revoked it just now.
    let grant = server.store.grant(session).await.map_err(Unavailable::from)?;
    let grant = grant.filter(|grant| grant.revoked_at.is_none() && grant.expires_at > now);
    let grant = grant.filter(|grant| grant.kind.is_of_person()).ok_or(Refused::Token)?;
    let scope = verified.text_claim("scope").unwrap_or_default();
    if !openid::has(scope, OPENID) {
        return Err(Refused::Scope);
    }
    if let Some(proof) = &proof {
        dpop::use_up(server, proof, now).await?;
    }
    let mut told = openid::described(&grant.identity, scope);
    told.insert("sub".to_owned(), json!(openid::subject(&grant.identity)));
    Ok(Value::Object(told))
}

/// The token of exactly one `Authorization` header.
fn presented(headers: &HeaderMap) -> Option<(Scheme, &str)> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let scheme = match scheme {
        _ if scheme.eq_ignore_ascii_case("bearer") => Scheme::Bearer,
        _ if scheme.eq_ignore_ascii_case("dpop") => Scheme::Dpop,
        _ => return None,
    };
    (!token.is_empty()).then_some((scheme, token))
}

fn refuse(error: &Refused, caller: &Caller) -> Response {
    let (status, code, challenge) = match error {
        Refused::NoToken => (StatusCode::UNAUTHORIZED, "invalid_request", "Bearer"),
        Refused::Token => (StatusCode::UNAUTHORIZED, "invalid_token", "Bearer error=\"invalid_token\""),
        Refused::Scope => (
            StatusCode::FORBIDDEN,
            "insufficient_scope",
            "Bearer error=\"insufficient_scope\", scope=\"openid\"",
        ),
        Refused::Proof(ProofError::Unavailable(error)) | Refused::Unavailable(error) => {
            return unavailable_json(error, &caller.request_id.0);
        }
        Refused::Proof(error) => return refuse_proof(error, caller),
    };
    tracing::info!(request_id = caller.request_id.0, %error, "nothing was told at /userinfo");
    let mut response = oauth_error(status, code, &error.to_string());
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}

/// RFC 9449 §7.1 and §9.
fn refuse_proof(error: &ProofError, caller: &Caller) -> Response {
    let challenge = match error {
        ProofError::Nonce(_) => "DPoP error=\"use_dpop_nonce\"",
        _ => "DPoP error=\"invalid_dpop_proof\"",
    };
    let mut response = error.respond(&caller.request_id);
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}
