//! Proof of possession by DPoP (RFC 9449): does the sender of this very request hold the key?

mod error;
mod nonces;
mod thumbprint;
mod url;

use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{Context, SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

pub use self::error::DpopError;
pub use self::nonces::{DpopNonces, DpopServer, NonceRule};
pub use self::thumbprint::{KeyThumbprint, NotAThumbprint};
pub use self::url::{DpopUrl, DpopUrlError};
use crate::algorithm::Algorithm;
use crate::claims::date;
use crate::jws::Compact;
use crate::keys::VerificationKey;

/// The algorithms that a proof may be signed with, as metadata publish them. `Ed25519` is the newer name of `EdDSA`
/// (RFC 9864).
pub const DPOP_ALGORITHMS: [&str; 6] = ["ES256", "ES384", "EdDSA", "Ed25519", "PS256", "RS256"];

/// The longest proof that is looked at, in bytes: room for an RSA key of 8192 bits.
pub const DPOP_MAX_PROOF_BYTES: usize = 8 * 1024;

/// The longest `jti` and `nonce`, in bytes.
const MAX_ID_BYTES: usize = 256;

/// How far the `iat` of a proof may be from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DpopWindow {
    /// How old a proof may be.
    pub past: Duration,
    /// How far ahead of ours the client's clock may be.
    pub future: Duration,
}

impl Default for DpopWindow {
    /// 60 s back, 5 s ahead.
    fn default() -> Self {
        Self { past: Duration::from_mins(1), future: Duration::from_secs(5) }
    }
}

/// The request that a proof must be for.
#[derive(Clone, Copy, Debug)]
pub struct DpopCall<'a> {
    /// The method of the request.
    pub method: &'a str,
    /// Where the request went, under the configured public URL: what `Host` says does not count (SEC-31).
    pub url: &'a DpopUrl,
    /// The time.
    pub now: SystemTime,
    /// How far `iat` may be from it.
    pub window: DpopWindow,
    /// Which nonces count, and whether one is needed.
    pub nonces: NonceRule<'a>,
    /// The access token that comes with the proof: `ath` must be its hash. `None` where tokens are asked for.
    pub access_token: Option<&'a str>,
    /// The key that it must be, from `cnf.jkt` or a grant. `None` when any key will do.
    pub thumbprint: Option<KeyThumbprint>,
}

/// The sender of one request held this key when it sent it. Only [`verify_dpop`] makes one.
///
/// Whether the proof was used before is for the caller to refuse: [`replay_key`](Self::replay_key) is to be kept until
/// [`expires_at`](Self::expires_at).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DpopProof {
    thumbprint: KeyThumbprint,
    jwt_id: String,
    issued_at: SystemTime,
    expires_at: SystemTime,
    replay_key: [u8; 32],
}

impl DpopProof {
    /// The key, by its RFC 7638 thumbprint.
    #[must_use]
    pub fn thumbprint(&self) -> KeyThumbprint {
        self.thumbprint
    }

    /// `jti`, never empty.
    #[must_use]
    pub fn jwt_id(&self) -> &str {
        &self.jwt_id
    }

    /// `iat`.
    #[must_use]
    pub fn issued_at(&self) -> SystemTime {
        self.issued_at
    }

    /// From when on the proof would be refused for its age alone, also by a server whose clock is behind ours by as much
    /// as a client's may be ahead.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }

    /// SHA-256 of the key, the `jti` and the URL, each with its length: what must not come twice (RFC 9449 §11.1).
    #[must_use]
    pub fn replay_key(&self) -> [u8; 32] {
        self.replay_key
    }
}

/// Checks one proof against the request that it came with (RFC 9449 §4.3), all but whether it was used before.
///
/// `headers` are the values of all `DPoP` headers of the request, as received.
///
/// # Errors
/// [`DpopError`] with the first thing that is wrong.
pub fn verify_dpop<'h>(
    headers: impl IntoIterator<Item = &'h [u8]>,
    call: &DpopCall<'_>,
) -> Result<DpopProof, DpopError> {
    let proof = Compact::parse(only(headers)?).map_err(DpopError::Malformed)?;
    // What is cheap to see comes before the signature.
    let algorithm = check_header(&proof)?;
    let (jwt_id, issued_at) = check_claims(&proof.claims, call)?;
    let jwk = proof.header.get("jwk").ok_or(DpopError::Header("jwk"))?;
    let key = VerificationKey::embedded(jwk, algorithm).map_err(DpopError::Key)?;
    let thumbprint = KeyThumbprint::of_admitted(jwk).ok_or(DpopError::Header("jwk"))?;
    if call.thumbprint.is_some_and(|expected| expected != thumbprint) {
        return Err(DpopError::OtherKey);
    }
    key.verify(proof.signed, &proof.signature).map_err(|_| DpopError::Signature)?;
    Ok(DpopProof {
        thumbprint,
        replay_key: replay_key(thumbprint, jwt_id, call.url),
        jwt_id: jwt_id.to_owned(),
        issued_at,
        expires_at: issued_at + call.window.past + call.window.future,
    })
}

/// RFC 9449 §4.3, check 1. A header that lists two values is one that something joined: the comma is in no JWT.
fn only<'h>(headers: impl IntoIterator<Item = &'h [u8]>) -> Result<&'h str, DpopError> {
    let mut headers = headers.into_iter();
    let value = headers.next().ok_or(DpopError::Missing)?;
    if headers.next().is_some() || value.contains(&b',') {
        return Err(DpopError::Several);
    }
    if value.len() > DPOP_MAX_PROOF_BYTES {
        return Err(DpopError::TooLong);
    }
    std::str::from_utf8(value).map_err(|_| DpopError::NotText)
}

/// Checks 3 to 5: the type, the extensions, and an asymmetric algorithm of ours.
fn check_header(proof: &Compact<'_>) -> Result<Algorithm, DpopError> {
    if let Some(name) = proof.extension() {
        return Err(DpopError::Extension(name));
    }
    let text =
        |name: &'static str| proof.header.get(name).and_then(Value::as_str).ok_or(DpopError::Header(name));
    if text("typ")? != "dpop+jwt" {
        return Err(DpopError::Type);
    }
    let algorithm = text("alg")?;
    if !DPOP_ALGORITHMS.contains(&algorithm) {
        return Err(DpopError::Algorithm);
    }
    algorithm.parse().map_err(|_| DpopError::Algorithm)
}

/// Checks 8 to 12, without the key: gives `jti` and `iat`.
fn check_claims<'c>(
    claims: &'c Map<String, Value>,
    call: &DpopCall<'_>,
) -> Result<(&'c str, SystemTime), DpopError> {
    let jwt_id = required(claims, "jti")?;
    if jwt_id.is_empty() || jwt_id.len() > MAX_ID_BYTES {
        return Err(DpopError::Claim("jti"));
    }
    if required(claims, "htm")? != call.method {
        return Err(DpopError::Method);
    }
    let url = DpopUrl::parse(required(claims, "htu")?).map_err(|_| DpopError::Claim("htu"))?;
    if url != *call.url {
        return Err(DpopError::Url);
    }
    let issued_at = check_times(claims, call)?;
    check_nonce(claims, call)?;
    if let Some(token) = call.access_token {
        let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes()));
        if required(claims, "ath")? != hash {
            return Err(DpopError::AccessToken);
        }
    }
    Ok((jwt_id, issued_at))
}

fn check_times(claims: &Map<String, Value>, call: &DpopCall<'_>) -> Result<SystemTime, DpopError> {
    let read = |name| date(claims, name, f64::floor).map_err(|_| DpopError::Claim(name));
    let issued_at = read("iat")?.ok_or(DpopError::Claim("iat"))?;
    // `exp` and `nbf` are not asked for, but mean what they mean in every JWT (RFC 7519 §4.1.4 and §4.1.5).
    let has_ended = read("exp")?.is_some_and(|end| call.now >= end);
    if has_ended || call.now >= issued_at + call.window.past {
        return Err(DpopError::Old);
    }
    let start = read("nbf")?.map_or(issued_at, |start| start.max(issued_at));
    if start > call.now + call.window.future {
        return Err(DpopError::Ahead);
    }
    Ok(issued_at)
}

fn check_nonce(claims: &Map<String, Value>, call: &DpopCall<'_>) -> Result<(), DpopError> {
    match claims.get("nonce") {
        None if call.nonces.is_required() => Err(DpopError::Nonce),
        None => Ok(()),
        Some(Value::String(nonce)) if nonce.len() <= MAX_ID_BYTES => {
            if call.nonces.accepts(nonce, call.now) {
                Ok(())
            } else {
                Err(DpopError::Nonce)
            }
        }
        Some(_) => Err(DpopError::Claim("nonce")),
    }
}

fn required<'c>(claims: &'c Map<String, Value>, name: &'static str) -> Result<&'c str, DpopError> {
    claims.get(name).and_then(Value::as_str).ok_or(DpopError::Claim(name))
}

fn replay_key(thumbprint: KeyThumbprint, jwt_id: &str, url: &DpopUrl) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in [thumbprint.as_bytes().as_slice(), jwt_id.as_bytes(), url.as_str().as_bytes()] {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut key = [0; 32];
    key.copy_from_slice(context.finish().as_ref());
    key
}
