//! The parts of rows that have alternatives.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What one verified claim must say.
///
/// Written `{ pointer = "/groups", contains = "readers" }` or `{ pointer = "/department", equals = "lab" }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ConditionFields", into = "ConditionFields")]
#[non_exhaustive]
pub enum Condition {
    /// A test of one claim.
    Claim {
        /// A JSON pointer into the claims (RFC 6901).
        pointer: String,
        /// The test.
        test: ClaimTest,
    },
}

/// A test of a claim's value. A claim that is absent, or of another type, fails every test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimTest {
    /// The claim is this value.
    Equals(Scalar),
    /// The claim is an array and this value is one of its items. A text never contains another.
    Contains(Scalar),
}

/// A value that a claim is compared with: type and value must be the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged, expecting = "a text, a whole number or a truth value")]
pub enum Scalar {
    /// A truth value.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text, compared byte for byte.
    Text(String),
}

/// Where the value of a session tag comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields, expecting = "a text or { claim = \"/json/pointer\" }")]
pub enum TagSource {
    /// The value itself.
    Literal(String),
    /// The text that a verified claim holds.
    Claim {
        /// A JSON pointer into the claims (RFC 6901).
        claim: String,
    },
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConditionFields {
    pointer: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    equals: Option<Scalar>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contains: Option<Scalar>,
}

impl TryFrom<ConditionFields> for Condition {
    type Error = &'static str;

    fn try_from(fields: ConditionFields) -> Result<Self, Self::Error> {
        let test = match (fields.equals, fields.contains) {
            (Some(value), None) => ClaimTest::Equals(value),
            (None, Some(value)) => ClaimTest::Contains(value),
            _ => return Err("a condition has exactly one of equals and contains"),
        };
        Ok(Self::Claim { pointer: fields.pointer, test })
    }
}

impl From<Condition> for ConditionFields {
    fn from(Condition::Claim { pointer, test }: Condition) -> Self {
        match test {
            ClaimTest::Equals(value) => Self { pointer, equals: Some(value), contains: None },
            ClaimTest::Contains(value) => Self { pointer, equals: None, contains: Some(value) },
        }
    }
}

impl Scalar {
    /// Whether a claim's value is this one.
    pub(crate) fn is(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Flag(flag), Value::Bool(value)) => flag == value,
            (Self::Number(number), Value::Number(value)) => value.as_i64() == Some(*number),
            (Self::Text(text), Value::String(value)) => text == value,
            _ => false,
        }
    }
}
