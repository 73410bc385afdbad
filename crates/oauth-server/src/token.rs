//! Access tokens (RFC 9068): what is in them and for how long.

use std::time::{Duration, SystemTime};

use oidc_verify::KeyThumbprint;
use serde_json::{Map, Value, json};

use crate::{
    clock::{after, unix_seconds},
    error::Unavailable,
    keys::KeyRing,
    random::{Randomness, identifier},
    store::Grant,
};

/// The claim that tells a token that was exchanged from less than there was.
pub(crate) const NARROWED: &str = "narrowed";

/// An access token and what its answer says about it.
pub(crate) struct AccessToken {
    pub(crate) token: String,
    /// `DPoP` for a token that is bound to a key (RFC 9449 §5).
    pub(crate) token_type: &'static str,
    pub(crate) lifetime: Duration,
    /// The ID token that goes with it.
    pub(crate) id_token: Option<String>,
}

/// What the claims are made of.
pub(crate) struct Subject<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) grant: &'a Grant,
    /// The granted scopes, or the narrower ones that a refresh asked for.
    pub(crate) scope: &'a str,
    /// Who else acts, if the client of the grant does not.
    pub(crate) delegation: Option<&'a Delegation<'a>>,
    /// The key that the token is bound to.
    pub(crate) holder: Option<KeyThumbprint>,
}

/// A token of a grant that another client has, for another resource (RFC 8693).
pub(crate) struct Delegation<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) resource: &'a str,
    /// The chain of those who act, the latest outermost (RFC 8693 §4.1).
    pub(crate) act: Value,
    /// Whether somebody gave less than there was, here or before: then nobody after gets more.
    pub(crate) is_narrowed: bool,
    /// When the token that was exchanged is over.
    pub(crate) expires_at: SystemTime,
}

/// Signs an access token for a grant. It never outlives the grant.
pub(crate) fn issue(
    keys: &KeyRing,
    randomness: &dyn Randomness,
    subject: &Subject<'_>,
    lifetime: Duration,
    now: SystemTime,
) -> Result<AccessToken, Unavailable> {
    let grant_ends = subject.grant.expires_at;
    let ends = subject.delegation.map_or(grant_ends, |delegation| delegation.expires_at.min(grant_ends));
    let left = ends.duration_since(now).unwrap_or_default();
    let lifetime = lifetime.min(left);
    let claims = claims(subject, &identifier(randomness)?, now, after(now, lifetime));
    let token_type = if subject.holder.is_some() { "DPoP" } else { "Bearer" };
    Ok(AccessToken { token: keys.sign(&claims, now)?, token_type, lifetime, id_token: None })
}

/// RFC 9068 §2.2, and what the gateway needs to decide: which identity source vouched (`idp`), the tenant, the handle
/// of the grant (`sid`) and the configured upstream claims (`hints`).
fn claims(subject: &Subject<'_>, id: &str, now: SystemTime, expires_at: SystemTime) -> Map<String, Value> {
    let Subject { issuer, grant, scope, delegation, holder } = subject;
    let (client_id, resource) = delegation
        .map_or((grant.client_id.as_str(), grant.resource.as_str()), |by| (by.client_id, by.resource));
    let members = [
        ("iss", json!(issuer)),
        ("aud", json!(resource)),
        ("sub", json!(grant.identity.subject)),
        ("client_id", json!(client_id)),
        ("scope", json!(scope)),
        ("iat", json!(unix_seconds(now))),
        ("exp", json!(unix_seconds(expires_at))),
        ("jti", json!(id)),
        ("idp", json!(grant.identity.issuer)),
        ("sid", json!(grant.id)),
        ("hints", Value::Object(grant.identity.hints.clone())),
    ];
    let mut claims: Map<String, Value> =
        members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    if grant.kind.is_of_person() {
        claims.insert("auth_time".to_owned(), json!(unix_seconds(grant.authenticated_at)));
    }
    if let Some(by) = delegation {
        claims.insert("act".to_owned(), by.act.clone());
        if by.is_narrowed {
            claims.insert(NARROWED.to_owned(), json!(true));
        }
    }
    if let Some(tenant) = &grant.identity.tenant {
        claims.insert("tenant".to_owned(), json!(tenant));
    }
    if let Some(holder) = holder {
        // RFC 9449 §6.1.
        claims.insert("cnf".to_owned(), json!({ "jkt": holder.to_string() }));
    }
    claims
}
