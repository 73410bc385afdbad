//! Proof of possession at this server's endpoints (RFC 9449 §5, §8 and §10).

use std::{num::NonZeroU32, time::SystemTime};

use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use oidc_verify::{
    DpopCall, DpopError, DpopNonces, DpopProof, DpopServer, DpopUrl, DpopWindow, KeyThumbprint, NonceRule,
    verify_dpop,
};

use crate::{
    config::OAuthConfig,
    error::{Unavailable, oauth_error, unavailable_json},
    http_layer::RequestId,
    secret::ServerSecret,
    server::Server,
};

const DPOP: HeaderName = HeaderName::from_static("dpop");
const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// How long each nonce is the current one, in seconds.
const NONCE_PERIOD: NonZeroU32 = NonZeroU32::new(300).unwrap();

/// Why a proof does not count here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ProofError {
    /// It is wrong.
    #[error(transparent)]
    Refused(#[from] DpopError),
    /// It needs a nonce, this one (RFC 9449 §8).
    #[error("{}", DpopError::Nonce)]
    Nonce(String),
    /// It came a second time.
    #[error("the DPoP proof was used before: make one for each request")]
    Used,
    /// Whether it was used before cannot be said.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl ProofError {
    /// The answer (RFC 9449 §5 and §8).
    pub(crate) fn respond(&self, request_id: &RequestId) -> Response {
        let (code, nonce) = match self {
            Self::Unavailable(error) => return unavailable_json(error, &request_id.0),
            Self::Nonce(nonce) => ("use_dpop_nonce", HeaderValue::from_str(nonce).ok()),
            Self::Refused(_) | Self::Used => ("invalid_dpop_proof", None),
        };
        let mut response = oauth_error(StatusCode::BAD_REQUEST, code, &self.to_string());
        response.headers_mut().extend(nonce.map(|nonce| (DPOP_NONCE, nonce)));
        response
    }
}

/// What proofs are checked with.
pub(crate) struct DpopRules {
    nonces: DpopNonces,
    is_nonce_required: bool,
}

impl DpopRules {
    pub(crate) fn new(secret: &ServerSecret, config: &OAuthConfig) -> Self {
        let secret = secret.derive("dpop nonces", &[]).to_bytes();
        Self {
            nonces: DpopNonces::new(&secret, DpopServer::Authorization, NONCE_PERIOD),
            is_nonce_required: config.dpop_nonce_required,
        }
    }

    /// Tells a client that sent a proof which nonce the next one needs, before an error must (§8.2).
    pub(crate) fn hand_out_nonce(&self, response: &mut Response, now: SystemTime) {
        if self.is_nonce_required {
            let nonce = HeaderValue::from_str(&self.nonces.current(now)).ok();
            response.headers_mut().extend(nonce.map(|nonce| (DPOP_NONCE, nonce)));
        }
    }
}

/// The proof of a request to `path`, if it has one. Where the request went is the public URL and that path: what `Host`
/// says does not count.
pub(crate) fn proof(
    server: &Server,
    headers: &HeaderMap,
    path: &str,
    now: SystemTime,
) -> Result<Option<DpopProof>, ProofError> {
    if !headers.contains_key(DPOP) {
        return Ok(None);
    }
    check(server, headers, ("POST", path), None, now).map(Some)
}

/// The proof that comes with an access token bound to this key (§7.1).
pub(crate) fn proof_with(
    server: &Server,
    headers: &HeaderMap,
    call: (&str, &str),
    (token, bound_to): (&str, KeyThumbprint),
    now: SystemTime,
) -> Result<DpopProof, ProofError> {
    check(server, headers, call, Some((token, bound_to)), now)
}

fn check(
    server: &Server,
    headers: &HeaderMap,
    (method, path): (&str, &str),
    token: Option<(&str, KeyThumbprint)>,
    now: SystemTime,
) -> Result<DpopProof, ProofError> {
    let url = DpopUrl::parse(&server.config.url_of(path)).map_err(|_| DpopError::Url)?;
    let rules = &server.dpop;
    let nonces = if rules.is_nonce_required { NonceRule::Required } else { NonceRule::Optional };
    let call = DpopCall {
        method,
        url: &url,
        now,
        window: DpopWindow::default(),
        nonces: nonces(&rules.nonces),
        access_token: token.map(|(token, _)| token),
        thumbprint: token.map(|(_, bound_to)| bound_to),
    };
    match verify_dpop(headers.get_all(DPOP).iter().map(HeaderValue::as_bytes), &call) {
        Err(DpopError::Nonce) => Err(ProofError::Nonce(rules.nonces.current(now))),
        checked => Ok(checked?),
    }
}

/// Uses a proof up, at all replicas: the second one to come with it is refused.
///
/// To be called when everything else about the request is right: strangers must not fill the store with proofs that
/// anybody can make.
pub(crate) async fn use_up(server: &Server, proof: &DpopProof, now: SystemTime) -> Result<(), ProofError> {
    let key = server.secret.derive("dpop proof", &[&proof.replay_key()]);
    let first = server.store.use_once(&key, proof.expires_at(), now).await.map_err(Unavailable::from)?;
    if first { Ok(()) } else { Err(ProofError::Used) }
}

/// The key that an authorization request asks its code to be bound to (§10 and §10.1): by `dpop_jkt`, or by a proof where
/// the request is pushed. Both may come if they mean the same.
pub(crate) fn requested_key(
    dpop_jkt: Option<&str>,
    proven: Option<KeyThumbprint>,
) -> Result<Option<KeyThumbprint>, BadThumbprint> {
    let named = dpop_jkt.map(str::parse::<KeyThumbprint>).transpose().map_err(|_| BadThumbprint)?;
    match (named, proven) {
        (Some(named), Some(proven)) if named != proven => Err(BadThumbprint),
        (named, proven) => Ok(named.or(proven)),
    }
}

/// `dpop_jkt` is no thumbprint, or not the one of the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadThumbprint;
