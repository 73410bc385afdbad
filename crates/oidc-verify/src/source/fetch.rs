//! Reading an issuer's published keys over HTTP, once.

use std::error::Error as _;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, StatusCode, redirect};
use serde_json::Value;
use url::Url;

use crate::config::{ConfigError, check_issuer, is_loopback, secure_url};
use crate::error::FetchProblem;
use crate::json::parse_object;
use crate::keys::{KeySet, MAX_JWKS_BYTES};

/// The longest time that one reading may take, discovery included.
pub(crate) const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// An HTTP client that follows no redirect and decompresses nothing, for reading keys.
#[derive(Debug, Clone)]
pub struct FetchClient(Client);

/// The HTTP client could not be built.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client for signing keys could not be built: {reason}")]
pub struct FetchClientError {
    reason: String,
}

impl FetchClient {
    /// A client as `builder` describes it (trust roots, proxies), but without redirects and decompression.
    ///
    /// # Errors
    /// [`FetchClientError`] when the TLS set-up fails.
    pub fn new(builder: ClientBuilder) -> Result<Self, FetchClientError> {
        let client = builder.redirect(redirect::Policy::none()).no_gzip().no_brotli().no_zstd().no_deflate();
        client.build().map(Self).map_err(|error| FetchClientError { reason: error.to_string() })
    }
}

/// Where an issuer publishes its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JwksLocation {
    /// Found through the metadata of this issuer: OpenID Connect Discovery, else RFC 8414.
    Discover(String),
    /// At this address.
    Uri(String),
}

/// A checked location.
#[derive(Debug, Clone)]
pub(super) enum Location {
    Discover { issuer: String, url: Url },
    Uri(Url),
}

impl TryFrom<JwksLocation> for Location {
    type Error = ConfigError;

    fn try_from(location: JwksLocation) -> Result<Self, ConfigError> {
        match location {
            JwksLocation::Discover(issuer) => {
                let url = check_issuer(&issuer)?;
                Ok(Self::Discover { issuer, url })
            }
            JwksLocation::Uri(address) => match secure_url(&address) {
                Some(url) => Ok(Self::Uri(url)),
                None => Err(ConfigError::KeySetAddress { address }),
            },
        }
    }
}

impl Location {
    /// As configured, for messages.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Discover { issuer, .. } => issuer,
            Self::Uri(url) => url.as_str(),
        }
    }
}

/// Reads the keys at `location` as they are now, or gives up after `patience`.
pub(super) async fn fetch(
    client: &FetchClient,
    location: &Location,
    patience: Duration,
) -> Result<KeySet, FetchProblem> {
    let keys = tokio::time::timeout(patience, fetch_untimed(client, location));
    keys.await.unwrap_or(Err(FetchProblem::Timeout))
}

async fn fetch_untimed(client: &FetchClient, location: &Location) -> Result<KeySet, FetchProblem> {
    let url = match location {
        Location::Discover { issuer, url } => discover(client, issuer, url).await?,
        Location::Uri(url) => url.clone(),
    };
    let document = read(client, &url).await?;
    KeySet::from_jwks_json(&document).map_err(|source| FetchProblem::KeySet { url: url.into(), source })
}

async fn discover(client: &FetchClient, issuer: &str, url: &Url) -> Result<Url, FetchProblem> {
    let openid =
        at_path(url, &format!("{}/.well-known/openid-configuration", url.path().trim_end_matches('/')));
    match read(client, &openid).await {
        Ok(document) => key_set_address(&document, issuer, url, &openid),
        Err(FetchProblem::Status { status: 404, .. }) => {
            // RFC 8414 §3.1: the issuer's path comes after the well-known part.
            let path = format!("/.well-known/oauth-authorization-server{}", url.path().trim_end_matches('/'));
            let oauth = at_path(url, &path);
            key_set_address(&read(client, &oauth).await?, issuer, url, &oauth)
        }
        Err(problem) => Err(problem),
    }
}

fn at_path(url: &Url, path: &str) -> Url {
    let mut url = url.clone();
    url.set_path(path);
    url
}

fn key_set_address(
    document: &[u8],
    issuer: &str,
    issuer_url: &Url,
    read_from: &Url,
) -> Result<Url, FetchProblem> {
    let url = || read_from.as_str().to_owned();
    let metadata = parse_object(document).map_err(|_| FetchProblem::NotMetadata { url: url() })?;
    let member = |name| metadata.get(name).and_then(Value::as_str);
    let (Some(found), Some(address)) = (member("issuer"), member("jwks_uri")) else {
        return Err(FetchProblem::NotMetadata { url: url() });
    };
    // RFC 8414 §3.3 and OpenID Connect Discovery §4.3: identical, character by character.
    if found != issuer {
        return Err(FetchProblem::OtherIssuer { url: url(), found: found.to_owned() });
    }
    secure_url(address)
        .filter(|address| address.scheme() == "https" || is_loopback(issuer_url))
        .ok_or_else(|| FetchProblem::InsecureKeySet { url: url(), found: address.to_owned() })
}

async fn read(client: &FetchClient, url: &Url) -> Result<Vec<u8>, FetchProblem> {
    let unreachable = |error: reqwest::Error| {
        let cause = error.source().map(ToString::to_string);
        tracing::debug!(%url, %error, cause, "reading signing keys failed");
        FetchProblem::Unreachable { url: url.as_str().to_owned() }
    };
    let request = client.0.get(url.clone()).header("accept", "application/json");
    let mut response = request.send().await.map_err(unreachable)?;
    if response.status() != StatusCode::OK {
        return Err(FetchProblem::Status {
            url: url.as_str().to_owned(),
            status: response.status().as_u16(),
        });
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > MAX_JWKS_BYTES {
            return Err(FetchProblem::TooLarge { url: url.as_str().to_owned() });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::{FetchClient, JwksLocation, fetch};
    use crate::error::FetchProblem;
    use std::time::Duration;

    #[tokio::test]
    async fn a_silent_issuer_is_given_up() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/jwks", listener.local_addr().unwrap());
        let location = JwksLocation::Uri(address).try_into().unwrap();
        let client = FetchClient::new(reqwest::Client::builder()).unwrap();
        let outcome = fetch(&client, &location, Duration::from_millis(1)).await;
        assert_eq!(outcome.map(drop), Err(FetchProblem::Timeout));
    }
}
