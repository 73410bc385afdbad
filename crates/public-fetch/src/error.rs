//! Why there is no document.

use http::StatusCode;

use crate::address::WhyNot;

/// Why a document could not be had. For logs: it says more than the one who named the URL should learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The URL is not https; a server on loopback may also be allowed http to loopback.
    #[error("the URL is not https")]
    Scheme,
    /// The URL has a user name or password, which would be sent as a credential.
    #[error("the URL has a user name or password")]
    Userinfo,
    /// The host is, or has among its addresses, one that is not public.
    #[error("the host has an address that is not public")]
    NotPublic(#[source] WhyNot),
    /// The host of a URL for loopback has an address elsewhere.
    #[error("the host has an address that is not loopback")]
    NotLoopback,
    /// The host has no address.
    #[error("the host has no address")]
    Unresolvable,
    /// No connection, a failed TLS handshake or a broken answer.
    #[error("the host did not answer in HTTP over TLS")]
    Unreachable,
    /// The whole took too long.
    #[error("the document took too long")]
    TooSlow,
    /// The head of the answer, or a further part of the body, took too long.
    #[error("the host paused for too long")]
    Stalled,
    /// The answer is a redirect, which is never followed.
    #[error("the answer is a redirect, which is not followed")]
    Redirect,
    /// The answer is not 200.
    #[error("the answer is {0}, not 200")]
    Status(StatusCode),
    /// The answer is not said to be JSON.
    #[error("the content type is not application/json")]
    ContentType,
    /// The answer is compressed, though nobody asked for that.
    #[error("the answer is compressed")]
    ContentEncoding,
    /// The answer is larger than the caller allows.
    #[error("the document is too large")]
    TooLarge,
}

impl FetchError {
    /// A stable machine-readable word, for logs and metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Scheme => "scheme",
            Self::Userinfo => "userinfo",
            Self::NotPublic(_) => "address_not_public",
            Self::NotLoopback => "address_not_loopback",
            Self::Unresolvable => "unresolvable",
            Self::Unreachable => "unreachable",
            Self::TooSlow => "too_slow",
            Self::Stalled => "stalled",
            Self::Redirect => "redirect",
            Self::Status(_) => "status",
            Self::ContentType => "content_type",
            Self::ContentEncoding => "content_encoding",
            Self::TooLarge => "too_large",
        }
    }

    /// Whether the host, or the way to it, may only be troubled for now.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unresolvable | Self::Unreachable | Self::TooSlow | Self::Stalled => true,
            Self::Status(status) => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            Self::Scheme
            | Self::Userinfo
            | Self::NotPublic(_)
            | Self::NotLoopback
            | Self::Redirect
            | Self::ContentType
            | Self::ContentEncoding
            | Self::TooLarge => false,
        }
    }
}

/// The HTTP client could not be built.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client for public documents could not be built")]
pub struct SetupError(#[source] pub(crate) Box<dyn std::error::Error + Send + Sync>);
