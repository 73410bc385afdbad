//! One call: the permissions it needs, and its record in the trail.

use http::Extensions;
use s3s::{S3Error, S3ErrorCode, S3Result};
use serde_json::{Value, json};

use super::access::s3_error;
use crate::answer::ApiError;
use crate::clock::rfc3339;
use crate::iam::{Context, Decision, Denial, DenialSource, Request, evaluate};
use crate::sigv4::Service;
use crate::trail::Call;
use crate::world::{Inbound, World};

/// A permitted or refused call on its way; dropped without `finish`, it leaves no record.
pub(super) struct Guard<'a> {
    world: &'a World,
    inbound: Inbound,
    call: Call,
}

/// An action on a bucket or on an object in it.
#[derive(Clone, Copy)]
pub(super) struct Need<'a> {
    pub(super) action: &'static str,
    pub(super) bucket: &'a str,
    pub(super) key: Option<&'a str>,
}

impl<'a> Guard<'a> {
    /// Starts the call of the request that carries these extensions.
    pub(super) fn new(world: &'a World, extensions: &Extensions, operation: &str) -> S3Result<Self> {
        let inbound =
            extensions.get::<Inbound>().cloned().ok_or_else(|| S3Error::new(S3ErrorCode::AccessDenied))?;
        let mut call = Call::new(Service::S3, operation, &inbound.request_id, rfc3339(world.now()));
        call.by(&inbound.caller.credential, &inbound.caller.region);
        Ok(Self { world, inbound, call })
    }

    pub(super) fn account(&self) -> &str {
        self.inbound.caller.credential.account()
    }

    pub(super) fn note(&mut self, name: &str, value: Value) {
        self.call.request_parameters.insert(name.to_owned(), value);
    }

    /// The condition keys of this call.
    pub(super) fn context(&self) -> Context {
        let mut context = self.world.context(&self.inbound);
        context.set("s3:authType", "REST-HEADER");
        context.set("s3:signatureversion", "AWS4-HMAC-SHA256");
        context
    }

    /// Requires `s3:ListAllMyBuckets`.
    pub(super) fn list_all(&self) -> S3Result<()> {
        let account = self.account();
        self.decide("s3:ListAllMyBuckets", "arn:aws:s3:::*", account, None, &self.context())
    }

    /// Requires a permission; an unknown bucket is said to be unknown, as AWS does.
    pub(super) fn require(&mut self, need: Need<'_>, mut context: Context) -> S3Result<()> {
        self.note("bucketName", json!(need.bucket));
        if let Some(key) = need.key {
            self.note("key", json!(key));
            if !super::is_storable_key(key) {
                return Err(self.error(400, "InvalidArgument", "the simulator does not store such keys"));
            }
        }
        let Some(bucket) = self.world.buckets.get(need.bucket) else {
            return Err(self.error(404, "NoSuchBucket", "The specified bucket does not exist"));
        };
        context.set("aws:ResourceAccount", bucket.account.as_str());
        context.set("s3:ResourceAccount", bucket.account.as_str());
        let resource = match need.key {
            Some(key) => format!("arn:aws:s3:::{}/{key}", need.bucket),
            None => format!("arn:aws:s3:::{}", need.bucket),
        };
        self.decide(need.action, &resource, &bucket.account, bucket.policy.as_ref(), &context)
    }

    fn decide(
        &self,
        action: &str,
        resource: &str,
        resource_account: &str,
        policy: Option<&crate::iam::Policy>,
        context: &Context,
    ) -> S3Result<()> {
        let caller = self.inbound.caller.credential.as_ref();
        let request = Request { principal: &caller.principal, action, resource, resource_account, context };
        match evaluate(&request, &caller.policies(policy, false)) {
            Decision::Allowed => Ok(()),
            Decision::Denied(denial) => {
                let because = because(action, denial);
                let user = caller.principal.arn();
                let message = format!(
                    "User: {user} is not authorized to perform: {action} on resource: \"{resource}\" {because}"
                );
                Err(self.error(403, "AccessDenied", &message))
            }
        }
    }

    pub(super) fn error(&self, status: u16, code: &'static str, message: &str) -> S3Error {
        s3_error(&ApiError::new(status, code, message), &self.inbound.request_id)
    }

    /// Records the call with its outcome.
    pub(super) fn finish<T>(mut self, outcome: S3Result<T>) -> S3Result<T> {
        if let Err(error) = &outcome {
            self.call.failed(error.code().as_str(), error.message().unwrap_or_default());
        }
        self.world.trail.record(self.call);
        outcome
    }
}

fn because(action: &str, denial: Denial) -> String {
    let source = denial.source.as_str();
    let article = if denial.source == DenialSource::Identity { "an" } else { "a" };
    if denial.explicit {
        format!("with an explicit deny in {article} {source} policy")
    } else {
        format!("because no {source} policy allows the {action} action")
    }
}
