//! From a verified token to the identity that the mapping knows.

use std::sync::LazyLock;

use audit::Party;
use oidc_verify::{KeyThumbprint, VerifiedToken};
use serde_json::{Map, Value};

use super::Denial;

/// Who calls.
pub(super) struct Identity<'a> {
    pub(super) issuer: &'a str,
    pub(super) subject: &'a str,
    pub(super) tenant: Option<&'a str>,
    pub(super) claims: &'a Map<String, Value>,
    pub(super) client: Option<&'a str>,
    /// What a revocation names; only our own tokens have it.
    pub(super) session: Option<&'a str>,
    pub(super) is_own: bool,
}

/// The hints of a token that has none.
static NO_HINTS: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);

impl<'a> Identity<'a> {
    /// Reads a token of ours by the claims that we put in, any other by what it says of its own subject.
    pub(super) fn of(token: &'a VerifiedToken, own_issuer: &str) -> Result<Self, Denial> {
        let is_own = token.issuer() == own_issuer;
        if !is_own {
            return Ok(Self {
                issuer: token.issuer(),
                subject: token.subject(),
                tenant: token.tenant(),
                claims: token.claims(),
                client: token.client_id(),
                session: None,
                is_own,
            });
        }
        let claims = match token.claims().get("hints") {
            None => &NO_HINTS,
            Some(Value::Object(hints)) => hints,
            Some(_) => return Err(Denial::OwnClaim("hints")),
        };
        let tenant = match token.claims().get("tenant") {
            None => None,
            Some(Value::String(tenant)) => Some(tenant.as_str()),
            Some(_) => return Err(Denial::OwnClaim("tenant")),
        };
        Ok(Self {
            issuer: token.text_claim("idp").ok_or(Denial::OwnClaim("idp"))?,
            subject: token.subject(),
            tenant,
            claims,
            client: token.client_id(),
            session: Some(token.text_claim("sid").ok_or(Denial::OwnClaim("sid"))?),
            is_own,
        })
    }

    pub(super) fn party(&self) -> Party {
        Party {
            issuer: Some(self.issuer.to_owned()),
            subject: Some(self.subject.to_owned()),
            tenant: self.tenant.map(str::to_owned),
            client: self.client.map(str::to_owned),
            ..Party::default()
        }
    }
}

/// The key that a token is bound to by `cnf.jkt` (RFC 9449 §6.1). What else `cnf` may say (RFC 7800, RFC 8705) cannot be
/// checked here, so a token that says it is refused: it would count as a bearer token otherwise (SEC-34).
pub(super) fn holder(token: &VerifiedToken) -> Result<Option<KeyThumbprint>, Denial> {
    let Some(confirmation) = token.claims().get("cnf") else { return Ok(None) };
    let members = confirmation.as_object().filter(|members| members.len() == 1);
    let thumbprint = members.and_then(|members| members.get("jkt")).and_then(Value::as_str);
    match thumbprint.map(str::parse) {
        Some(Ok(thumbprint)) => Ok(Some(thumbprint)),
        Some(Err(_)) | None => Err(Denial::Confirmation),
    }
}

/// Whether the token names this very resource, or an alias of it. That it names one of ours was verified.
pub(super) fn has_audience(token: &VerifiedToken, resource: &str, aliases: &[String]) -> bool {
    let is_meant = |audience: &Value| {
        audience
            .as_str()
            .is_some_and(|audience| audience == resource || aliases.iter().any(|alias| alias == audience))
    };
    match token.claims().get("aud") {
        Some(Value::Array(audiences)) => audiences.iter().any(is_meant),
        Some(audience) => is_meant(audience),
        None => false,
    }
}
