//! Access tokens (RFC 9068): what is in them and for how long.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use crate::{
    clock::{after, unix_seconds},
    error::Unavailable,
    keys::KeyRing,
    random::{Randomness, identifier},
    store::Grant,
};

/// An access token and what its answer says about it.
pub(crate) struct AccessToken {
    pub(crate) token: String,
    pub(crate) lifetime: Duration,
}

/// What the claims are made of.
pub(crate) struct Subject<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) grant: &'a Grant,
    /// The granted scopes, or the narrower ones that a refresh asked for.
    pub(crate) scope: &'a str,
}

/// Signs an access token for a grant. It never outlives the grant.
pub(crate) fn issue(
    keys: &KeyRing,
    randomness: &dyn Randomness,
    subject: &Subject<'_>,
    lifetime: Duration,
    now: SystemTime,
) -> Result<AccessToken, Unavailable> {
    let left = subject.grant.expires_at.duration_since(now).unwrap_or_default();
    let lifetime = lifetime.min(left);
    let claims = claims(subject, &identifier(randomness)?, now, after(now, lifetime));
    Ok(AccessToken { token: keys.sign(&claims, now)?, lifetime })
}

/// RFC 9068 §2.2, and what the gateway needs to decide: which identity source vouched (`idp`), the tenant, the handle
/// of the grant (`sid`) and the configured upstream claims (`hints`).
fn claims(subject: &Subject<'_>, id: &str, now: SystemTime, expires_at: SystemTime) -> Map<String, Value> {
    let Subject { issuer, grant, scope } = subject;
    let members = [
        ("iss", json!(issuer)),
        ("aud", json!(grant.resource)),
        ("sub", json!(grant.identity.subject)),
        ("client_id", json!(grant.client_id)),
        ("scope", json!(scope)),
        ("iat", json!(unix_seconds(now))),
        ("exp", json!(unix_seconds(expires_at))),
        ("jti", json!(id)),
        ("auth_time", json!(unix_seconds(grant.authenticated_at))),
        ("idp", json!(grant.identity.issuer)),
        ("sid", json!(grant.id)),
        ("hints", Value::Object(grant.identity.hints.clone())),
    ];
    let mut claims: Map<String, Value> =
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    if let Some(tenant) = &grant.identity.tenant {
        claims.insert("tenant".to_owned(), json!(tenant));
    }
    claims
}
