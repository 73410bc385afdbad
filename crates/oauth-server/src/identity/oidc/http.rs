//! The HTTP client that `openidconnect` calls: no redirects, a time limit, a size cap.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use http::StatusCode;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use url::Url;

/// Connecting, asking and reading one answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Discovery documents and key sets of large providers are tens of kilobytes.
const MAX_BODY: usize = 512 * 1024;

/// Why an exchange with the provider gave no answer to read.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// No connection, a failed TLS handshake, a broken answer or a timeout.
    #[error("{url} did not answer")]
    Unreachable {
        url: String,
        #[source]
        source: reqwest::Error,
    },
    /// The provider says that it, or we, should try later.
    #[error("{url} answered {status}")]
    Busy { url: String, status: StatusCode },
    /// A redirect, which is never followed: the configured and discovered URLs are the ones that are trusted.
    #[error("{url} answered with a redirect, which is not followed")]
    Redirect { url: String },
    /// More than any provider has reason to send.
    #[error("{url} answered with more than {MAX_BODY} bytes")]
    TooLarge { url: String },
    /// The request could not be built.
    #[error("{url} is not a URL to ask")]
    BadUrl { url: String },
}

impl FetchError {
    /// Whether asking again later may succeed.
    pub(super) fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Busy { .. })
    }
}

/// A client whose requests obey this module's limits, whatever the client it wraps allows.
#[derive(Clone, Debug)]
pub(super) struct BoundedHttp(pub(super) reqwest::Client);

impl<'c> AsyncHttpClient<'c> for BoundedHttp {
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, FetchError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.fetch(request))
    }
}

impl BoundedHttp {
    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        let (parts, body) = request.into_parts();
        let url = Url::parse(&parts.uri.to_string());
        let url = url.map_err(|_| FetchError::BadUrl { url: parts.uri.to_string() })?;
        let name = shown(&url);
        let unreachable = |error: reqwest::Error| FetchError::Unreachable {
            url: name.clone(),
            source: error.without_url(),
        };
        let request = self.0.request(parts.method, url.clone()).headers(parts.headers).body(body);
        let mut response = request.timeout(TIMEOUT).send().await.map_err(unreachable)?;
        let status = response.status();
        // A client that follows redirects would show here as an answer from elsewhere.
        if status.is_redirection() || response.url() != &url {
            return Err(FetchError::Redirect { url: name });
        }
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(FetchError::Busy { url: name, status });
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(FetchError::TooLarge { url: name });
            }
            body.extend_from_slice(&chunk);
        }
        let mut answer = HttpResponse::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        Ok(answer)
    }
}

/// A URL as logs may show it: without user info, query and fragment.
fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}
