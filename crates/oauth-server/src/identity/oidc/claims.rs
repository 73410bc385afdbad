//! From the claims of a verified ID token to an identity.

use openidconnect::core::CoreGenderClaim;
use openidconnect::{AdditionalClaims, IdTokenClaims};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::OidcUpstreamConfig;
use super::error::UpstreamProblem;
use crate::identity::Identity;

const MAX_SUBJECT: usize = 1024;
const MAX_TENANT: usize = 256;
const MAX_SESSION: usize = 512;
const MAX_DISPLAY: usize = 200;
/// Hints travel in every access token, and so in a header of every call.
const MAX_HINT: usize = 2048;

/// Every claim that the standard ones do not cover.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct OtherClaims {
    #[serde(flatten)]
    members: Map<String, Value>,
}

impl AdditionalClaims for OtherClaims {}

pub(super) type Claims = IdTokenClaims<OtherClaims, CoreGenderClaim>;

/// The identity that verified `claims` describe under `config`.
pub(super) fn identity(config: &OidcUpstreamConfig, claims: &Claims) -> Result<Identity, UpstreamProblem> {
    let subject = subject(claims.subject().as_str())?;
    let all = serde_json::to_value(claims).map_err(|_| UpstreamProblem::NoIdToken)?;
    let verified = claims.email_verified() != Some(false);
    Ok(Identity {
        issuer: config.issuer.clone(),
        subject: subject.to_owned(),
        tenant: config.tenant_claim.as_deref().map(|pointer| tenant(&all, pointer)).transpose()?,
        display_name: display_name(claims),
        email: claims.email().filter(|_| verified).map(|email| bounded(email.as_str())),
        hints: hints(&all, &config.hint_claims)?,
    })
}

/// A subject that can be told apart from every other one.
pub(crate) fn subject(subject: &str) -> Result<&str, UpstreamProblem> {
    if subject.is_empty() || subject.len() > MAX_SUBJECT || subject.chars().any(char::is_control) {
        return Err(UpstreamProblem::Subject);
    }
    Ok(subject)
}

/// The provider's handle of the sign-in, if it is one that can be kept.
pub(super) fn session(claims: &Claims) -> Option<String> {
    let session = claims.additional_claims().members.get("sid").and_then(Value::as_str);
    session.filter(|session| !session.is_empty() && session.len() <= MAX_SESSION).map(str::to_owned)
}

/// The tenant at this JSON pointer.
pub(crate) fn tenant(claims: &Value, pointer: &str) -> Result<String, UpstreamProblem> {
    let found = claims.pointer(pointer).and_then(Value::as_str);
    let usable = found.filter(|tenant| {
        !tenant.is_empty() && tenant.len() <= MAX_TENANT && !tenant.chars().any(char::is_control)
    });
    usable.map(str::to_owned).ok_or_else(|| UpstreamProblem::Tenant { pointer: pointer.to_owned() })
}

fn display_name(claims: &Claims) -> Option<String> {
    // The name without a language tag, else any of the tagged ones.
    let full =
        claims.name().and_then(|name| name.get(None).or_else(|| name.iter().next().map(|(_, name)| name)));
    let name =
        full.map(|name| name.as_str()).or_else(|| claims.preferred_username().map(|name| name.as_str()));
    name.map(bounded).filter(|name| !name.is_empty())
}

/// The claims to keep.
pub(crate) fn hints(claims: &Value, wanted: &[String]) -> Result<Map<String, Value>, UpstreamProblem> {
    let mut hints = Map::new();
    for claim in wanted {
        let Some(value) = claims.get(claim) else { continue };
        if value.to_string().len() > MAX_HINT {
            return Err(UpstreamProblem::HintTooLarge { claim: claim.clone(), limit: MAX_HINT });
        }
        hints.insert(claim.clone(), value.clone());
    }
    Ok(hints)
}

fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_DISPLAY).collect::<String>().trim().to_owned()
}
