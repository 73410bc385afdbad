//! A provider's metadata and keys: fetched when first needed, shared, and never older than a few minutes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType,
    CoreSubjectIdentifierType,
};
use openidconnect::{AdditionalProviderMetadata, IssuerUrl, ProviderMetadata, TokenUrl};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::error::{Step, UpstreamError, UpstreamProblem};
use super::http::BoundedHttp;

/// A key the provider has withdrawn verifies nothing after this long (SEC-28).
const MAX_AGE: Duration = Duration::from_mins(5);
/// Tokens with unknown keys cause at most one extra fetch in this time (SEC-28).
const FORCED_EVERY: Duration = Duration::from_secs(30);

/// The metadata members that `openidconnect` does not know.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct ExtraMetadata {
    /// RFC 9207 section 3.
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for ExtraMetadata {}

pub(super) type Metadata = ProviderMetadata<
    ExtraMetadata,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// One provider's metadata, fetched by one task at a time and shared by all.
#[derive(Debug)]
pub(super) struct Discovery {
    provider: String,
    issuer: IssuerUrl,
    http: BoundedHttp,
    state: Mutex<State>,
    /// Failed fetches so far: who waited for one takes its result instead of asking again.
    failures: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    current: Option<(Arc<Metadata>, Instant)>,
    forced_at: Option<Instant>,
    failure: Option<UpstreamError>,
}

impl Discovery {
    pub(super) fn new(provider: &str, issuer: IssuerUrl, http: BoundedHttp) -> Self {
        Self {
            provider: provider.to_owned(),
            issuer,
            http,
            state: Mutex::default(),
            failures: AtomicU64::new(0),
        }
    }

    /// The client that metadata was fetched with.
    pub(super) fn http(&self) -> &BoundedHttp {
        &self.http
    }

    /// The metadata and keys, at most five minutes old.
    pub(super) async fn metadata(&self) -> Result<Arc<Metadata>, UpstreamError> {
        let failures = self.failures.load(Ordering::Acquire);
        let mut state = self.state.lock().await;
        if let Some((metadata, fetched)) = &state.current
            && fetched.elapsed() < MAX_AGE
        {
            return Ok(Arc::clone(metadata));
        }
        if let Some(failure) = &state.failure
            && failures != self.failures.load(Ordering::Acquire)
        {
            return Err(failure.clone());
        }
        self.fetch(&mut state).await
    }

    /// Metadata newer than `seen`, whose keys did not verify a token; `None` when asking again is not due.
    pub(super) async fn newer_than(
        &self,
        seen: &Arc<Metadata>,
    ) -> Result<Option<Arc<Metadata>>, UpstreamError> {
        let mut state = self.state.lock().await;
        if let Some((metadata, _)) = &state.current
            && !Arc::ptr_eq(metadata, seen)
        {
            return Ok(Some(Arc::clone(metadata)));
        }
        if state.forced_at.is_some_and(|at| at.elapsed() < FORCED_EVERY) {
            return Ok(None);
        }
        state.forced_at = Some(Instant::now());
        self.fetch(&mut state).await.map(Some)
    }

    async fn fetch(&self, state: &mut State) -> Result<Arc<Metadata>, UpstreamError> {
        match self.discover().await {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                state.current = Some((Arc::clone(&metadata), Instant::now()));
                Ok(metadata)
            }
            Err(error) => {
                state.failure = Some(error.clone());
                self.failures.fetch_add(1, Ordering::Release);
                Err(error)
            }
        }
    }

    async fn discover(&self) -> Result<Metadata, UpstreamError> {
        let discovered = Metadata::discover_async(self.issuer.clone(), &self.http).await;
        let metadata = discovered.map_err(|error| UpstreamError::of_discovery(&self.provider, error))?;
        let token = metadata.token_endpoint().map(TokenUrl::url);
        for (endpoint, url) in [
            ("authorization_endpoint", Some(metadata.authorization_endpoint().url())),
            ("token_endpoint", token),
            ("jwks_uri", Some(metadata.jwks_uri().url())),
        ] {
            if !url.is_some_and(|url| self.may_be_used(url)) {
                let problem = UpstreamProblem::Endpoint { endpoint };
                return Err(UpstreamError::new(&self.provider, Step::Discovery, problem));
            }
        }
        Ok(metadata)
    }

    /// https; or http where the issuer itself is one on loopback and stays on loopback.
    fn may_be_used(&self, url: &Url) -> bool {
        url.scheme() == "https" || (self.issuer.url().scheme() == "http" && is_loopback_http(url))
    }
}

/// Whether `url` is plain http to this machine itself.
pub(super) fn is_loopback_http(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(url::Host::Domain(host)) => host == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && loopback
}
