//! `auth_status`: who the caller is and as what they work.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Answer, NoArguments, PlatformTool, timestamp};
use crate::{failure::ToolFailure, s3::Scope};

pub(super) struct AuthStatus;

/// Who the caller is and as what they work.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Status {
    /// Where the role comes from: the gateway's decision, or the caller's own AWS profile.
    mode: Mode,
    /// The identity that AWS records for every call.
    #[serde(skip_serializing_if = "Option::is_none")]
    source_identity: Option<String>,
    /// The organisation the caller belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    /// ARN of the IAM role that every call runs under.
    #[serde(skip_serializing_if = "Option::is_none")]
    role_arn: Option<String>,
    /// Tags of the role session, which policies may refer to.
    tags: BTreeMap<String, String>,
    /// The rule that gave the role.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_id: Option<String>,
    /// The decision under which this call runs, as the audit log names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_id: Option<String>,
    /// This request, as the audit log names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// Whether the role is narrowed by a session policy.
    narrowed: bool,
    /// Whether AWS gave credentials for the role.
    credentials_available: bool,
    /// When those credentials end; they are renewed before.
    #[serde(skip_serializing_if = "Option::is_none")]
    credentials_expire_at: Option<String>,
    /// Why there are no credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Mode {
    Gateway,
    Local,
}

impl PlatformTool for AuthStatus {
    const NAME: &'static str = "auth_status";
    const TITLE: &'static str = "Who am I";
    const DESCRIPTION: &'static str = "Says who you are signed in as, your tenant, the IAM role and session tags your \
                                       calls run under, and whether AWS credentials for it are available.";
    type Arguments = NoArguments;
    type Output = Status;

    async fn run(NoArguments {}: NoArguments, scope: Scope<'_>) -> Result<Answer<Status>, ToolFailure> {
        let status = status_of(scope).await;
        let text = summary(&status);
        Ok(Answer::text(status, text))
    }
}

pub(crate) async fn status_of(scope: Scope<'_>) -> Status {
    let decision = scope.context.decision.as_deref();
    let (expiry, problem) = match scope.credentials().await {
        Ok(credentials) => (credentials.expiry().map(Into::into), None),
        Err(failure) => (None, Some(failure.to_string())),
    };
    Status {
        mode: if decision.is_some() { Mode::Gateway } else { Mode::Local },
        source_identity: decision.map(|decision| decision.source_identity.as_str().to_owned()),
        tenant: decision.map(|decision| decision.context.tenant.clone()),
        role_arn: decision.map(|decision| decision.role.as_str().to_owned()),
        tags: decision.map(tags).unwrap_or_default(),
        policy_id: decision.map(|decision| decision.context.policy_id.clone()),
        decision_id: decision.map(|decision| decision.context.decision_id.clone()),
        request_id: scope.context.request_id.as_ref().map(|id| id.as_str().to_owned()),
        narrowed: decision.is_some_and(|decision| decision.context.session_policy.is_some()),
        credentials_available: problem.is_none(),
        credentials_expire_at: timestamp(expiry.as_ref()),
        problem,
    }
}

fn tags(decision: &decision::Decision) -> BTreeMap<String, String> {
    decision.tags.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn summary(status: &Status) -> String {
    let who = match (&status.source_identity, &status.role_arn) {
        (Some(identity), Some(role)) => {
            let tenant = status.tenant.as_deref().unwrap_or_default();
            format!("You are {identity} of tenant {tenant} and work as {role}.")
        }
        _ => "You work with your own AWS profile.".to_owned(),
    };
    match &status.problem {
        Some(problem) => format!("{who} Calls will fail: {problem}"),
        None => format!("{who} AWS credentials are available."),
    }
}
