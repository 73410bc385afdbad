//! The sentences of the errors, and their stable words.

use super::{Denied, DeniedBy, Misconfiguration, Misconfigured, StsAction, Unavailable, UnavailableCause};

impl StsAction {
    /// The action as policies spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AssumeRole => "sts:AssumeRole",
            Self::TagSession => "sts:TagSession",
            Self::SetSourceIdentity => "sts:SetSourceIdentity",
        }
    }

    pub(super) fn denied_word(self) -> &'static str {
        match self {
            Self::AssumeRole => "sts_denied_assume_role",
            Self::TagSession => "sts_denied_tag_session",
            Self::SetSourceIdentity => "sts_denied_set_source_identity",
        }
    }
}

impl Misconfiguration {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::MalformedPolicy => "sts_malformed_policy",
            Self::PackedPolicyTooLarge { .. } => "sts_packed_policy_too_large",
            Self::RegionDisabled => "sts_region_disabled",
            Self::BaseCredentialsExpired => "sts_base_credentials_expired",
            Self::BaseCredentialsInvalid => "sts_base_credentials_invalid",
            Self::NoBaseCredentials => "sts_no_base_credentials",
            Self::DurationTooLong => "sts_duration_too_long",
            Self::InvalidParameter { .. } => "sts_invalid_parameter",
            Self::ClockSkew => "sts_clock_skew",
            Self::Other { .. } => "sts_rejected",
        }
    }
}

impl UnavailableCause {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::TimedOut => "sts_timed_out",
            Self::Unreachable => "sts_unreachable",
            Self::ServerError => "sts_server_error",
            Self::UnexpectedAnswer => "sts_unexpected_answer",
            Self::Interrupted => "sts_interrupted",
            Self::Unrecorded => "sts_unrecorded",
        }
    }
}

pub(super) fn denied(denied: &Denied) -> String {
    let role = &denied.role_arn;
    let Some(action) = denied.missing.map(StsAction::as_str) else {
        return format!(
            "STS refuses role {role}: allow sts:AssumeRole, sts:TagSession and sts:SetSourceIdentity in its trust \
             policy for the server's task role"
        );
    };
    match denied.by {
        DeniedBy::TrustPolicy => format!(
            "{action} is missing on role {role}: add {action} to the statement of its trust policy that names the \
             server's task role, and see that the statement's conditions hold"
        ),
        DeniedBy::IdentityPolicy => format!(
            "{action} is missing for role {role}: add {action} on this role to the policy of the server's task role"
        ),
        DeniedBy::ExplicitDeny => format!(
            "{action} on role {role} is explicitly denied: find the Deny statement in the role's trust policy, the \
             task role's policies, its permissions boundary or the organization's control policies"
        ),
        DeniedBy::Unstated => format!(
            "{action} is missing on role {role}: add {action} to the statement of its trust policy that names the \
             server's task role; if it is there, see that the role exists, that the statement's conditions hold and \
             that the task role's own policy allows {action} on it"
        ),
    }
}

pub(super) fn misconfigured(misconfigured: &Misconfigured) -> String {
    let role = &misconfigured.role_arn;
    let problem = match &misconfigured.problem {
        Misconfiguration::MalformedPolicy => {
            "the session policy is not a valid policy document: correct the file it is read from".to_owned()
        }
        Misconfiguration::PackedPolicyTooLarge { percent } => format!(
            "session policy and session tags take {} of the space STS gives them: shorten the session policy or use \
             fewer or shorter tags",
            percent.map_or_else(|| "more than all".to_owned(), |percent| format!("{percent} %"))
        ),
        Misconfiguration::RegionDisabled => {
            "STS is not active in the configured region: activate it in the account's settings or configure another \
             region"
                .to_owned()
        }
        Misconfiguration::BaseCredentialsExpired => {
            "the server's own credentials have expired: check how its task role is provided".to_owned()
        }
        Misconfiguration::BaseCredentialsInvalid => {
            "AWS does not accept the server's own credentials: check its task role and the host's clock".to_owned()
        }
        Misconfiguration::NoBaseCredentials => {
            "the server has no credentials of its own: give it a task role".to_owned()
        }
        Misconfiguration::DurationTooLong => {
            "the session is longer than permitted: at most one hour from a task role, and never more than the role's \
             maximum session duration"
                .to_owned()
        }
        Misconfiguration::InvalidParameter { parameter: Some(parameter) } => {
            format!("STS rejects the value of {parameter}: correct the mapping that it comes from")
        }
        Misconfiguration::InvalidParameter { parameter: None } => {
            "STS rejects the form of the request: correct the mapping that it comes from".to_owned()
        }
        Misconfiguration::ClockSkew => {
            "the session has already ended by this host's clock: set the clock".to_owned()
        }
        Misconfiguration::Other { code } => format!("STS rejects the request with {code}"),
    };
    format!("role {role} cannot be assumed: {problem}")
}

pub(super) fn unavailable(unavailable: &Unavailable) -> String {
    let role = &unavailable.role_arn;
    let cause = match unavailable.cause {
        UnavailableCause::TimedOut => "STS did not answer in time",
        UnavailableCause::Unreachable => "STS cannot be reached",
        UnavailableCause::ServerError => "STS failed",
        UnavailableCause::UnexpectedAnswer => "the answer did not come from STS, or was incomplete",
        UnavailableCause::Interrupted => "the server is stopping",
        UnavailableCause::Unrecorded => "the audit log cannot record it",
    };
    format!("role {role} cannot be assumed now: {cause}; try again")
}
