//! The decision, and the headers that carry it.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    DECIDED_ROLE, InvalidPolicyContext, POLICY_CONTEXT, PolicyContext, REQUEST_ID, RequestId, RoleArn,
    SESSION_TAGS, SOURCE_IDENTITY, SessionTags, SourceIdentity, json,
};

/// The most that the headers of a decision take together, names and values, in bytes. The gateway builds no more, a
/// service reads no more.
///
/// Receivers bound the header section as a whole and answer 431 or close the connection when it is exceeded, for
/// every call of that person: API Gateway takes 10 240 bytes, hyper's HTTP/2 and Node take 16 KiB. This leaves room
/// for the caller's own headers everywhere.
pub const MAX_DECISION_BYTES: usize = 8 * 1024;

/// What was decided about a caller: everything that the service needs to act for them, and nothing that it could
/// decide itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The role to assume.
    pub role: RoleArn,
    /// Who is acting.
    pub source_identity: SourceIdentity,
    /// The tags of the session.
    pub tags: SessionTags,
    /// Which decision this is.
    pub context: PolicyContext,
}

/// The four headers of a decision, built once. Cloning them copies no text.
#[derive(Clone, Debug)]
pub struct DecisionHeaders {
    role: HeaderValue,
    source_identity: HeaderValue,
    tags: HeaderValue,
    context: HeaderValue,
}

impl DecisionHeaders {
    /// Builds the headers. Use it also where a mapping is written, to refuse one whose decisions could not travel.
    ///
    /// # Errors
    /// When a member of the context is not as it must be, or the headers would exceed [`MAX_DECISION_BYTES`].
    pub fn prebuild(decision: &Decision) -> Result<Self, PrebuildError> {
        decision.context.check()?;
        let tags = json::to_ascii(decision.tags.as_map());
        let context = json::to_ascii(&decision.context);
        let (Ok(tags), Ok(context)) = (tags, context) else { return Err(PrebuildError::Unwritable) };
        // An agent may be nested deeper than a service reads.
        if PolicyContext::from_json(&context).is_none() {
            return Err(PrebuildError::Unwritable);
        }
        let headers = Self {
            role: value(decision.role.as_str())?,
            source_identity: value(decision.source_identity.as_str())?,
            tags: value(&tags)?,
            context: value(&context)?,
        };
        // A service counts the request's id too.
        let id = REQUEST_ID.as_str().len() + RequestId::LENGTH;
        let bytes =
            id + headers.pairs().iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>();
        if bytes > MAX_DECISION_BYTES {
            return Err(PrebuildError::TooLarge { bytes });
        }
        Ok(headers)
    }

    /// Writes the decision and the request's id, replacing headers of these names.
    ///
    /// Look-alikes stay: [`strip_decision_headers`](crate::strip_decision_headers) comes first.
    pub fn insert_into(&self, headers: &mut HeaderMap, request_id: &RequestId) {
        for (name, value) in self.pairs() {
            headers.insert(name, value.clone());
        }
        if let Ok(value) = HeaderValue::from_str(request_id.as_str()) {
            headers.insert(REQUEST_ID, value);
        }
    }

    fn pairs(&self) -> [(HeaderName, &HeaderValue); 4] {
        [
            (DECIDED_ROLE, &self.role),
            (SOURCE_IDENTITY, &self.source_identity),
            (SESSION_TAGS, &self.tags),
            (POLICY_CONTEXT, &self.context),
        ]
    }
}

fn value(text: &str) -> Result<HeaderValue, PrebuildError> {
    HeaderValue::from_str(text).map_err(|_| PrebuildError::Unwritable)
}

/// Why a decision has no headers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrebuildError {
    /// A member of the context is not as it must be.
    #[error("the policy context is not valid")]
    Context(#[from] InvalidPolicyContext),
    /// The headers would be too large for receivers.
    #[error(
        "the decision takes {bytes} bytes of headers, more than {MAX_DECISION_BYTES}: shorten its tags or session policy"
    )]
    TooLarge {
        /// What they would take together.
        bytes: usize,
    },
    /// A value cannot be written as a header that a service would read, such as an agent that is nested too deeply.
    #[error("the decision cannot be written as headers: its agent is nested too deeply")]
    Unwritable,
}
