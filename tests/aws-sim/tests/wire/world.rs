//! The world of `tests/cases/world.json` and clients in it.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_sdk_sts::operation::assume_role::builders::AssumeRoleFluentBuilder;
use aws_sdk_sts::types::Tag;
use aws_sim::{AwsSim, Clock, Running, SimConfig};
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;

pub(crate) const ACME: &str = "arn:aws:iam::111122223333:role/tenants/acme";
pub(crate) const GLOBEX: &str = "arn:aws:iam::111122223333:role/tenants/globex";
pub(crate) const OPEN: &str = "arn:aws:iam::111122223333:role/tenants/open";
pub(crate) const UNTAGGED: &str = "arn:aws:iam::111122223333:role/tenants/untagged";
pub(crate) const ANONYMOUS: &str = "arn:aws:iam::111122223333:role/tenants/anonymous";
pub(crate) const PARTNER: &str = "arn:aws:iam::444455556666:role/tenants/partner";

pub(crate) struct World {
    pub(crate) sim: Running,
    ahead: Arc<AtomicU64>,
}

impl World {
    pub(crate) async fn start() -> Self {
        let config: SimConfig = serde_json::from_str(include_str!("../cases/world.json")).unwrap();
        let ahead = Arc::new(AtomicU64::new(0));
        let seconds = Arc::clone(&ahead);
        #[expect(clippy::disallowed_methods, reason = "requests are signed with the machine's time")]
        let clock: Clock =
            Arc::new(move || SystemTime::now() + Duration::from_secs(seconds.load(Ordering::Relaxed)));
        Self { sim: AwsSim::start_with_clock(config, clock).await.unwrap(), ahead }
    }

    /// Sets the simulator's clock ahead of the machine's.
    pub(crate) fn set_ahead(&self, seconds: u64) {
        self.ahead.store(seconds, Ordering::Relaxed);
    }

    pub(crate) fn operator() -> Credentials {
        Credentials::new("AKIAOPERATOR00000000", "operator-secret", None, None, "test")
    }

    pub(crate) fn nobody() -> Credentials {
        Credentials::new("AKIANOBODY0000000000", "nobody-secret", None, None, "test")
    }

    /// The task role's credentials, from where a container gets them.
    pub(crate) async fn task(&self) -> Credentials {
        let response = reqwest::get(self.sim.container_credentials_url()).await.unwrap();
        let body: serde_json::Value = response.json().await.unwrap();
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        Credentials::new(text("AccessKeyId"), text("SecretAccessKey"), Some(text("Token")), None, "test")
    }

    pub(crate) fn sts(&self, credentials: Credentials) -> aws_sdk_sts::Client {
        let config = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(self.sim.endpoint_url())
            .retry_config(RetryConfig::disabled())
            .credentials_provider(credentials);
        aws_sdk_sts::Client::from_conf(config.build())
    }

    pub(crate) fn s3(&self, credentials: Credentials) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::from_conf(self.s3_config(credentials).build())
    }

    pub(crate) fn s3_config(&self, credentials: Credentials) -> aws_sdk_s3::config::Builder {
        aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(self.sim.endpoint_url())
            .retry_config(RetryConfig::disabled())
            .force_path_style(true)
            .credentials_provider(credentials)
    }

    /// A person's session as the platform would make it.
    pub(crate) async fn person(&self, role: &str, tenant: &str, source_identity: &str) -> Credentials {
        let call = self.sts(self.task().await).assume_role().role_arn(role).role_session_name("mcp");
        session(call.source_identity(source_identity).tags(tag("tenant", tenant))).await
    }
}

/// The credentials that a call gives.
pub(crate) async fn session(call: AssumeRoleFluentBuilder) -> Credentials {
    let given = call.send().await.unwrap().credentials.unwrap();
    Credentials::new(given.access_key_id, given.secret_access_key, Some(given.session_token), None, "test")
}

pub(crate) fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

/// The code of an error answer, and its message.
pub(crate) fn refusal<T, E>(result: Result<T, E>) -> (String, String)
where
    E: ProvideErrorMetadata + Error,
{
    match result {
        Ok(_) => panic!("the call was answered"),
        Err(error) => {
            let code = error.code().unwrap_or_else(|| panic!("no answer: {error:?}"));
            (code.to_owned(), error.message().unwrap_or_default().to_owned())
        }
    }
}

pub(crate) fn code<T, E>(result: Result<T, E>) -> String
where
    E: ProvideErrorMetadata + Error,
{
    refusal(result).0
}

/// Changes a request after it was signed.
#[derive(Debug)]
pub(crate) struct Tamper(pub(crate) fn(&mut HttpRequest));

#[dyn_dispatch_hint]
impl Intercept for Tamper {
    fn name(&self) -> &'static str {
        "Tamper"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), aws_smithy_runtime_api::box_error::BoxError> {
        (self.0)(context.request_mut());
        Ok(())
    }
}
