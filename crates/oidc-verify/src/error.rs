//! Why a token is not accepted, by what the caller can do about it.

use crate::json::JsonError;
use crate::keys::KeySetError;

/// A token was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The text is not a JWS in the compact form that this crate reads.
    #[error("token is malformed")]
    Malformed(#[from] Malformed),
    /// The token is well-formed, but not acceptable.
    #[error("token is not acceptable")]
    Rejected(#[from] Rejected),
    /// Whether the token is genuine cannot be said now.
    #[error("signing keys are unavailable")]
    KeysUnavailable(#[from] KeysUnavailable),
}

impl VerifyError {
    /// Whether the same token may be accepted later: answer 503, not 401.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::KeysUnavailable(_) => true,
            Self::Malformed(_) | Self::Rejected(_) => false,
        }
    }

    /// One stable lower-case word for audit events and metrics; it never holds text of the token.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "token_malformed",
            Self::Rejected(rejected) => rejected.reason(),
            Self::KeysUnavailable(_) => "keys_unavailable",
        }
    }
}

/// A part of the compact form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The protected header.
    Header,
    /// The claims.
    Claims,
    /// The signature.
    Signature,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Claims => "claims",
            Self::Signature => "signature",
        })
    }
}

/// The text is not a JWS in compact form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Longer than [`MAX_TOKEN_BYTES`](crate::MAX_TOKEN_BYTES).
    #[error("token is longer than {} bytes", crate::MAX_TOKEN_BYTES)]
    TooLong,
    /// Not three parts separated by dots: the JSON serialisation, an encrypted token, an opaque token.
    #[error("token does not have three parts separated by dots")]
    Parts,
    /// A part is not unpadded base64url in its one canonical form.
    #[error("{0} is not unpadded base64url")]
    Encoding(Part),
    /// A part is not one JSON object.
    #[error("{0} is not a JSON object")]
    NotAnObject(Part),
    /// A part has an object with two members of one name.
    #[error("{0} has an object with two members of one name")]
    DuplicateMember(Part),
    /// A part nests too deep.
    #[error("{0} nests too deep")]
    TooDeep(Part),
    /// A header member is missing or not a string.
    #[error("header member {0} is missing or not a string")]
    HeaderMember(&'static str),
}

impl Malformed {
    pub(crate) fn json(part: Part, error: JsonError) -> Self {
        match error {
            JsonError::NotAnObject => Self::NotAnObject(part),
            JsonError::DuplicateMember => Self::DuplicateMember(part),
            JsonError::TooDeep => Self::TooDeep(part),
        }
    }
}

/// The token is well-formed, but not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejected {
    /// The header asks for processing that this crate does not do: `crit`, `b64` or `zip`.
    #[error("header member {0} is not supported")]
    HeaderMember(&'static str),
    /// The algorithm is not on the issuer's list.
    #[error("signature algorithm is not allowed")]
    Algorithm,
    /// The `typ` is not on the issuer's list.
    #[error("token type is not allowed")]
    TokenType,
    /// The issuer is not a trusted one.
    #[error("issuer is not trusted")]
    Issuer,
    /// The issuer has no admissible key of this `kid`.
    #[error("signing key is not known")]
    UnknownKey,
    /// The token has no `kid` and the issuer has several keys for the algorithm.
    #[error("token names no key and several would fit")]
    AmbiguousKey,
    /// The key of this `kid` belongs to another algorithm.
    #[error("signing key is not for this algorithm")]
    KeyAlgorithm,
    /// The signature is wrong.
    #[error("signature is wrong")]
    Signature,
    /// A required claim is missing.
    #[error("claim {0} is missing")]
    MissingClaim(String),
    /// A claim has a type or value that it must not have.
    #[error("claim {0} is not valid")]
    InvalidClaim(&'static str),
    /// None of the audiences is ours.
    #[error("audience is not ours")]
    Audience,
    /// The `azp` is not on the issuer's list.
    #[error("authorized party is not allowed")]
    AuthorizedParty,
    /// The token has expired.
    #[error("token has expired")]
    Expired,
    /// The token is not valid yet, by `nbf` or `iat`.
    #[error("token is not valid yet")]
    NotYetValid,
    /// An assertion expires too far ahead.
    #[error("token is valid for too long")]
    Lifetime,
}

impl Rejected {
    fn reason(&self) -> &'static str {
        match self {
            Self::HeaderMember(_) => "header_not_supported",
            Self::Algorithm => "algorithm_not_allowed",
            Self::TokenType => "token_type_not_allowed",
            Self::Issuer => "issuer_not_trusted",
            Self::UnknownKey => "key_unknown",
            Self::AmbiguousKey => "key_ambiguous",
            Self::KeyAlgorithm => "key_algorithm_mismatch",
            Self::Signature => "signature_wrong",
            Self::MissingClaim(_) => "claim_missing",
            Self::InvalidClaim(_) => "claim_invalid",
            Self::Audience => "audience_not_ours",
            Self::AuthorizedParty => "authorized_party_not_allowed",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::Lifetime => "lifetime_too_long",
        }
    }
}

/// The signing keys of an issuer could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("signing keys of {location} could not be read")]
pub struct KeysUnavailable {
    /// The issuer or key set address as configured.
    pub location: String,
    /// What went wrong.
    #[source]
    pub problem: FetchProblem,
}

/// Why keys could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchProblem {
    /// No attempt has finished yet.
    #[error("no attempt has finished yet")]
    NotTried,
    /// No connection, or it broke.
    #[error("{url} is not reachable")]
    Unreachable {
        /// What was asked for.
        url: String,
    },
    /// No complete answer in time.
    #[error("no complete answer within {} seconds", crate::source::FETCH_TIMEOUT.as_secs())]
    Timeout,
    /// Another status than 200; redirects are not followed.
    #[error("{url} answered {status}, expected 200")]
    Status {
        /// What was asked for.
        url: String,
        /// What it answered.
        status: u16,
    },
    /// The answer is too large.
    #[error("{url} answered more than {} bytes", crate::keys::MAX_JWKS_BYTES)]
    TooLarge {
        /// What was asked for.
        url: String,
    },
    /// The metadata is not a JSON object with the members that are needed.
    #[error("{url} is not a metadata document with `issuer` and `jwks_uri`")]
    NotMetadata {
        /// What was asked for.
        url: String,
    },
    /// The metadata belong to another issuer (RFC 8414 §3.3).
    #[error("{url} names another issuer: {found:?}")]
    OtherIssuer {
        /// What was asked for.
        url: String,
        /// The issuer that it names.
        found: String,
    },
    /// The metadata name a key set that is not on HTTPS, nor on loopback like the issuer itself.
    #[error("{url} names a key set without https: {found:?}")]
    InsecureKeySet {
        /// What was asked for.
        url: String,
        /// The address that it names.
        found: String,
    },
    /// The answer is not a JSON Web Key Set.
    #[error("{url} is not a usable key set")]
    KeySet {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        #[source]
        source: KeySetError,
    },
}
