//! Why a role could not be assumed, by what the operator can do about it.

mod classify;
mod words;

pub use classify::StsFailure;

/// Why a role could not be assumed. `Display` says what to change and where, and holds nothing secret and no text that
/// STS sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssumeRoleError {
    /// STS refused this server this role: a policy must change.
    #[error(transparent)]
    Denied(Denied),
    /// The request or this server's set-up can never succeed as it is.
    #[error(transparent)]
    Misconfigured(Misconfigured),
    /// Too many calls; the same request succeeds later.
    #[error(transparent)]
    Throttled(Throttled),
    /// STS did not answer; the same request may succeed later.
    #[error(transparent)]
    Unavailable(Unavailable),
}

impl AssumeRoleError {
    /// A failure on this side of STS.
    #[must_use]
    pub fn unavailable(role_arn: impl Into<String>, cause: UnavailableCause) -> Self {
        Self::Unavailable(Unavailable { role_arn: role_arn.into(), cause, aws_request_id: None })
    }

    /// Whether the same request may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Throttled(_) | Self::Unavailable(_) => true,
            Self::Denied(_) | Self::Misconfigured(_) => false,
        }
    }

    /// A stable word for logs and audit.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Denied(denied) => denied.missing.map_or("sts_denied", StsAction::denied_word),
            Self::Misconfigured(misconfigured) => misconfigured.problem.word(),
            Self::Throttled(_) => "sts_throttled",
            Self::Unavailable(unavailable) => unavailable.cause.word(),
        }
    }

    /// ARN of the role that was asked for.
    #[must_use]
    pub fn role_arn(&self) -> &str {
        match self {
            Self::Denied(Denied { role_arn, .. })
            | Self::Misconfigured(Misconfigured { role_arn, .. })
            | Self::Throttled(Throttled { role_arn, .. })
            | Self::Unavailable(Unavailable { role_arn, .. }) => role_arn,
        }
    }

    /// The id under which AWS recorded the call, if it reached AWS.
    #[must_use]
    pub fn aws_request_id(&self) -> Option<&str> {
        match self {
            Self::Denied(Denied { aws_request_id, .. })
            | Self::Misconfigured(Misconfigured { aws_request_id, .. })
            | Self::Throttled(Throttled { aws_request_id, .. })
            | Self::Unavailable(Unavailable { aws_request_id, .. }) => aws_request_id.as_deref(),
        }
    }
}

/// A permission that an `AssumeRole` call needs. Each is evaluated apart, in the role's trust policy and in this
/// server's own policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StsAction {
    /// `sts:AssumeRole`
    AssumeRole,
    /// `sts:TagSession`
    TagSession,
    /// `sts:SetSourceIdentity`
    SetSourceIdentity,
}

/// Which policy refused, where STS said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeniedBy {
    /// No statement of the role's trust policy allows it.
    TrustPolicy,
    /// No statement of this server's own policy allows it.
    IdentityPolicy,
    /// A statement denies it: an organisation's control policy, a boundary, or either policy above.
    ExplicitDeny,
    /// STS did not say.
    Unstated,
}

/// STS refused the role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", words::denied(self))]
#[non_exhaustive]
pub struct Denied {
    /// ARN of the role that was asked for.
    pub role_arn: String,
    /// The permission that was missing, if STS named it.
    pub missing: Option<StsAction>,
    /// Which policy refused.
    pub by: DeniedBy,
    /// ARN of the principal that STS saw. For the operator's log: callers need not learn it.
    pub principal: Option<String>,
    /// The id under which AWS recorded the call.
    pub aws_request_id: Option<String>,
}

/// What is set up wrongly.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Misconfiguration {
    /// The session policy is not a valid policy document.
    MalformedPolicy,
    /// Session policies and tags together exceed what STS can pack, by the percentage it stated.
    PackedPolicyTooLarge {
        /// How much of the space they take; above 100.
        percent: Option<u32>,
    },
    /// STS is switched off in this region for the account.
    RegionDisabled,
    /// This server's own credentials have expired.
    BaseCredentialsExpired,
    /// This server's own credentials are unknown to AWS, or the signature was wrong.
    BaseCredentialsInvalid,
    /// This server found no credentials of its own.
    NoBaseCredentials,
    /// The session would be longer than the role allows.
    DurationTooLong,
    /// STS rejects the form of a parameter, which is named if STS named it.
    InvalidParameter {
        /// The parameter, e.g. `sourceIdentity` or `tags.3.member.value`.
        parameter: Option<String>,
    },
    /// The session had ended, or nearly so, when it arrived: a clock is wrong.
    ClockSkew,
    /// Any other refusal of the request, by its code.
    Other {
        /// The error code of STS.
        code: String,
    },
}

/// A request that can never succeed as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", words::misconfigured(self))]
#[non_exhaustive]
pub struct Misconfigured {
    /// ARN of the role that was asked for.
    pub role_arn: String,
    /// What is wrong.
    pub problem: Misconfiguration,
    /// The id under which AWS recorded the call.
    pub aws_request_id: Option<String>,
}

/// Too many calls.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("STS is throttling calls for role {role_arn}: try again in a few seconds")]
#[non_exhaustive]
pub struct Throttled {
    /// ARN of the role that was asked for.
    pub role_arn: String,
    /// The id under which AWS recorded the call.
    pub aws_request_id: Option<String>,
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnavailableCause {
    /// No answer in time.
    TimedOut,
    /// The endpoint could not be reached.
    Unreachable,
    /// STS answered that it failed.
    ServerError,
    /// The answer was not one that STS gives.
    UnexpectedAnswer,
    /// This server stopped while it waited.
    Interrupted,
    /// The assumption could not be recorded, so its session is not used.
    Unrecorded,
}

/// STS did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", words::unavailable(self))]
#[non_exhaustive]
pub struct Unavailable {
    /// ARN of the role that was asked for.
    pub role_arn: String,
    /// Why there was no answer.
    pub cause: UnavailableCause,
    /// The id under which AWS recorded the call, if it did.
    pub aws_request_id: Option<String>,
}
