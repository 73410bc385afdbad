//! Why a call is not allowed.

use std::sync::Arc;

use audit::Party;
use limits::Limited;
use oidc_verify::{DpopError, VerifyError};
use role_mapper::DenyReason;

/// Why, and about whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Why.
    pub denial: Denial,
    /// The caller, when the token was genuine.
    pub party: Option<Arc<Party>>,
}

impl Denied {
    pub(super) fn stranger(denial: Denial) -> Self {
        Self { denial, party: None }
    }
}

/// Why a call is not allowed. The text is for operators.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denial {
    /// The token is not acceptable; the stable word of the verification.
    #[error("the token is not acceptable: {0}")]
    Token(&'static str),
    /// The issuer's keys are not at hand.
    #[error("the issuer's keys are not at hand")]
    KeysUnavailable,
    /// The token is for another resource.
    #[error("the token is for another resource")]
    Audience,
    /// A token of ours lacks a scope.
    #[error("the token lacks a scope of the service")]
    Scope,
    /// A token of ours lacks a claim that we put in, or has it in another type.
    #[error("the claim {0} of a token of ours is absent or of another type")]
    OwnClaim(&'static str),
    /// The identity's issuer is not an accepted one.
    #[error("the identity's issuer is not an accepted one")]
    IdentityIssuer,
    /// The grant behind the token was revoked.
    #[error("the grant behind the token was revoked")]
    Revoked,
    /// The token's `cnf` says something that cannot be checked here.
    #[error("the token is bound in a way that is not supported, only `cnf.jkt` is")]
    Confirmation,
    /// A bound token came as a bearer token.
    #[error("the token is bound to a key and came as a bearer token")]
    Downgraded,
    /// A token that is not bound came with a proof, or where a bound one is required.
    #[error("the token is not bound to a key")]
    NotBound,
    /// The proof of possession does not count.
    #[error("{0}")]
    Proof(DpopError),
    /// The proof needs a nonce of ours, this one.
    #[error("the proof of possession has no nonce of ours that is still good")]
    NonceNeeded(String),
    /// The proof was used before.
    #[error("the proof of possession was used before")]
    Replayed,
    /// Used proofs cannot be recorded.
    #[error("used proofs of possession cannot be recorded now")]
    ReplaysUnavailable,
    /// The mapping grants nothing.
    #[error("{0}")]
    Mapping(DenyReason),
    /// The mapping was not confirmed for too long.
    #[error("the mapping was not confirmed for too long")]
    MappingTooOld,
    /// The revocations were not read for too long.
    #[error("the revocations were not read for too long")]
    RevocationsTooOld,
    /// Too many calls.
    #[error("{0}")]
    Limited(Limited),
    /// The decision cannot be written as headers; the text says why.
    #[error("the decision cannot be written as headers: {0}")]
    Unwritable(String),
    /// A cryptographic function failed.
    #[error("a cryptographic function failed")]
    Internal,
}

impl Denial {
    pub(super) fn of_verification(error: &VerifyError) -> Self {
        if error.is_transient() { Self::KeysUnavailable } else { Self::Token(error.reason()) }
    }

    /// A stable word for audit events and metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Token(reason) => reason,
            Self::KeysUnavailable => "keys_unavailable",
            Self::Audience => "audience_of_another_service",
            Self::Scope => "insufficient_scope",
            Self::OwnClaim(_) => "own_claim_invalid",
            Self::IdentityIssuer => "identity_issuer_not_accepted",
            Self::Revoked => "revoked",
            Self::Confirmation => "confirmation_not_supported",
            Self::Downgraded => "dpop_downgrade",
            Self::NotBound => "token_not_bound",
            Self::Proof(error) => error.reason(),
            Self::NonceNeeded(_) => DpopError::Nonce.reason(),
            Self::Replayed => "dpop_replayed",
            Self::ReplaysUnavailable => "dpop_replays_unavailable",
            Self::Mapping(reason) => reason.as_str(),
            Self::MappingTooOld => "mapping_too_old",
            Self::RevocationsTooOld => "revocations_too_old",
            Self::Limited(_) => "rate_limited",
            Self::Unwritable(_) => "decision_unwritable",
            Self::Internal => "internal",
        }
    }

    /// Whether the same call may succeed later without anybody doing anything about the token: 503, not 401.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::KeysUnavailable
            | Self::MappingTooOld
            | Self::RevocationsTooOld
            | Self::Unwritable(_)
            | Self::Internal
            | Self::ReplaysUnavailable
            | Self::Mapping(DenyReason::TenantBroken) => true,
            Self::Token(_)
            | Self::Audience
            | Self::Scope
            | Self::OwnClaim(_)
            | Self::IdentityIssuer
            | Self::Revoked
            | Self::Confirmation
            | Self::Downgraded
            | Self::NotBound
            | Self::Proof(_)
            | Self::NonceNeeded(_)
            | Self::Replayed
            | Self::Mapping(_)
            | Self::Limited(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_is_told_which_tag() {
        let denial = Denial::Mapping(DenyReason::TagClaim { tag: "project".into() });
        assert!(denial.to_string().contains("project"), "{denial}");
        assert_eq!(denial.reason(), "tag_claim", "which stays a word");
    }
}
