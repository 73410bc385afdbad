//! A token that passed every check.

use std::fmt;
use std::time::SystemTime;

use serde_json::{Map, Value};

/// A genuine token of a trusted issuer, for us, valid when it was verified. Only verification makes one.
#[derive(Clone, PartialEq)]
pub struct VerifiedToken {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) audience: String,
    pub(crate) tenant: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) jwt_id: Option<String>,
    pub(crate) expires_at: SystemTime,
    pub(crate) issued_at: SystemTime,
    pub(crate) recheck_at: SystemTime,
    pub(crate) claims: Map<String, Value>,
}

impl VerifiedToken {
    /// `iss`; who the caller is, is only the pair of issuer and [`subject`](Self::subject).
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `sub`, never empty.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The configured audience that the token names; the first configured one if it names several.
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// The tenant from the configured claim.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// `client_id` (RFC 9068 §2.2), else `azp`.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// The values of `scope`, else of `scp`, each a space-separated string or an array.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// `jti`.
    #[must_use]
    pub fn jwt_id(&self) -> Option<&str> {
        self.jwt_id.as_deref()
    }

    /// `exp`, without leeway.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }

    /// `iat`.
    #[must_use]
    pub fn issued_at(&self) -> SystemTime {
        self.issued_at
    }

    /// When a cached result must be verified anew: at expiry, or when the issuer's keys must have been read again, so
    /// that the removal of a key is honoured within five minutes ([`KEY_MAX_AGE`](crate::KEY_MAX_AGE)).
    #[must_use]
    pub fn recheck_at(&self) -> SystemTime {
        self.recheck_at
    }

    /// All claims as signed.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// The claim `name`, if it is there and a string.
    #[must_use]
    pub fn text_claim(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Value::as_str)
    }
}

impl fmt::Debug for VerifiedToken {
    /// Leaves the claims out: they may hold what a log must not.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedToken")
            .field("issuer", &self.issuer)
            .field("subject", &self.subject)
            .field("audience", &self.audience)
            .field("tenant", &self.tenant)
            .field("client_id", &self.client_id)
            .field("jwt_id", &self.jwt_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
