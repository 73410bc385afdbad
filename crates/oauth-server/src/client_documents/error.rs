//! Why a client that names a document is not known.

use std::sync::Arc;

use http::StatusCode;
use limits::Limited;
use public_fetch::FetchError;

use super::{document::Invalid, url::UrlProblem};
use crate::{
    interaction::{START_AGAIN, Words},
    store::StoreError,
};

/// Why there is no client for the URL of a document.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum DocumentError {
    /// The identifier cannot name a document.
    #[error("the client's identifier cannot name a document")]
    Url(#[from] UrlProblem),
    /// The operator does not take documents from there.
    #[error("the host of the client's document is not one that the operator trusts")]
    Untrusted,
    /// It could not be read.
    #[error("the client's document could not be read")]
    Fetch(#[from] FetchError),
    /// It was read and cannot be used.
    #[error("the client's document cannot be used")]
    Invalid(#[from] Invalid),
    /// It was asked for too often.
    #[error("clients' documents were asked for too often")]
    Limited(#[from] Limited),
    /// Too many others are being read.
    #[error("too many clients' documents are being read")]
    Busy,
    /// No more of them can be kept.
    #[error("no more clients that a document describes can be kept")]
    Full,
    /// It says something else now than when the person was asked.
    #[error("the client has changed what it says about itself")]
    Changed,
    /// The store is down.
    #[error("the store cannot tell what is kept of the client's document")]
    Store(#[source] Arc<StoreError>),
}

impl From<StoreError> for DocumentError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl DocumentError {
    /// What the page is answered with.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Url(_) | Self::Untrusted | Self::Fetch(_) | Self::Invalid(_) | Self::Changed => {
                StatusCode::BAD_REQUEST
            }
            Self::Limited(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::Full | Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What the person reads.
    pub(crate) fn words(&self) -> Words {
        match self {
            Self::Url(_) | Self::Untrusted | Self::Fetch(_) | Self::Invalid(_) => Words {
                title: "This application cannot be identified",
                text: "It names a document about itself that could not be read, or cannot be used here.",
                remedy: "Wait a moment and connect again. If that does not help, tell whoever makes the application.",
            },
            Self::Changed => Words {
                title: "This application has changed",
                text: "What it says about itself is no longer what it was when you began to connect it.",
                remedy: START_AGAIN,
            },
            Self::Limited(_) => Words {
                title: "Too many applications",
                text: "Applications that are not known here were connected too often in a short time.",
                remedy: "Wait a minute, go back and try again.",
            },
            Self::Busy | Self::Full | Self::Store(_) => Words {
                title: "This application cannot be connected right now",
                text: "This server cannot take in another application at present. Nothing was changed.",
                remedy: "Wait a moment and reload this page.",
            },
        }
    }

    /// `text` with what helps whoever makes the application. What was found on the way to a document is for the log
    /// only: it would tell strangers what is on our network.
    pub(crate) fn in_detail(&self, text: &str) -> String {
        match self {
            Self::Url(problem) => format!("{text} In detail: {problem}."),
            Self::Invalid(problem) => format!("{text} In detail: {problem}."),
            _ => text.to_owned(),
        }
    }

    /// A stable machine-readable word, for logs.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Url(_) => "document_url",
            Self::Untrusted => "document_host_not_trusted",
            Self::Fetch(error) => error.reason(),
            Self::Invalid(_) => "document_invalid",
            Self::Limited(_) => "document_too_often",
            Self::Busy => "document_busy",
            Self::Full => "client_quota",
            Self::Changed => "document_changed",
            Self::Store(_) => "unavailable",
        }
    }

    /// Whether it can be had again later, or for now cannot be looked at: then a kept copy may stand in. A publisher that
    /// says that there is none any more, or publishes another thing, is taken at its word.
    pub(crate) fn is_outage(&self) -> bool {
        match self {
            Self::Fetch(FetchError::Status(status)) => {
                !matches!(*status, StatusCode::NOT_FOUND | StatusCode::GONE)
            }
            Self::Fetch(_) | Self::Limited(_) | Self::Busy | Self::Store(_) => true,
            Self::Url(_) | Self::Untrusted | Self::Invalid(_) | Self::Full | Self::Changed => false,
        }
    }

    /// Whether the same request may succeed later.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Fetch(error) => error.is_transient(),
            Self::Limited(_) | Self::Busy | Self::Store(_) => true,
            Self::Url(_) | Self::Untrusted | Self::Invalid(_) | Self::Full | Self::Changed => false,
        }
    }
}
