//! STS: `AssumeRole` and `GetCallerIdentity` over the query protocol.

mod assume;
mod parameters;
mod validate;

pub(crate) use assume::{NewSession, issue};

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, header};
use serde_json::{Map, Value, json};

use crate::answer::{self, ApiError};
use crate::credentials::Credential;
use crate::sigv4::{Service, SignatureError, Verifier, sha256_hex};
use crate::trail::Call;
use crate::world::{Inbound, World};
use parameters::Parameters;

/// Longer bodies are refused.
const MAX_BODY: usize = 64 * 1024;

/// Answers one request.
pub(crate) async fn answer(
    world: &World,
    head: &Parts,
    body: &[u8],
    request_id: &str,
    source_ip: std::net::IpAddr,
) -> Response<Bytes> {
    let parameters = read(head, body);
    let operation = parameters.as_ref().map_or("Unknown", |parameters| parameters.operation()).to_owned();
    let mut call = Call::new(Service::Sts, &operation, request_id, crate::clock::rfc3339(world.now()));
    let result = match parameters {
        Ok(parameters) => {
            call.request_parameters = recorded(&parameters);
            run(world, head, body, &parameters, request_id, source_ip, &mut call).await
        }
        Err(error) => Err(error),
    };
    let response = match result {
        Ok(result) => answer::sts_result(&operation, &result, request_id),
        Err(error) => {
            call.failed(error.code, &error.message);
            answer::error(Service::Sts, &head.method, &error, request_id)
        }
    };
    world.trail.record(call);
    response
}

async fn run(
    world: &World,
    head: &Parts,
    body: &[u8],
    parameters: &Parameters,
    request_id: &str,
    source_ip: std::net::IpAddr,
    call: &mut Call,
) -> Result<String, ApiError> {
    world.faults.strike(Service::Sts, parameters.operation()).await?;
    let verifier = Verifier { keyring: &world.keyring, regions: &world.regions, now: world.now() };
    let hash = sha256_hex(body);
    if head.headers.get("x-amz-content-sha256").is_some_and(|declared| declared.as_bytes() != hash.as_bytes())
    {
        return Err(unauthenticated(SignatureError::Mismatch));
    }
    let caller = verifier.verify(head, &hash, Service::Sts).map_err(unauthenticated)?;
    call.by(&caller.credential, &caller.region);
    let inbound = Inbound { caller, request_id: request_id.to_owned(), source_ip };
    match parameters.operation() {
        "GetCallerIdentity" => {
            parameters.allow_only(&[])?;
            Ok(caller_identity(&inbound.caller.credential))
        }
        "AssumeRole" => {
            let (result, credential) = assume::assume_role(world, &inbound, parameters)?;
            call.source_identity = credential.source_identity().map(str::to_owned);
            call.principal_tags = credential.tags.to_map();
            Ok(result)
        }
        other => Err(ApiError::new(
            400,
            "InvalidAction",
            format!("Could not find operation {other} for version {}", parameters::VERSION),
        )),
    }
}

fn read(head: &Parts, body: &[u8]) -> Result<Parameters, ApiError> {
    let form =
        head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_form = form.split(';').next().unwrap_or_default().trim() == "application/x-www-form-urlencoded";
    if head.method != Method::POST || !is_form || head.uri.query().is_some() || body.len() > MAX_BODY {
        let message = "only POST with a form body of at most 64 KiB is simulated";
        return Err(ApiError::new(400, "MalformedInput", message));
    }
    Parameters::parse(body)
}

/// The parameters as CloudTrail shows them: names in camel case, tags as an object, lists as arrays.
fn recorded(parameters: &Parameters) -> Map<String, Value> {
    let mut record = Map::new();
    for (name, value) in parameters.iter().filter(|(name, _)| !name.contains('.')) {
        let mut letters = name.chars();
        let first = letters.next().map(|first| first.to_ascii_lowercase());
        record.insert(first.into_iter().chain(letters).collect(), json!(value));
    }
    let tag = |tag: &Vec<Option<&str>>| match tag.as_slice() {
        [Some(key), value] => Some(((*key).to_owned(), json!(value))),
        _ => None,
    };
    let tags: Map<String, Value> =
        parameters.list("Tags", &["Key", "Value"]).iter().filter_map(tag).collect();
    let arns = parameters.list("PolicyArns", &["arn"]).concat();
    let keys = parameters.list("TransitiveTagKeys", &[""]).concat();
    if !tags.is_empty() {
        record.insert("principalTags".to_owned(), Value::Object(tags));
    }
    if !keys.is_empty() {
        record.insert("transitiveTagKeys".to_owned(), json!(keys));
    }
    if !arns.is_empty() {
        record.insert("policyArns".to_owned(), json!(arns));
    }
    record
}

fn caller_identity(credential: &Credential) -> String {
    format!(
        "<Arn>{}</Arn><UserId>{}</UserId><Account>{}</Account>",
        answer::escape(credential.principal.arn()),
        answer::escape(&credential.user_id),
        credential.account()
    )
}

fn unauthenticated(error: SignatureError) -> ApiError {
    let (status, code, message) = match error {
        SignatureError::Missing => {
            (403, "MissingAuthenticationToken", "Request is missing Authentication Token")
        }
        SignatureError::Unsupported | SignatureError::Incomplete => {
            (400, "IncompleteSignature", "Authorization header cannot be used, or does not sign all it must")
        }
        SignatureError::UnknownKey | SignatureError::Token => {
            (403, "InvalidClientTokenId", "The security token included in the request is invalid.")
        }
        SignatureError::Expired => {
            (403, "ExpiredToken", "The security token included in the request is expired")
        }
        SignatureError::Scope => {
            (403, "SignatureDoesNotMatch", "Credential should be scoped to a valid region, service and date.")
        }
        SignatureError::Skewed => (403, "SignatureDoesNotMatch", "Signature expired or not yet current"),
        SignatureError::Mismatch => (
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
             Access Key and signing method. Consult the service documentation for details.",
        ),
    };
    ApiError::new(status, code, message)
}
