//! What can go wrong between this server and an identity provider.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use openidconnect::core::CoreErrorResponseType;
use openidconnect::{
    ClaimsVerificationError, DiscoveryError, RequestTokenError, SignatureVerificationError,
    StandardErrorResponse,
};

use super::http::FetchError;

/// The exchange that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Reading the provider's metadata and keys.
    Discovery,
    /// Building the URL the browser is sent to.
    Authorize,
    /// The browser's return.
    Callback,
    /// Redeeming the code.
    Token,
    /// Verifying the ID token.
    IdToken,
    /// Asking again whether the person may sign in.
    Recheck,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discovery => "discovery",
            Self::Authorize => "authorize",
            Self::Callback => "callback",
            Self::Token => "token",
            Self::IdToken => "id_token",
            Self::Recheck => "recheck",
        })
    }
}

/// Why an [`OidcUpstream`](super::OidcUpstream) gave no identity. For operators: it names the provider, the
/// step and the remedy, and holds no code, token or secret.
#[derive(Clone, Debug, thiserror::Error)]
#[error("identity provider {provider:?}, {step}: {problem}")]
pub struct UpstreamError {
    provider: String,
    step: Step,
    problem: UpstreamProblem,
    #[source]
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// What is wrong, by what can be done about it.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpstreamProblem {
    /// Down, overloaded, or its certificate is not trusted. Trying again later may work.
    #[error("it cannot be reached or is failing: try again later, and check the network and its certificate")]
    Unavailable,
    /// What it says about itself cannot be used.
    #[error("its metadata cannot be used: compare the configured issuer with the issuer it publishes")]
    Metadata,
    /// A redirect where an answer is due.
    #[error("it answers with a redirect: configure the issuer URL exactly as the provider publishes it")]
    Redirect,
    /// An endpoint in the metadata is missing, or not https although the issuer is.
    #[error("its {endpoint} is missing from its metadata or is not an https URL")]
    Endpoint {
        /// The metadata member.
        endpoint: &'static str,
    },
    /// Our own callback is not a URL.
    #[error("this server's callback is not a URL: check public_url")]
    Callback,
    /// It does not accept us as a client.
    #[error(
        "it refuses this server as a client ({code}): check client_id, client_secret and the redirect URI there"
    )]
    ClientRefused {
        /// The OAuth error code.
        code: String,
    },
    /// The person, or the provider for them, said no.
    #[error("the sign-in was refused ({code})")]
    Refused {
        /// The OAuth error code.
        code: String,
    },
    /// The answer came from another issuer than the one that was asked: a mix-up attack, or two issuers
    /// behind one configuration (RFC 9207).
    #[error("the answer does not name the configured issuer in iss")]
    MixUp,
    /// The token answer holds no ID token, or something that is none.
    #[error("the token answer holds no readable ID token: check that the openid scope is allowed")]
    NoIdToken,
    /// No refresh token, although people are to be rechecked.
    #[error(
        "the token answer holds no refresh token: allow it there and add offline_access to scopes, or set recheck = false"
    )]
    NoRefreshToken,
    /// The ID token is not signed by a published key with an accepted algorithm.
    #[error("the ID token's signature is not by a published key and an accepted asymmetric algorithm")]
    Signature,
    /// The ID token is from another issuer.
    #[error("the ID token is from another issuer than the configured one")]
    Issuer,
    /// The ID token is for another client.
    #[error("the ID token is for another client (aud, azp): check client_id")]
    Audience,
    /// The ID token belongs to another sign-in.
    #[error("the ID token's nonce is not the one of this sign-in")]
    Nonce,
    /// The ID token is expired, or from the future.
    #[error("the ID token is not valid at this time: check the clocks of both servers")]
    Time,
    /// The subject is empty, longer than 1024 bytes or holds control characters.
    #[error("the ID token's subject is empty, too long or holds control characters")]
    Subject,
    /// The tenant claim is missing or not a short string.
    #[error("the ID token has no short string at the configured tenant_claim {pointer}")]
    Tenant {
        /// The configured JSON pointer.
        pointer: String,
    },
    /// A hint is too large to travel in every access token.
    #[error(
        "claim {claim:?} is larger than {limit} bytes: have the provider send less, or drop it from hint_claims"
    )]
    HintTooLarge {
        /// The configured claim.
        claim: String,
        /// The largest accepted size of its JSON.
        limit: usize,
    },
}

impl UpstreamError {
    pub(super) fn new(provider: &str, step: Step, problem: UpstreamProblem) -> Self {
        Self { provider: provider.to_owned(), step, problem, source: None }
    }

    fn caused_by(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// Whether trying again later may work: a 503, not a refusal.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.problem == UpstreamProblem::Unavailable
    }

    /// Whether the person or the provider said no, and nothing is broken.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self.problem, UpstreamProblem::Refused { .. })
    }

    /// The step that failed.
    #[must_use]
    pub fn step(&self) -> Step {
        self.step
    }

    /// What is wrong.
    #[must_use]
    pub fn problem(&self) -> &UpstreamProblem {
        &self.problem
    }

    /// A stable word for audit events and metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self.problem {
            UpstreamProblem::Unavailable => "upstream_unavailable",
            UpstreamProblem::Metadata => "upstream_metadata",
            UpstreamProblem::Redirect => "upstream_redirect",
            UpstreamProblem::Endpoint { .. } => "upstream_endpoint",
            UpstreamProblem::Callback => "upstream_callback",
            UpstreamProblem::ClientRefused { .. } => "upstream_client_refused",
            UpstreamProblem::Refused { .. } => "upstream_refused",
            UpstreamProblem::MixUp => "upstream_mix_up",
            UpstreamProblem::NoIdToken => "id_token_missing",
            UpstreamProblem::NoRefreshToken => "upstream_no_refresh_token",
            UpstreamProblem::Signature => "id_token_signature",
            UpstreamProblem::Issuer => "id_token_issuer",
            UpstreamProblem::Audience => "id_token_audience",
            UpstreamProblem::Nonce => "id_token_nonce",
            UpstreamProblem::Time => "id_token_time",
            UpstreamProblem::Subject => "id_token_subject",
            UpstreamProblem::Tenant { .. } => "id_token_tenant",
            UpstreamProblem::HintTooLarge { .. } => "id_token_hint_too_large",
        }
    }

    pub(super) fn of_fetch(provider: &str, step: Step, error: FetchError) -> Self {
        let problem = match &error {
            error if error.is_transient() => UpstreamProblem::Unavailable,
            FetchError::Redirect { .. } => UpstreamProblem::Redirect,
            _ => UpstreamProblem::Metadata,
        };
        Self::new(provider, step, problem).caused_by(error)
    }

    pub(super) fn of_discovery(provider: &str, error: DiscoveryError<FetchError>) -> Self {
        match error {
            DiscoveryError::Request(error) => Self::of_fetch(provider, Step::Discovery, error),
            // The body of the answer, which this variant holds, is of no use in a log.
            DiscoveryError::Response(_, _, text) => {
                Self::new(provider, Step::Discovery, UpstreamProblem::Metadata).caused_by(DiscoveryError::<
                    FetchError,
                >::Other(
                    text
                ))
            }
            error => Self::new(provider, Step::Discovery, UpstreamProblem::Metadata).caused_by(error),
        }
    }

    pub(super) fn of_token(
        provider: &str,
        error: RequestTokenError<FetchError, StandardErrorResponse<CoreErrorResponseType>>,
    ) -> Self {
        match error {
            RequestTokenError::Request(error) => Self::of_fetch(provider, Step::Token, error),
            RequestTokenError::ServerResponse(answer) => {
                Self::of_code(provider, Step::Token, answer.error().as_ref())
            }
            // The body, which these variants may hold, can contain tokens.
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                Self::new(provider, Step::Token, UpstreamProblem::NoIdToken)
            }
        }
    }

    /// The meaning of an OAuth error code, from the token endpoint or the callback.
    pub(super) fn of_code(provider: &str, step: Step, code: &str) -> Self {
        let known = bounded_code(code);
        let problem = match code {
            "temporarily_unavailable" | "server_error" => UpstreamProblem::Unavailable,
            "invalid_client"
            | "unauthorized_client"
            | "invalid_request"
            | "invalid_scope"
            | "unsupported_grant_type"
            | "unsupported_response_type" => UpstreamProblem::ClientRefused { code: known },
            _ => UpstreamProblem::Refused { code: known },
        };
        Self::new(provider, step, problem)
    }

    pub(super) fn of_claims(provider: &str, error: ClaimsVerificationError) -> Self {
        let problem = match &error {
            ClaimsVerificationError::Expired(_) => UpstreamProblem::Time,
            ClaimsVerificationError::InvalidAudience(_) => UpstreamProblem::Audience,
            ClaimsVerificationError::InvalidIssuer(_) => UpstreamProblem::Issuer,
            ClaimsVerificationError::InvalidNonce(_) => UpstreamProblem::Nonce,
            ClaimsVerificationError::SignatureVerification(_) => UpstreamProblem::Signature,
            _ => UpstreamProblem::NoIdToken,
        };
        Self::new(provider, Step::IdToken, problem).caused_by(error)
    }
}

/// Whether another set of keys could have verified the signature.
pub(super) fn is_key_unknown(error: &ClaimsVerificationError) -> bool {
    matches!(
        error,
        ClaimsVerificationError::SignatureVerification(
            SignatureVerificationError::NoMatchingKey | SignatureVerificationError::CryptoError(_)
        )
    )
}

/// An error code as logs may show it (RFC 6749 section 5.2 allows printable ASCII).
fn bounded_code(code: &str) -> String {
    code.chars().filter(char::is_ascii_graphic).take(64).collect()
}
