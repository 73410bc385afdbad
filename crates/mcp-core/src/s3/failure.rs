//! From an S3 error to words.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::failure::ToolFailure;

pub(crate) fn classify<E>(
    role: String,
    action: &str,
    resource: String,
    region: &str,
    error: &SdkError<E>,
) -> ToolFailure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let SdkError::ServiceError(answer) = error else {
        return ToolFailure::Unavailable { resource };
    };
    // HEAD answers have no body and so no code: then the status speaks.
    let code = answer.err().code().unwrap_or_default();
    let status = answer.raw().status().as_u16();
    match (code, status) {
        ("ExpiredToken" | "InvalidToken" | "InvalidAccessKeyId" | "TokenRefreshRequired", _) => {
            ToolFailure::SessionEnded { role }
        }
        ("SlowDown" | "Throttling" | "TooManyRequests" | "RequestLimitExceeded", _) | (_, 429) => {
            ToolFailure::Throttled { resource }
        }
        ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "TemporaryRedirect", _) | (_, 301 | 307) => {
            let named = answer.raw().headers().get("x-amz-bucket-region");
            let bucket_region =
                named.map_or_else(|| "another region".to_owned(), |name| format!("region {}", plain(name)));
            ToolFailure::OtherRegion { resource, bucket_region, region: region.to_owned() }
        }
        ("NoSuchBucket" | "NoSuchKey" | "NoSuchVersion" | "NotFound", _) | ("", 404) => {
            ToolFailure::NotFound { resource }
        }
        ("AccessDenied" | "AllAccessDisabled", _) | ("", 403) => {
            let action = stated_action(answer.err().message().unwrap_or_default()).unwrap_or(action);
            ToolFailure::Denied { role, action: action.to_owned(), resource }
        }
        // A success that cannot be read is none.
        (_, 500..) | ("", 200..=299) => ToolFailure::Unavailable { resource },
        ("", status) => {
            let code = format!("status {status}");
            ToolFailure::Refused { action: action.to_owned(), resource, code }
        }
        (code, _) => ToolFailure::Refused { action: action.to_owned(), resource, code: plain(code) },
    }
}

/// AWS may name another action than the one that was called, e.g. `kms:Decrypt`.
fn stated_action(message: &str) -> Option<&str> {
    let (_, after) = message.split_once("is not authorized to perform: ")?;
    let action = after.split_whitespace().next()?;
    let (service, name) = action.split_once(':')?;
    let is_name = !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric());
    (matches!(service, "s3" | "kms") && is_name).then_some(action)
}

/// Only what codes and region names consist of.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_actions_of_s3_and_kms_are_taken_from_the_answer() {
        let said = |action: &str| format!("User: x is not authorized to perform: {action} on resource: y");
        for (action, expected) in [
            ("kms:Decrypt", Some("kms:Decrypt")),
            ("s3:GetObjectVersion", Some("s3:GetObjectVersion")),
            ("iam:PassRole", None),
            ("s3:", None),
            ("s3:Get\u{202e}Object", None),
        ] {
            assert_eq!(stated_action(&said(action)), expected, "{action}");
        }
        assert_eq!(stated_action("Access Denied"), None);
    }
}
