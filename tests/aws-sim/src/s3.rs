//! S3 on `s3s` and `s3s-fs`, every operation decided by the caller's policies first.

mod access;
mod guard;
mod store;

pub(crate) use store::{build, is_storable_key};

use crate::answer::ApiError;
use crate::sigv4::SignatureError;

/// The refusal for a request that is not authenticated.
pub(crate) fn unauthenticated(error: SignatureError) -> ApiError {
    let (status, code, message) = match error {
        SignatureError::Missing => (403, "AccessDenied", "Access Denied"),
        SignatureError::Unsupported => {
            (400, "InvalidRequest", "The authorization mechanism you have provided is not supported.")
        }
        SignatureError::Incomplete => {
            (400, "AuthorizationHeaderMalformed", "The authorization header does not sign all it must.")
        }
        SignatureError::UnknownKey => {
            (403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
        }
        SignatureError::Token => {
            (400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
        }
        SignatureError::Expired => (400, "ExpiredToken", "The provided token has expired."),
        SignatureError::Scope => (
            400,
            "AuthorizationHeaderMalformed",
            "The authorization header is malformed; the scope is wrong.",
        ),
        SignatureError::Skewed => (
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        ),
        SignatureError::Mismatch => (
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your key and \
             signing method.",
        ),
    };
    ApiError::new(status, code, message)
}
