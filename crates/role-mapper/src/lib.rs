//! Which IAM role, session tags and limits a verified identity has, or a stated reason why it has none.
//!
//! [`decide`] is a plain function of a [`Mapping`] and a [`Query`]: no database, no clock, no network. The mapping is an
//! immutable, validated and indexed form of the rows in a [`MappingDocument`]; a [`MappingStore`] keeps the rows, and
//! [`MappingSnapshots`] keeps the newest mapping at hand so that a decision never waits for the store.
//!
//! A decision takes these steps, and the first that fails is the answer:
//! 1. *The tenant*: from the subject's row, else from the verified tenant claim. Both, and different, is a denial.
//! 2. *Standing*: tenant and subject are active; a subject without a row is served only by a tenant that admits such.
//! 3. *The rule*: of the tenant's rules that match subject, claims and service, those of the lowest priority value. None
//!    is a denial; several that grant different roles are a denial.
//! 4. *The tags*: literals, and texts from verified claims. A tag that cannot be filled is a denial.
//!
//! ```
//! use role_mapper::{Mapping, MappingDocument, Query, RoleDecision, decide};
//! use serde_json::{Value, json};
//!
//! let document: MappingDocument = serde_json::from_value(json!({
//!     "tenants": [{"id": "acme", "name": "Acme"}],
//!     "subjects": [{"issuer": "https://idp.example.com", "subject": "ada", "tenant": "acme"}],
//!     "roles": [{
//!         "tenant": "acme", "name": "reader", "role_arn": "arn:aws:iam::111122223333:role/reader",
//!         "tags": {"tenant": "acme", "department": {"claim": "/department"}},
//!     }],
//!     "rules": [{
//!         "id": 1, "tenant": "acme", "role": "reader",
//!         "conditions": [{"pointer": "/groups", "contains": "readers"}],
//!     }],
//! }))?;
//! let mapping = Mapping::new(&document)?;
//! let Value::Object(claims) = json!({"groups": ["readers"], "department": "lab"}) else { unreachable!() };
//! let query =
//!     Query { issuer: "https://idp.example.com", subject: "ada", tenant: None, claims: &claims, service: "platform" };
//! let RoleDecision::Grant(grant) = decide(&mapping, &query) else { unreachable!() };
//! assert_eq!(grant.role_arn, "arn:aws:iam::111122223333:role/reader");
//! assert_eq!(grant.tags["department"], "lab");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! It does not verify tokens, assume roles or count requests: identity and claims come in verified, and a [`Grant`] goes
//! out to whoever enforces it.
//!
//! # Threats
//! * *Crossing tenants* (SEC-68): a rule names a role of its own tenant and can name no other; rules of other tenants
//!   are not in the index that is searched.
//! * *Widening by accident*: ambiguity, a missing claim, an unknown field, a broken row are denials or refusals, never
//!   a guess. A `contains` condition looks for an item of an array, never for a part of a text.
//! * *Session tags from hostile claims* (SEC-49): a tag's value is checked by the rules of STS and is never empty.
//! * *An old mapping*: a snapshot that the store has not confirmed for too long refuses to decide, and a version that
//!   goes backwards is not taken (SEC-65).

mod decide;
mod document;
mod grammar;
mod id;
mod mapping;
mod pointer;
mod problem;
#[cfg(feature = "sea-orm")]
mod sea_orm_store;
mod snapshots;
mod store;

pub use decide::{DenyReason, Grant, Limits, Query, RoleDecision, decide};
pub use document::{
    ClaimTest, Condition, DEFAULT_DURATION_SECONDS, DEFAULT_PRIORITY, MappingDocument, Role, Row, RowKey,
    Rule, Scalar, Subject, SubjectMatch, TagSource, Tenant,
};
pub use id::{IdError, RoleName, RuleId, TenantId};
pub use mapping::{Mapping, TAG_BUDGET};
pub use problem::{Problem, Problems};
#[cfg(feature = "sea-orm")]
pub use sea_orm_store::{SeaOrmStore, migrations};
pub use snapshots::{DEFAULT_MAX_AGE, MappingSnapshots, RefreshError, TooOld, Versioned};
pub use store::{Loaded, MappingStore, MemoryStore, StoreError, WriteError};
