//! One GET, from URL to document.

use std::error::Error as _;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use http::{HeaderValue, StatusCode};
use reqwest::{Client, ClientBuilder, Response, redirect, retry};
use url::{Host, Url};

use crate::error::{FetchError, SetupError};
use crate::freshness::lifetime;
use crate::resolve::{CheckedResolver, Resolver, SystemResolver, Zone};

/// What one fetch may cost, and for how long its document may be kept.
#[derive(Clone, Debug)]
pub struct FetchLimits {
    /// The longest document, in bytes.
    pub max_bytes: usize,
    /// The longest time for the whole.
    pub total: Duration,
    /// The longest wait for the head of the answer, connecting included, and for each further part of the body.
    pub idle: Duration,
    /// Bounds of [`Document::lifetime`].
    pub lifetime: RangeInclusive<Duration>,
}

/// What was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Bytes that were said to be JSON.
    pub body: Vec<u8>,
    /// For how long it may be used without asking again, by its cache headers and within the caller's bounds.
    pub lifetime: Duration,
}

/// Reads documents: a [`PublicFetch`], or what a test puts in its place.
#[async_trait]
pub trait Fetch: Send + Sync + 'static {
    /// Fetches the document at `url`, as of `now`.
    ///
    /// # Errors
    /// [`FetchError`] with the first rule that is broken.
    async fn fetch(&self, url: &Url, limits: &FetchLimits, now: SystemTime) -> Result<Document, FetchError>;
}

/// Fetches documents from public addresses.
#[derive(Clone)]
pub struct PublicFetch {
    public: Client,
    loopback: Option<Client>,
}

/// How a [`PublicFetch`] is made.
#[must_use]
pub struct PublicFetchBuilder {
    resolver: Arc<dyn Resolver>,
    user_agent: HeaderValue,
    allows_loopback_http: bool,
}

impl PublicFetch {
    /// With the resolver of the operating system, for https to public addresses only.
    pub fn builder() -> PublicFetchBuilder {
        PublicFetchBuilder {
            resolver: Arc::new(SystemResolver::default()),
            user_agent: HeaderValue::from_static(env!("CARGO_PKG_NAME")),
            allows_loopback_http: false,
        }
    }

    /// Fetches the document at `url`, as of `now`.
    ///
    /// # Errors
    /// [`FetchError`] with the first rule that is broken.
    pub async fn fetch(
        &self,
        url: &Url,
        limits: &FetchLimits,
        now: SystemTime,
    ) -> Result<Document, FetchError> {
        let client = self.client_for(url)?;
        within(limits.total, FetchError::TooSlow, get(client, url, limits, now)).await
    }

    /// The client whose resolver checks what this URL calls for. An address in the URL itself is not resolved, so it is
    /// checked here.
    fn client_for(&self, url: &Url) -> Result<&Client, FetchError> {
        if !url.username().is_empty() || url.password().is_some() {
            return Err(FetchError::Userinfo);
        }
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::from(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::from(address)),
            Some(Host::Domain(_)) | None => None,
        };
        let (client, zone) = match (url.scheme(), &self.loopback) {
            ("https", _) => (&self.public, Zone::Public),
            ("http", Some(client)) if address.is_some() || url.host_str() == Some("localhost") => {
                (client, Zone::Loopback)
            }
            _ => return Err(FetchError::Scheme),
        };
        address.map_or(Ok(()), |address| zone.check(address)).map(|()| client)
    }
}

#[async_trait]
impl Fetch for PublicFetch {
    async fn fetch(&self, url: &Url, limits: &FetchLimits, now: SystemTime) -> Result<Document, FetchError> {
        Self::fetch(self, url, limits, now).await
    }
}

impl PublicFetchBuilder {
    /// Finds addresses with `resolver` instead.
    pub fn resolver(mut self, resolver: impl Resolver) -> Self {
        self.resolver = Arc::new(resolver);
        self
    }

    /// The `User-Agent` to send.
    pub fn user_agent(mut self, name: HeaderValue) -> Self {
        self.user_agent = name;
        self
    }

    /// Also fetches plain `http` from loopback (`localhost` or an address). Only for a server that is on loopback
    /// itself: on any other it lets strangers reach what listens there.
    pub fn dangerous_loopback_http(mut self) -> Self {
        self.allows_loopback_http = true;
        self
    }

    /// # Errors
    /// [`SetupError`] when the TLS set-up fails.
    pub fn build(self) -> Result<PublicFetch, SetupError> {
        let client = |zone| {
            let resolver = CheckedResolver::new(Arc::clone(&self.resolver), zone);
            let client = restricted().user_agent(self.user_agent.clone()).dns_resolver(resolver).build();
            client.map_err(|error| SetupError(error.into()))
        };
        let loopback = self.allows_loopback_http.then(|| client(Zone::Loopback)).transpose()?;
        Ok(PublicFetch { public: client(Zone::Public)?, loopback })
    }
}

impl fmt::Debug for PublicFetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let allows_loopback_http = self.loopback.is_some();
        f.debug_struct("PublicFetch")
            .field("allows_loopback_http", &allows_loopback_http)
            .finish_non_exhaustive()
    }
}

/// Everything that would lead elsewhere, keep something or do something twice is off.
fn restricted() -> ClientBuilder {
    Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .http1_only()
        .pool_max_idle_per_host(0)
}

async fn get(
    client: &Client,
    url: &Url,
    limits: &FetchLimits,
    now: SystemTime,
) -> Result<Document, FetchError> {
    let request =
        client.get(url.clone()).header(ACCEPT, "application/json").header(ACCEPT_ENCODING, "identity");
    let answer =
        within(limits.idle, FetchError::Stalled, async { request.send().await.map_err(cause) }).await?;
    check_head(answer.status(), answer.headers())?;
    let lifetime = lifetime(answer.headers(), now, &limits.lifetime);
    Ok(Document { body: body(answer, limits).await?, lifetime })
}

fn check_head(status: StatusCode, headers: &HeaderMap) -> Result<(), FetchError> {
    if status.is_redirection() {
        return Err(FetchError::Redirect);
    }
    if status != StatusCode::OK {
        return Err(FetchError::Status(status));
    }
    if headers.get_all(CONTENT_ENCODING).iter().any(|coding| coding != "identity") {
        return Err(FetchError::ContentEncoding);
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    match (types.next(), types.next()) {
        (Some(only), None) if is_json(only) => Ok(()),
        _ => Err(FetchError::ContentType),
    }
}

/// `application/json` or `application/<something>+json`, with any parameters.
fn is_json(content_type: &HeaderValue) -> bool {
    let essence = content_type.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let subtype = essence.to_ascii_lowercase();
    subtype
        .strip_prefix("application/")
        .is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}

async fn body(mut answer: Response, limits: &FetchLimits) -> Result<Vec<u8>, FetchError> {
    let max = limits.max_bytes;
    if answer.content_length().is_some_and(|length| usize::try_from(length).is_ok_and(|length| length > max))
    {
        return Err(FetchError::TooLarge);
    }
    let mut body = Vec::new();
    loop {
        let chunk = async { answer.chunk().await.map_err(cause) };
        let Some(chunk) = within(limits.idle, FetchError::Stalled, chunk).await? else { return Ok(body) };
        if chunk.len() > max - body.len() {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
}

async fn within<T>(
    limit: Duration,
    late: FetchError,
    work: impl Future<Output = Result<T, FetchError>>,
) -> Result<T, FetchError> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(late))
}

/// Our own resolver's reason, or that the exchange failed.
#[expect(clippy::needless_pass_by_value, reason = "the form that map_err takes")]
fn cause(error: reqwest::Error) -> FetchError {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(ours) = error.downcast_ref::<FetchError>() {
            return *ours;
        }
        source = error.source();
    }
    FetchError::Unreachable
}
