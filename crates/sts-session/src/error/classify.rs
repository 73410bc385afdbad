//! From what STS answered to what can be done about it.

use super::{
    AssumeRoleError, Denied, DeniedBy, Misconfiguration, Misconfigured, StsAction, Throttled, Unavailable,
    UnavailableCause,
};

/// An error answer of STS, as its XML carries it.
#[derive(Clone, Copy, Debug)]
pub struct StsFailure<'a> {
    /// HTTP status of the answer.
    pub status: u16,
    /// The `Code` element, empty when there was none.
    pub code: &'a str,
    /// The `Message` element, empty when there was none. It is read for known facts and not kept.
    pub message: &'a str,
    /// The id under which AWS recorded the call.
    pub aws_request_id: Option<&'a str>,
}

impl StsFailure<'_> {
    /// What the failure means for a call that asked for `role_arn`.
    #[must_use]
    pub fn classify(&self, role_arn: &str) -> AssumeRoleError {
        let role_arn = role_arn.to_owned();
        let aws_request_id = self.aws_request_id.map(str::to_owned);
        if is_throttle(self.code) || self.status == 429 {
            return AssumeRoleError::Throttled(Throttled { role_arn, aws_request_id });
        }
        if matches!(self.code, "AccessDenied" | "AccessDeniedException") {
            return AssumeRoleError::Denied(Denied {
                role_arn,
                missing: missing_action(self.message),
                by: denied_by(self.message),
                principal: between(self.message, "User: ", " is not authorized").map(str::to_owned),
                aws_request_id,
            });
        }
        if self.status >= 500 {
            let cause = UnavailableCause::ServerError;
            return AssumeRoleError::Unavailable(Unavailable { role_arn, cause, aws_request_id });
        }
        if self.code.is_empty() {
            let cause = UnavailableCause::UnexpectedAnswer;
            return AssumeRoleError::Unavailable(Unavailable { role_arn, cause, aws_request_id });
        }
        let problem = misconfiguration(self.code, self.message);
        AssumeRoleError::Misconfigured(Misconfigured { role_arn, problem, aws_request_id })
    }
}

fn is_throttle(code: &str) -> bool {
    matches!(
        code,
        "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "TooManyRequestsException"
            | "RequestLimitExceeded"
            | "LimitExceededException"
            | "BandwidthLimitExceeded"
            | "SlowDown"
    )
}

fn misconfiguration(code: &str, message: &str) -> Misconfiguration {
    match code {
        "MalformedPolicyDocument" | "MalformedPolicyDocumentException" => Misconfiguration::MalformedPolicy,
        "PackedPolicyTooLarge" | "PackedPolicyTooLargeException" => {
            Misconfiguration::PackedPolicyTooLarge { percent: packed_percent(message) }
        }
        "RegionDisabledException" | "RegionDisabled" | "OptInRequired" => Misconfiguration::RegionDisabled,
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
            Misconfiguration::BaseCredentialsExpired
        }
        "InvalidClientTokenId"
        | "InvalidIdentityToken"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "AuthFailure" => Misconfiguration::BaseCredentialsInvalid,
        "ValidationError" | "ValidationException" if message.contains("DurationSeconds exceeds") => {
            Misconfiguration::DurationTooLong
        }
        "ValidationError"
        | "ValidationException"
        | "InvalidParameterValue"
        | "InvalidParameterCombination" => {
            Misconfiguration::InvalidParameter { parameter: named_parameter(message) }
        }
        code => Misconfiguration::Other { code: plain(code, 64) },
    }
}

/// STS words a refusal as `User: <principal> is not authorized to perform: <action> on resource: <role>`, followed in
/// newer answers by `because no <kind> policy allows …` or `with an explicit deny in a <kind> policy`.
fn missing_action(message: &str) -> Option<StsAction> {
    let action = between(message, "is not authorized to perform: ", " ")?;
    [StsAction::AssumeRole, StsAction::TagSession, StsAction::SetSourceIdentity]
        .into_iter()
        .find(|known| known.as_str() == action)
}

fn denied_by(message: &str) -> DeniedBy {
    let said = message.split_once(" on resource: ").map_or("", |(_, said)| said);
    if said.contains("explicit deny") {
        DeniedBy::ExplicitDeny
    } else if said.contains("no resource-based policy allows") || said.contains("no role trust policy allows")
    {
        DeniedBy::TrustPolicy
    } else if said.contains("no identity-based policy allows") {
        DeniedBy::IdentityPolicy
    } else {
        DeniedBy::Unstated
    }
}

/// `Packed policy consumes 112% of allotted space, please use smaller policy.`
fn packed_percent(message: &str) -> Option<u32> {
    let (before, _) = message.split_once('%')?;
    let digits = before.rsplit(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// `1 validation error detected: Value '…' at 'tags.3.member.value' failed to satisfy constraint: …`. The value is the
/// caller's and could itself contain the phrase, so the last one counts.
fn named_parameter(message: &str) -> Option<String> {
    let (_, after) = message.rsplit_once("' at '")?;
    let (name, _) = after.split_once('\'')?;
    let legal = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
    (legal && !name.is_empty() && name.len() <= 64).then(|| name.to_owned())
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, after) = text.split_once(start)?;
    let (found, _) = after.split_once(end)?;
    Some(found)
}

/// Only what an error code consists of, so that a strange answer cannot write into a log.
fn plain(text: &str, limit: usize) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')).take(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::444455556666:role/acme-reader";

    fn classify(status: u16, code: &str, message: &str) -> AssumeRoleError {
        StsFailure { status, code, message, aws_request_id: Some("r-1") }.classify(ROLE)
    }

    #[test]
    fn refusals_name_the_missing_permission_and_the_role() {
        let user = "User: arn:aws:sts::111122223333:assumed-role/task/abc is not authorized to perform: ";
        let cases = [
            ("sts:AssumeRole", "", StsAction::AssumeRole, DeniedBy::Unstated, "add sts:AssumeRole to"),
            ("sts:TagSession", "", StsAction::TagSession, DeniedBy::Unstated, "add sts:TagSession to"),
            (
                "sts:SetSourceIdentity",
                " because no resource-based policy allows the sts:SetSourceIdentity action",
                StsAction::SetSourceIdentity,
                DeniedBy::TrustPolicy,
                "add sts:SetSourceIdentity to the statement of its trust policy",
            ),
            (
                "sts:TagSession",
                " because no identity-based policy allows the sts:TagSession action",
                StsAction::TagSession,
                DeniedBy::IdentityPolicy,
                "add sts:TagSession on this role to the policy of the server's task role",
            ),
            (
                "sts:AssumeRole",
                " with an explicit deny in a service control policy",
                StsAction::AssumeRole,
                DeniedBy::ExplicitDeny,
                "explicitly denied",
            ),
        ];
        for (action, tail, missing, by, words) in cases {
            let error = classify(403, "AccessDenied", &format!("{user}{action} on resource: {ROLE}{tail}"));
            let AssumeRoleError::Denied(denied) = &error else { panic!("{error:?}") };
            assert_eq!((denied.missing, denied.by), (Some(missing), by), "{action}{tail}");
            assert_eq!(denied.principal.as_deref(), Some("arn:aws:sts::111122223333:assumed-role/task/abc"));
            assert_eq!(error.aws_request_id(), Some("r-1"));
            let shown = error.to_string();
            assert!(shown.contains(words) && shown.contains(ROLE), "{shown}");
            assert!(!shown.contains("111122223333"), "the task role is for the log: {shown}");
            assert!(!error.is_transient());
        }
    }

    #[test]
    fn a_refusal_without_words_still_says_what_to_check() {
        let error = classify(403, "AccessDenied", "Access denied");
        assert_eq!(error.reason(), "sts_denied");
        assert!(error.to_string().contains("sts:TagSession"), "{error}");
    }

    #[test]
    fn every_code_has_its_class() {
        let validation =
            "1 validation error detected: Value 'x' at 'a' at 'sourceIdentity' failed to satisfy";
        let duration = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        let cases = [
            (400, "MalformedPolicyDocument", "", "sts_malformed_policy", "session policy"),
            (
                400,
                "PackedPolicyTooLarge",
                "Packed policy consumes 112% of",
                "sts_packed_policy_too_large",
                "112 %",
            ),
            (400, "PackedPolicyTooLarge", "", "sts_packed_policy_too_large", "more than all"),
            (403, "RegionDisabledException", "", "sts_region_disabled", "region"),
            (403, "ExpiredToken", "", "sts_base_credentials_expired", "expired"),
            (403, "InvalidClientTokenId", "", "sts_base_credentials_invalid", "task role"),
            (
                403,
                "SignatureDoesNotMatch",
                "x-amz-security-token:canary",
                "sts_base_credentials_invalid",
                "clock",
            ),
            (400, "InvalidIdentityToken", "", "sts_base_credentials_invalid", "credentials"),
            (400, "ValidationError", validation, "sts_invalid_parameter", "sourceIdentity"),
            (400, "ValidationError", "no names", "sts_invalid_parameter", "form"),
            (400, "ValidationError", duration, "sts_duration_too_long", "one hour"),
            (400, "Odd\r\nCode", "", "sts_rejected", "OddCode"),
            (400, "Throttling", "Rate exceeded", "sts_throttled", "throttling"),
            (429, "", "", "sts_throttled", "throttling"),
            (503, "ServiceUnavailable", "", "sts_server_error", "failed"),
            (400, "", "<html>", "sts_unexpected_answer", "did not come from STS"),
        ];
        for (status, code, message, reason, words) in cases {
            let error = classify(status, code, message);
            assert_eq!(error.reason(), reason, "{code} {message}");
            let shown = error.to_string();
            assert!(shown.contains(words) && shown.contains(ROLE), "{code}: {shown}");
            assert!(!format!("{error:?} {error}").contains("canary"), "{error:?}");
        }
    }

    #[test]
    fn only_waiting_helps_with_throttling_and_outages() {
        for (status, code, transient) in [
            (400, "Throttling", true),
            (500, "InternalFailure", true),
            (403, "AccessDenied", false),
            (400, "ValidationError", false),
        ] {
            assert_eq!(classify(status, code, "").is_transient(), transient, "{code}");
        }
    }
}
