//! The contract between the gateway and the services behind it: a decision as request headers, and back.
//!
//! The gateway builds a [`Decision`], turns it into [`DecisionHeaders`] once, and writes them into every request
//! that the decision covers, after [`strip_decision_headers`] removed what a caller sent under such names. The
//! service reads them with [`Incoming::from_headers`], which accepts nothing but the one form that the gateway
//! writes and answers [`DecisionRefused`] otherwise: the service then says 403 and does nothing.
//!
//! The crate decides nothing about who may do what, does no I/O, and carries no credential: a role's name travels,
//! its keys never do.
//!
//! ```
//! use decision::{
//!     Acceptance, Decision, DecisionHeaders, Incoming, PolicyContext, RequestId, SessionTags, SourceIdentity,
//!     strip_decision_headers,
//! };
//! use http::HeaderMap;
//!
//! // In the gateway, once for a decision:
//! let decision = Decision {
//!     role: "arn:aws:iam::111122223333:role/acme/reader".parse()?,
//!     source_identity: SourceIdentity::encode("", "https://login.example.com", "auth0|ada"),
//!     tags: SessionTags::from_pairs([("tenant", "acme")])?,
//!     context: PolicyContext {
//!         decision_id: "d-1".into(),
//!         policy_id: "rule-7".into(),
//!         tenant: "acme".into(),
//!         session_duration_seconds: 3600,
//!         session_policy: None,
//!         agent: None,
//!     },
//! };
//! let prebuilt = DecisionHeaders::prebuild(&decision)?;
//!
//! // In the gateway, for each request:
//! let mut headers = HeaderMap::new();
//! headers.insert("x_decided_role", "arn:aws:iam::111122223333:role/admin".parse()?);
//! strip_decision_headers(&mut headers);
//! prebuilt.insert_into(&mut headers, &RequestId::from_uuid_bytes([7; 16]));
//!
//! // In the service:
//! let (received, request_id) = Incoming::from_headers(&headers, &Acceptance::default())?;
//! assert_eq!(received, decision);
//! assert_eq!(request_id.as_str(), "07070707-0707-4707-8707-070707070707");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Threats
//! * *A caller who sends decision headers* (SEC-42, 43): every spelling that some server folds into a decision
//!   header is removed on entry, also from `Connection`, which could otherwise make a proxy drop the gateway's own
//!   header; and a service refuses a request that still carries a look-alike.
//! * *Two values read as one* (SEC-45): one instance each; a comma, with which proxies join instances, cannot occur
//!   in a role, a source identity or a request id here, and joined JSON objects do not parse.
//! * *Two readers that disagree* (SEC-49): duplicate members, at any depth, are refused rather than resolved; so
//!   are tag keys that differ in case only, unknown members and values of another type.
//! * *A role of another account* (SEC-50): the ARN's partition must be the expected one, and its account listed
//!   when the service lists accounts.
//! * *Reaching a service past the gateway* (SEC-53) is not answered here: this version reads no signature, so the
//!   network must let nobody but the gateway in. A request that carries one is refused, because it claims a
//!   protection that nobody checked.

mod headers;
mod incoming;
mod json;
mod names;
mod policy_context;
mod request_id;
mod role_arn;
mod session_tags;
mod source_identity;

pub use headers::{Decision, DecisionHeaders, MAX_DECISION_BYTES, PrebuildError};
pub use incoming::{Acceptance, DecisionRefused, Incoming};
pub use names::{
    DECIDED_ROLE, DECISION_SIGNATURE, POLICY_CONTEXT, REQUEST_ID, SESSION_TAGS, SOURCE_IDENTITY,
    is_decision_header, strip_decision_headers,
};
pub use policy_context::{InvalidPolicyContext, MAX_SESSION_SECONDS, MIN_SESSION_SECONDS, PolicyContext};
pub use request_id::{InvalidRequestId, RequestId};
pub use role_arn::{AccountId, InvalidAccountId, InvalidRoleArn, Partition, RoleArn, UnknownPartition};
pub use session_tags::{InvalidSessionTags, SessionTags};
pub use source_identity::{InvalidSourceIdentity, SourceIdentity};
