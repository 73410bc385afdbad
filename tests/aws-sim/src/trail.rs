//! What was called, by whom: the simulator's CloudTrail.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::credentials::Credential;
use crate::iam::Principal;
use crate::sigv4::Service;

/// One API call, answered or refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Call {
    /// RFC 3339, UTC.
    pub event_time: String,
    /// `sts.amazonaws.com` or `s3.amazonaws.com`.
    pub event_source: String,
    /// The API operation.
    pub event_name: String,
    /// The region the request was signed for; empty when it was not authenticated.
    pub region: String,
    /// The request id in the answer.
    pub request_id: String,
    /// The caller's ARN; absent when the request was not authenticated.
    pub caller_arn: Option<String>,
    /// The caller's access key id.
    pub access_key_id: Option<String>,
    /// The caller's own source identity.
    pub caller_source_identity: Option<String>,
    /// The source identity the call is made under: the caller's, or for `AssumeRole` the new session's.
    pub source_identity: Option<String>,
    /// The principal tags of the caller, or for `AssumeRole` of the new session.
    pub principal_tags: BTreeMap<String, String>,
    /// The request's parameters.
    pub request_parameters: Map<String, Value>,
    /// The error's code, when the call was refused or failed.
    pub error_code: Option<String>,
    /// The error's message.
    pub error_message: Option<String>,
}

impl Call {
    /// The call as a CloudTrail record.
    #[must_use]
    pub fn to_cloudtrail(&self) -> Value {
        let mut record = json!({
            "eventVersion": "1.08",
            "eventTime": self.event_time,
            "eventSource": self.event_source,
            "eventName": self.event_name,
            "awsRegion": self.region,
            "requestID": self.request_id,
            "eventType": "AwsApiCall",
            "userIdentity": {
                "type": self.identity_type(),
                "arn": self.caller_arn,
                "accessKeyId": self.access_key_id,
                "sessionContext": {"sourceIdentity": self.caller_source_identity},
            },
            "sourceIdentity": self.source_identity,
            "principalTags": self.principal_tags,
            "requestParameters": self.request_parameters,
        });
        if let (Some(code), Some(object)) = (&self.error_code, record.as_object_mut()) {
            object.insert("errorCode".to_owned(), json!(code));
            object.insert("errorMessage".to_owned(), json!(self.error_message));
        }
        record
    }

    fn identity_type(&self) -> &'static str {
        match &self.caller_arn {
            Some(arn) if arn.contains(":assumed-role/") => "AssumedRole",
            Some(_) => "IAMUser",
            None => "Unknown",
        }
    }

    pub(crate) fn new(service: Service, operation: &str, request_id: &str, event_time: String) -> Self {
        Self {
            event_time,
            event_source: format!("{}.amazonaws.com", service.as_str()),
            event_name: operation.to_owned(),
            region: String::new(),
            request_id: request_id.to_owned(),
            caller_arn: None,
            access_key_id: None,
            caller_source_identity: None,
            source_identity: None,
            principal_tags: BTreeMap::new(),
            request_parameters: Map::new(),
            error_code: None,
            error_message: None,
        }
    }

    /// Names the authenticated caller.
    pub(crate) fn by(&mut self, credential: &Credential, region: &str) {
        region.clone_into(&mut self.region);
        self.caller_arn = Some(credential.principal.arn().to_owned());
        self.access_key_id = Some(credential.access_key_id.clone());
        self.caller_source_identity = credential.source_identity().map(str::to_owned);
        self.source_identity.clone_from(&self.caller_source_identity);
        if matches!(credential.principal, Principal::Session { .. }) {
            self.principal_tags = credential.tags.to_map();
        }
    }

    pub(crate) fn failed(&mut self, code: &str, message: &str) {
        self.error_code = Some(code.to_owned());
        self.error_message = Some(message.to_owned());
    }
}

/// All calls in the order in which they were answered.
#[derive(Debug, Default)]
pub(crate) struct Trail(Mutex<Vec<Call>>);

impl Trail {
    pub(crate) fn record(&self, call: Call) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
