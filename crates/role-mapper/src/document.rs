//! The rows as people write them: one document, the same in TOML, JSON and the store.
//!
//! Rows are plain data and promise nothing; [`Mapping`](crate::Mapping) holds them after validation. That is why
//! fields here are bare: everything wrong with an import can be reported at once.

mod condition;
mod key;

use std::collections::BTreeMap;

pub use condition::{ClaimTest, Condition, Scalar, TagSource};
pub use key::{Row, RowKey};
use serde::{Deserialize, Serialize};

/// The priority of a rule that states none.
pub const DEFAULT_PRIORITY: i64 = 100;
/// The session duration, in seconds, of a role that states none.
pub const DEFAULT_DURATION_SECONDS: i64 = 1800;

/// A whole mapping: what is imported and exported.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappingDocument {
    /// Organisations that share nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<Tenant>,
    /// People and agents that are pinned to a tenant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<Subject>,
    /// IAM roles, each of one tenant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Role>,
    /// Who gets which role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
}

/// An organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// Its identifier, as a verified tenant claim spells it.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Whether anybody of it is served.
    #[serde(default = "yes")]
    pub active: bool,
    /// Whether its rules also apply to subjects that only the tenant claim of a verified token places here.
    #[serde(default)]
    pub admit_unknown_subjects: bool,
}

/// A person or agent, pinned to a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The issuer that vouches for it, compared exactly.
    pub issuer: String,
    /// Its identifier at the issuer, compared exactly.
    pub subject: String,
    /// The tenant that it belongs to.
    pub tenant: String,
    /// Whether it is served.
    #[serde(default = "yes")]
    pub active: bool,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// An IAM role and how it is assumed. The name is unique in its tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// The tenant that it belongs to; no rule of another one can name it.
    pub tenant: String,
    /// Its name in that tenant.
    pub name: String,
    /// What STS assumes.
    pub role_arn: String,
    /// Session tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, TagSource>,
    /// The name or ARN of a session policy that narrows the role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_policy: Option<String>,
    /// How long a session lasts, 900 to 3600.
    #[serde(default = "default_duration")]
    pub duration_seconds: i64,
    /// How many requests a subject may make in a minute. Unlimited when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<i64>,
    /// How many of them at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burst: Option<i64>,
}

/// Grants a role of its tenant to whom it matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its number, unique in the whole mapping.
    pub id: i64,
    /// The tenant that it belongs to.
    pub tenant: String,
    /// Rules of the lowest value that match decide; the others are not asked.
    #[serde(default = "default_priority")]
    pub priority: i64,
    /// Matches this subject only. Any subject of the tenant when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectMatch>,
    /// What the verified claims must say; all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Matches this service only. Any service when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The name of the role that is granted.
    pub role: String,
}

/// One identity: the pair, compared exactly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectMatch {
    /// The issuer.
    pub issuer: String,
    /// The subject at that issuer.
    pub subject: String,
}

impl MappingDocument {
    /// The same rows in the order of their keys, which is how a store exports them.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.tenants.sort_by(|a, b| a.id.cmp(&b.id));
        self.subjects.sort_by(|a, b| (&a.issuer, &a.subject).cmp(&(&b.issuer, &b.subject)));
        self.roles.sort_by(|a, b| (&a.tenant, &a.name).cmp(&(&b.tenant, &b.name)));
        self.rules.sort_by_key(|rule| rule.id);
        self
    }

    /// Stores a row in place of the one with the same key.
    pub(crate) fn put(&mut self, row: Row) {
        self.remove(&row.key());
        match row {
            Row::Tenant(row) => self.tenants.push(row),
            Row::Subject(row) => self.subjects.push(row),
            Row::Role(row) => self.roles.push(row),
            Row::Rule(row) => self.rules.push(row),
        }
    }

    /// Takes a row out; says whether it was there.
    pub(crate) fn remove(&mut self, key: &RowKey) -> bool {
        let before = self.len();
        match key {
            RowKey::Tenant { id } => self.tenants.retain(|row| row.id != *id),
            RowKey::Subject { issuer, subject } => {
                self.subjects.retain(|row| row.issuer != *issuer || row.subject != *subject);
            }
            RowKey::Role { tenant, name } => {
                self.roles.retain(|row| row.tenant != *tenant || row.name != *name);
            }
            RowKey::Rule { id } => self.rules.retain(|row| row.id != *id),
        }
        self.len() < before
    }

    fn len(&self) -> usize {
        self.tenants.len() + self.subjects.len() + self.roles.len() + self.rules.len()
    }
}

fn yes() -> bool {
    true
}

fn default_duration() -> i64 {
    DEFAULT_DURATION_SECONDS
}

fn default_priority() -> i64 {
    DEFAULT_PRIORITY
}
