//! `AssumeRole` over the AWS SDK.

use std::{fmt, time::Duration};

use aws_credential_types::provider::{SharedCredentialsProvider, error::CredentialsError};
use aws_sdk_sts::{
    Client, Config,
    config::{Region, retry::RetryConfig, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    operation::{RequestId as _, assume_role::AssumeRoleOutput},
    types::{PolicyDescriptorType, Tag},
};

use crate::{
    AssumeRole, AssumeRoleError, AssumeRoleRequest, Misconfiguration, Misconfigured, SessionCredentials,
    StsFailure, UnavailableCause,
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(15);
/// The SDK repeats throttled and failed calls, never refused ones.
const MAX_ATTEMPTS: u32 = 3;

/// STS, called with this server's own credentials at the endpoint of the request's region.
#[derive(Clone)]
pub struct StsClient {
    client: Client,
}

/// Settings of an [`StsClient`].
#[derive(Clone, Debug)]
pub struct StsClientBuilder {
    region: String,
    credentials: SharedCredentialsProvider,
    endpoint_url: Option<String>,
    max_attempts: u32,
}

/// Who AWS says this server is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallerIdentity {
    /// The account number.
    pub account: String,
    /// ARN of the principal.
    pub arn: String,
}

impl StsClientBuilder {
    /// Calls this URL instead of the regional endpoint.
    #[must_use]
    pub fn endpoint_url(mut self, url: impl Into<String>) -> Self {
        self.endpoint_url = Some(url.into());
        self
    }

    /// How often a throttled or failed call is tried in all, 3 by default.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// The client.
    #[must_use]
    pub fn build(self) -> StsClient {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let mut config = Config::builder()
            .region(Region::new(self.region))
            .credentials_provider(self.credentials)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(self.max_attempts));
        config.set_endpoint_url(self.endpoint_url);
        StsClient { client: Client::from_conf(config.build()) }
    }
}

impl StsClient {
    /// A client that signs with `credentials`; `region` is used where a call names none.
    #[must_use]
    pub fn builder(region: impl Into<String>, credentials: SharedCredentialsProvider) -> StsClientBuilder {
        StsClientBuilder {
            region: region.into(),
            credentials,
            endpoint_url: None,
            max_attempts: MAX_ATTEMPTS,
        }
    }

    /// Asks AWS who this server is.
    ///
    /// # Errors
    /// As for assuming a role; the role named is empty.
    pub async fn caller_identity(&self) -> Result<CallerIdentity, AssumeRoleError> {
        let identity =
            self.client.get_caller_identity().send().await.map_err(|error| classify("", &error))?;
        match (identity.account, identity.arn) {
            (Some(account), Some(arn)) => Ok(CallerIdentity { account, arn }),
            _ => Err(AssumeRoleError::unavailable("", UnavailableCause::UnexpectedAnswer)),
        }
    }
}

impl AssumeRole for StsClient {
    async fn assume_role(&self, request: &AssumeRoleRequest) -> Result<SessionCredentials, AssumeRoleError> {
        let tags =
            request.tags.iter().filter_map(|(key, value)| Tag::builder().key(key).value(value).build().ok());
        let arns = request.policy_arns.iter().map(|arn| PolicyDescriptorType::builder().arn(arn).build());
        let seconds = i32::try_from(request.duration.as_secs()).unwrap_or(i32::MAX);
        let answer = self
            .client
            .assume_role()
            .role_arn(&request.role_arn)
            .role_session_name(&request.role_session_name)
            .source_identity(&request.source_identity)
            .set_tags(non_empty(tags))
            .set_transitive_tag_keys(non_empty(request.transitive_tag_keys.iter().cloned()))
            .set_policy(request.policy.clone())
            .set_policy_arns(non_empty(arns))
            .set_external_id(request.external_id.clone())
            .duration_seconds(seconds)
            .customize()
            .config_override(Config::builder().region(Region::new(request.region.clone())))
            .send()
            .await
            .map_err(|error| classify(&request.role_arn, &error))?;
        session(answer, &request.source_identity).ok_or_else(|| {
            AssumeRoleError::unavailable(&request.role_arn, UnavailableCause::UnexpectedAnswer)
        })
    }
}

impl fmt::Debug for StsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StsClient").finish_non_exhaustive()
    }
}

/// `None` when the answer holds no credentials, or credentials for somebody else.
fn session(answer: AssumeRoleOutput, source_identity: &str) -> Option<SessionCredentials> {
    let aws_request_id = answer.request_id().map(str::to_owned);
    if answer.source_identity.is_some_and(|returned| returned != source_identity) {
        return None;
    }
    let given = answer.credentials?;
    let expires_at = given.expiration.try_into().ok()?;
    Some(
        SessionCredentials::new(
            given.access_key_id,
            given.secret_access_key,
            given.session_token,
            expires_at,
        )
        .with_aws_request_id(aws_request_id),
    )
}

/// STS takes an absent list, not an empty one.
fn non_empty<T>(items: impl Iterator<Item = T>) -> Option<Vec<T>> {
    let items: Vec<T> = items.collect();
    (!items.is_empty()).then_some(items)
}

fn classify<E>(role_arn: &str, error: &SdkError<E>) -> AssumeRoleError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let cause = match error {
        SdkError::ServiceError(answer) => {
            let failure = StsFailure {
                status: answer.raw().status().as_u16(),
                code: answer.err().code().unwrap_or_default(),
                message: answer.err().message().unwrap_or_default(),
                aws_request_id: error.request_id(),
            };
            return failure.classify(role_arn);
        }
        SdkError::TimeoutError(_) => UnavailableCause::TimedOut,
        SdkError::DispatchFailure(_) if lacks_credentials(error) => {
            return AssumeRoleError::Misconfigured(Misconfigured {
                role_arn: role_arn.to_owned(),
                problem: Misconfiguration::NoBaseCredentials,
                aws_request_id: None,
            });
        }
        SdkError::DispatchFailure(failure) if failure.is_timeout() => UnavailableCause::TimedOut,
        SdkError::DispatchFailure(_) => UnavailableCause::Unreachable,
        _ => UnavailableCause::UnexpectedAnswer,
    };
    AssumeRoleError::unavailable(role_arn, cause)
}

fn lacks_credentials(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source())
        .any(|error| matches!(error.downcast_ref(), Some(CredentialsError::CredentialsNotLoaded(_))))
}
