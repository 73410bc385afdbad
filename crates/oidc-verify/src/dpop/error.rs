//! Why a proof does not count.

use crate::error::Malformed;
use crate::keys::KeyRefusal;

/// Why a DPoP proof does not count. The texts are for the client's developer and hold nothing of the proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DpopError {
    /// No proof came.
    #[error("a DPoP proof is needed, in exactly one DPoP header")]
    Missing,
    /// More than one proof came, in several headers or joined by a comma.
    #[error("send exactly one DPoP header with exactly one proof")]
    Several,
    /// Longer than [`DPOP_MAX_PROOF_BYTES`](crate::DPOP_MAX_PROOF_BYTES).
    #[error("the DPoP proof is longer than {} bytes", crate::DPOP_MAX_PROOF_BYTES)]
    TooLong,
    /// The header is not text.
    #[error("the DPoP proof is not text")]
    NotText,
    /// Not a JWS in compact form.
    #[error("the DPoP proof is not a JWT: {0}")]
    Malformed(Malformed),
    /// A header member is missing or of another type.
    #[error("header member {0} of the DPoP proof is missing or of the wrong type")]
    Header(&'static str),
    /// The header asks for processing that is not done: `crit`, `b64` or `zip`.
    #[error("header member {0} of the DPoP proof is not supported")]
    Extension(&'static str),
    /// `typ` is not `dpop+jwt`.
    #[error("typ of the DPoP proof is not dpop+jwt")]
    Type,
    /// `alg` is not on the list.
    #[error("alg of the DPoP proof is not one of dpop_signing_alg_values_supported")]
    Algorithm,
    /// `jwk` is not an admissible public key for `alg`.
    #[error("jwk of the DPoP proof {0}")]
    Key(KeyRefusal),
    /// The signature is wrong.
    #[error("the signature of the DPoP proof is wrong")]
    Signature,
    /// A claim is missing or not valid.
    #[error("claim {0} of the DPoP proof is missing or not valid")]
    Claim(&'static str),
    /// `htm` is another method.
    #[error("htm of the DPoP proof is not the method of the request")]
    Method,
    /// `htu` is another URL.
    #[error("htu of the DPoP proof is not the public URL of the request")]
    Url,
    /// `iat` is too long ago.
    #[error("the DPoP proof is too old: make one for each request")]
    Old,
    /// `iat` is ahead of our clock.
    #[error("the DPoP proof is from the future: set the client's clock")]
    Ahead,
    /// The nonce is missing where one is needed, or is not one of ours that is still good.
    #[error("the DPoP proof needs the nonce of the DPoP-Nonce header")]
    Nonce,
    /// `ath` is not the hash of the access token.
    #[error("ath of the DPoP proof is not the hash of the access token")]
    AccessToken,
    /// Another key than the one that is expected.
    #[error("the DPoP proof is by another key than the one that is bound")]
    OtherKey,
}

impl DpopError {
    /// One stable lower-case word for audit events and metrics; it never holds text of the proof.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "dpop_missing",
            Self::Several => "dpop_several",
            Self::TooLong | Self::NotText | Self::Malformed(_) => "dpop_malformed",
            Self::Header(_) => "dpop_header",
            Self::Extension(_) => "dpop_header_not_supported",
            Self::Type => "dpop_type",
            Self::Algorithm => "dpop_algorithm",
            Self::Key(_) => "dpop_key_refused",
            Self::Signature => "dpop_signature_wrong",
            Self::Claim(_) => "dpop_claim",
            Self::Method => "dpop_method",
            Self::Url => "dpop_url",
            Self::Old => "dpop_old",
            Self::Ahead => "dpop_ahead",
            Self::Nonce => "dpop_nonce",
            Self::AccessToken => "dpop_access_token",
            Self::OtherKey => "dpop_other_key",
        }
    }
}
