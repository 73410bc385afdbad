//! Rows of any table and the keys that name them.

use std::fmt;

use serde::Serialize;

use super::{Role, Rule, Subject, Tenant};

/// A row of any table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// Of the table `tenants`.
    Tenant(Tenant),
    /// Of the table `subjects`.
    Subject(Subject),
    /// Of the table `roles`.
    Role(Role),
    /// Of the table `rules`.
    Rule(Rule),
}

/// What names a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(tag = "table", rename_all = "lowercase")]
pub enum RowKey {
    /// A row of `tenants`.
    Tenant {
        /// Its identifier.
        id: String,
    },
    /// A row of `subjects`.
    Subject {
        /// The issuer.
        issuer: String,
        /// The subject at that issuer.
        subject: String,
    },
    /// A row of `roles`.
    Role {
        /// The tenant.
        tenant: String,
        /// The name in that tenant.
        name: String,
    },
    /// A row of `rules`.
    Rule {
        /// Its number.
        id: i64,
    },
}

impl Row {
    /// The key that names this row.
    #[must_use]
    pub fn key(&self) -> RowKey {
        match self {
            Self::Tenant(row) => row.key(),
            Self::Subject(row) => row.key(),
            Self::Role(row) => row.key(),
            Self::Rule(row) => row.key(),
        }
    }

    /// The tenant whose rows this one must agree with.
    #[cfg(feature = "sea-orm")]
    pub(crate) fn tenant(&self) -> &str {
        match self {
            Self::Tenant(row) => &row.id,
            Self::Subject(row) => &row.tenant,
            Self::Role(row) => &row.tenant,
            Self::Rule(row) => &row.tenant,
        }
    }
}

impl Tenant {
    pub(crate) fn key(&self) -> RowKey {
        RowKey::Tenant { id: self.id.clone() }
    }
}

impl Subject {
    pub(crate) fn key(&self) -> RowKey {
        RowKey::Subject { issuer: self.issuer.clone(), subject: self.subject.clone() }
    }
}

impl Role {
    pub(crate) fn key(&self) -> RowKey {
        RowKey::Role { tenant: self.tenant.clone(), name: self.name.clone() }
    }
}

impl Rule {
    pub(crate) fn key(&self) -> RowKey {
        RowKey::Rule { id: self.id }
    }
}

/// The table and the key, control characters escaped.
impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant { id } => write!(f, "tenants {}", id.escape_debug()),
            Self::Subject { issuer, subject } => {
                write!(f, "subjects {} {}", issuer.escape_debug(), subject.escape_debug())
            }
            Self::Role { tenant, name } => {
                write!(f, "roles {}/{}", tenant.escape_debug(), name.escape_debug())
            }
            Self::Rule { id } => write!(f, "rules {id}"),
        }
    }
}
