//! What a request may look like at all, before its operation is decided.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Error, S3ErrorCode, S3Result};

use crate::answer::ApiError;
use crate::clock::rfc3339;
use crate::sigv4::Service;
use crate::trail::Call;
use crate::world::{Inbound, World};

/// The operations that have a mapping to IAM actions in `store`. Every other one is denied.
const OPERATIONS: [&str; 11] = [
    "ListBuckets",
    "ListObjects",
    "ListObjectsV2",
    "GetBucketLocation",
    "HeadBucket",
    "GetObject",
    "HeadObject",
    "PutObject",
    "DeleteObject",
    "DeleteObjects",
    "CopyObject",
];

/// `x-amz-` headers that are understood; a header that would change what happens must not be ignored silently.
const HEADERS: [&str; 12] = [
    "x-amz-checksum-algorithm",
    "x-amz-checksum-mode",
    "x-amz-content-sha256",
    "x-amz-copy-source",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-expected-bucket-owner",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-security-token",
    "x-amz-te",
    "x-amz-trailer",
    "x-amz-user-agent",
];
const HEADER_PREFIXES: [&str; 2] = ["x-amz-meta-", "x-amz-checksum-"];

/// Query parameters that are understood.
const PARAMETERS: [&str; 14] = [
    "continuation-token",
    "delete",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "list-type",
    "location",
    "marker",
    "max-buckets",
    "max-keys",
    "prefix",
    "start-after",
    "versionId",
    "x-id",
];

/// The keys of this simulator, for the second verification that `s3s` does (it also verifies bodies).
pub(super) struct Keys(pub(super) Arc<World>);

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        match self.0.keyring.find(access_key) {
            Some(credential) => Ok(SecretKey::from(credential.secret_access_key.as_str())),
            None => Err(S3Error::new(S3ErrorCode::InvalidAccessKeyId)),
        }
    }
}

/// The first gate: known operation, known parameters, authenticated caller, commanded faults.
pub(super) struct Gate(pub(super) Arc<World>);

#[async_trait::async_trait]
impl S3Access for Gate {
    async fn check(&self, request: &mut S3AccessContext<'_>) -> S3Result<()> {
        let operation = request.s3_op().name().to_owned();
        let refusal = match self.judge(request, &operation) {
            Ok(()) => self.0.faults.strike(Service::S3, &operation).await.err(),
            Err(error) => Some(error),
        };
        let Some(error) = refusal else { return Ok(()) };
        let inbound = request.extensions_mut().get::<Inbound>().cloned();
        let request_id = inbound.as_ref().map_or("", |inbound| inbound.request_id.as_str());
        let mut call = Call::new(Service::S3, &operation, request_id, rfc3339(self.0.now()));
        if let Some(inbound) = &inbound {
            call.by(&inbound.caller.credential, &inbound.caller.region);
        }
        call.failed(error.code, &error.message);
        self.0.trail.record(call);
        Err(s3_error(&error, request_id))
    }
}

impl Gate {
    fn judge(&self, request: &mut S3AccessContext<'_>, operation: &str) -> Result<(), ApiError> {
        let denied = || ApiError::new(403, "AccessDenied", "Access Denied");
        let verified = request.credentials().map(|credentials| credentials.access_key.clone());
        let caller = request.extensions_mut().get::<Inbound>().map(|inbound| &inbound.caller);
        let same_key =
            caller.is_some_and(|caller| Some(&caller.credential.access_key_id) == verified.as_ref());
        if !same_key || !OPERATIONS.contains(&operation) {
            return Err(denied());
        }
        check_headers(request.headers(), operation)?;
        check_query(request.uri().query().unwrap_or_default())?;
        self.check_owner(request, "x-amz-expected-bucket-owner")
    }

    fn check_owner(&self, request: &S3AccessContext<'_>, header: &str) -> Result<(), ApiError> {
        let Some(expected) = request.headers().get(header) else { return Ok(()) };
        let bucket = request.s3_path().get_bucket_name().and_then(|name| self.0.buckets.get(name));
        if bucket.is_none_or(|bucket| expected.as_bytes() == bucket.account.as_bytes()) {
            Ok(())
        } else {
            Err(ApiError::new(403, "AccessDenied", "Access Denied"))
        }
    }
}

fn check_headers(headers: &HeaderMap, operation: &str) -> Result<(), ApiError> {
    for name in headers.keys().map(http::HeaderName::as_str) {
        let conditional = name.starts_with("if-") && operation != "PutObject";
        let unknown = name.starts_with("x-amz-")
            && !HEADERS.contains(&name)
            && !HEADER_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        if conditional || unknown {
            return Err(ApiError::new(501, "NotImplemented", format!("header {name} is not simulated")));
        }
    }
    Ok(())
}

fn check_query(query: &str) -> Result<(), ApiError> {
    let mut seen = BTreeSet::new();
    for (name, _) in url::form_urlencoded::parse(query.as_bytes()) {
        if !PARAMETERS.contains(&name.as_ref()) {
            return Err(ApiError::new(501, "NotImplemented", format!("parameter {name} is not simulated")));
        }
        if !seen.insert(name.clone()) {
            return Err(ApiError::new(400, "InvalidArgument", format!("parameter {name} is repeated")));
        }
    }
    Ok(())
}

/// An error in the form `s3s` answers with.
pub(super) fn s3_error(error: &ApiError, request_id: &str) -> S3Error {
    let code = S3ErrorCode::from_bytes(error.code.as_bytes()).unwrap_or(S3ErrorCode::InternalError);
    let mut answer = S3Error::with_message(code, error.message.clone());
    answer.set_status_code(StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    answer.set_request_id(request_id);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(result: Result<(), ApiError>) -> u16 {
        result.err().map_or(200, |error| error.status)
    }

    #[test]
    fn parameters_are_known_and_single() {
        let cases = [
            ("", 200),
            ("list-type=2&prefix=acme%2F&max-keys=2", 200),
            ("prefix=acme%2F&prefix=globex%2F", 400),
            ("prefix=acme%2F&pre%66ix=globex%2F", 400),
            ("acl", 501),
            ("policy=", 501),
            ("partNumber=1&uploadId=x", 501),
            ("response-content-type=text%2Fhtml", 501),
        ];
        for (query, expected) in cases {
            assert_eq!(status(check_query(query)), expected, "{query}");
        }
    }

    #[test]
    fn headers_that_change_what_happens_are_known() {
        let cases = [
            ("x-amz-meta-a", "GetObject", 200),
            ("x-amz-checksum-crc32", "PutObject", 200),
            ("if-none-match", "PutObject", 200),
            ("if-none-match", "GetObject", 501),
            ("x-amz-acl", "PutObject", 501),
            ("x-amz-grant-read", "PutObject", 501),
            ("x-amz-tagging", "PutObject", 501),
            ("x-amz-bypass-governance-retention", "DeleteObject", 501),
            ("x-amz-source-expected-bucket-owner", "CopyObject", 501),
        ];
        for (name, operation, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(name, http::HeaderValue::from_static("x"));
            assert_eq!(status(check_headers(&headers, operation)), expected, "{name} of {operation}");
        }
    }
}
