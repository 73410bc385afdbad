//! S3 for one caller: a shared client without credentials, and sessions that lend it theirs.

mod failure;
mod name;

use std::{sync::Arc, time::Duration};

use aws_credential_types::{Credentials, provider::ProvideCredentials as _};
use aws_sdk_s3::{
    Client, Config,
    config::{IdentityCache, Region, retry::RetryConfig, timeout::TimeoutConfig},
    error::SdkError,
};

use crate::{CallContext, failure::ToolFailure};
pub(crate) use failure::classify;
pub use name::{BucketName, InvalidBucketName};
pub(crate) use name::{S3Uri, decode_listed};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const READ_TIMEOUT: Duration = Duration::from_secs(10);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_ATTEMPTS: u32 = 3;

/// What all callers share. It holds nobody's credentials.
#[derive(Clone, Debug)]
pub struct Platform {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: PlatformConfig,
    client: Client,
}

/// Settings of the [`Platform`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PlatformConfig {
    /// Region of the buckets.
    pub region: String,
    /// URL of S3 instead of the region's own.
    pub s3_endpoint: Option<String>,
    /// Whether buckets are named in the path instead of the host.
    pub s3_path_style: bool,
    /// Buckets to offer where a role may not list all of the account's.
    pub buckets: Vec<String>,
}

impl PlatformConfig {
    /// The region's own S3, no configured buckets.
    #[must_use]
    pub fn new(region: impl Into<String>) -> Self {
        Self { region: region.into(), s3_endpoint: None, s3_path_style: false, buckets: Vec::new() }
    }
}

impl Platform {
    /// The platform on these settings.
    #[must_use]
    pub fn new(config: PlatformConfig) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        // No credentials here, ever: a call that forgets its caller's cannot be signed. S3 Express would keep sessions
        // of its own across callers.
        let mut s3 = Config::builder()
            .region(Region::new(config.region.clone()))
            .identity_cache(IdentityCache::no_cache())
            .disable_s3_express_session_auth(true)
            .force_path_style(config.s3_path_style)
            .retry_config(RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS))
            .timeout_config(timeouts);
        s3.set_endpoint_url(config.s3_endpoint.clone());
        let client = Client::from_conf(s3.build());
        Self { shared: Arc::new(Shared { config, client }) }
    }

    pub(crate) fn config(&self) -> &PlatformConfig {
        &self.shared.config
    }
}

/// One call: the platform and the caller it works for.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) platform: &'a Platform,
    pub(crate) context: &'a CallContext,
}

impl<'a> Scope<'a> {
    /// The caller's credentials, or in words why there are none.
    pub(crate) async fn credentials(&self) -> Result<Credentials, ToolFailure> {
        self.context.credentials.provide_credentials().await.map_err(|error| {
            tracing::warn!(error = %chain(&error), "no credentials for a call");
            // What provides the credentials says why in its own words, one level down.
            let problem = std::error::Error::source(&error).unwrap_or(&error).to_string();
            ToolFailure::Credentials { role: self.context.role(), problem }
        })
    }

    /// S3 with the caller's credentials.
    pub(crate) async fn s3(self) -> Result<S3<'a>, ToolFailure> {
        Ok(S3 { scope: self, credentials: self.credentials().await? })
    }
}

/// S3 for one caller.
pub(crate) struct S3<'a> {
    scope: Scope<'a>,
    credentials: Credentials,
}

impl S3<'_> {
    /// The shared client, to build a request that is then customised with [`Self::signing`].
    pub(crate) fn client(&self) -> &Client {
        &self.scope.platform.shared.client
    }

    /// What makes a request the caller's own.
    pub(crate) fn signing(&self) -> aws_sdk_s3::config::Builder {
        Config::builder().credentials_provider(self.credentials.clone())
    }

    /// The failure of `action` on `resource` in words.
    pub(crate) fn failure<E>(&self, action: &str, resource: String, error: &SdkError<E>) -> ToolFailure
    where
        E: aws_sdk_s3::error::ProvideErrorMetadata + std::error::Error + 'static,
    {
        tracing::info!(action, error = %chain(error), "S3 call failed");
        let role = self.scope.context.role();
        classify(role, action, resource, &self.scope.platform.config().region, error)
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let messages: Vec<String> =
        std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect();
    messages.join(": ")
}
