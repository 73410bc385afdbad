//! Names of things in the mapping, parsed once.

use std::{fmt, str::FromStr};

use crate::grammar;

/// A tenant's identifier, as a verified tenant claim spells it: 1 to 63 of `[a-z0-9._-]`, a letter or digit first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(String);

/// The name of a role, unique in its tenant: 1 to 64 of `[A-Za-z0-9_+=,.@-]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleName(String);

/// The number of a rule, unique in the whole mapping: 1 or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(i64);

/// A text is not the identifier that was wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {expected}")]
pub struct IdError {
    /// What would have been right.
    pub expected: &'static str,
}

impl TenantId {
    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TenantId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if !grammar::is_slug(text) {
            return Err(IdError { expected: grammar::SLUG });
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl RoleName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RoleName {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if !grammar::is_role_name(text) {
            return Err(IdError { expected: grammar::ROLE_NAME });
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl RuleId {
    /// The number.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for RuleId {
    type Error = IdError;

    fn try_from(id: i64) -> Result<Self, IdError> {
        if id < 1 {
            return Err(IdError { expected: grammar::RULE_ID });
        }
        Ok(Self(id))
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
