//! The values a condition compares with, parsed for their operator when the policy is loaded.

use std::cmp::Ordering;
use std::net::IpAddr;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::context::Context;
use super::parse::{Fault, PolicyError};
use super::pattern::{ArnPattern, Case, Pattern, Wildcards};

/// What an operator compares, without negation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Text { case: Case, wildcards: Wildcards },
    Number(Relation),
    Date(Relation),
    Bool,
    Address,
    Arn,
}

/// How the request's value must relate to the policy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// The comparison and whether it is negated, from an operator's name without set operator and `IfExists`.
    pub(super) fn parse(operator: &str) -> Option<(Self, bool)> {
        let text = |case, wildcards| Self::Text { case, wildcards };
        Some(match operator {
            "StringEquals" => (text(Case::Sensitive, Wildcards::No), false),
            "StringNotEquals" => (text(Case::Sensitive, Wildcards::No), true),
            "StringEqualsIgnoreCase" => (text(Case::Ignored, Wildcards::No), false),
            "StringNotEqualsIgnoreCase" => (text(Case::Ignored, Wildcards::No), true),
            "StringLike" => (text(Case::Sensitive, Wildcards::Yes), false),
            "StringNotLike" => (text(Case::Sensitive, Wildcards::Yes), true),
            "ArnEquals" | "ArnLike" => (Self::Arn, false),
            "ArnNotEquals" | "ArnNotLike" => (Self::Arn, true),
            "IpAddress" => (Self::Address, false),
            "NotIpAddress" => (Self::Address, true),
            "Bool" => (Self::Bool, false),
            _ => {
                if let Some(relation) = operator.strip_prefix("Numeric") {
                    let (relation, negated) = Relation::parse(relation)?;
                    (Self::Number(relation), negated)
                } else {
                    let (relation, negated) = Relation::parse(operator.strip_prefix("Date")?)?;
                    (Self::Date(relation), negated)
                }
            }
        })
    }
}

impl Relation {
    fn parse(name: &str) -> Option<(Self, bool)> {
        Some(match name {
            "Equals" => (Self::Equal, false),
            "NotEquals" => (Self::Equal, true),
            "LessThan" => (Self::Less, false),
            "LessThanEquals" => (Self::LessOrEqual, false),
            "GreaterThan" => (Self::Greater, false),
            "GreaterThanEquals" => (Self::GreaterOrEqual, false),
            _ => return None,
        })
    }

    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// One value of a condition.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Text { pattern: Pattern, case: Case },
    Number { value: f64, relation: Relation },
    Date { value: OffsetDateTime, relation: Relation },
    Bool(bool),
    Address { network: IpAddr, prefix: u32 },
    Arn(ArnPattern),
}

impl Operand {
    pub(super) fn parse(comparison: Comparison, text: &str) -> Result<Self, PolicyError> {
        let invalid = || PolicyError::new(Fault::ConditionValue, text);
        Ok(match comparison {
            Comparison::Text { case, wildcards } => {
                Self::Text { pattern: Pattern::compile(text, wildcards)?, case }
            }
            Comparison::Number(relation) => {
                Self::Number { value: number(text).ok_or_else(invalid)?, relation }
            }
            Comparison::Date(relation) => Self::Date { value: date(text).ok_or_else(invalid)?, relation },
            Comparison::Bool => Self::Bool(boolean(text).ok_or_else(invalid)?),
            Comparison::Address => {
                let (network, prefix) = network(text).ok_or_else(invalid)?;
                Self::Address { network, prefix }
            }
            Comparison::Arn => Self::Arn(ArnPattern::compile(text)?),
        })
    }

    /// Whether the request's value matches; `None` when the two cannot be compared.
    pub(super) fn matches(&self, value: &str, context: &Context) -> Option<bool> {
        match self {
            Self::Text { pattern, case } => pattern.matches(value, context, *case),
            Self::Number { value: wanted, relation } => {
                number(value)?.partial_cmp(wanted).map(|ordering| relation.holds(ordering))
            }
            Self::Date { value: wanted, relation } => Some(relation.holds(date(value)?.cmp(wanted))),
            Self::Bool(wanted) => Some(boolean(value)? == *wanted),
            Self::Address { network, prefix } => Some(contains(*network, *prefix, value.parse().ok()?)),
            Self::Arn(pattern) if value.starts_with("arn:") => pattern.matches(value, context),
            Self::Arn(_) => None,
        }
    }
}

fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// An RFC 3339 date and time, a date alone, or seconds since 1970.
fn date(text: &str) -> Option<OffsetDateTime> {
    if let Ok(seconds) = text.parse::<i64>() {
        return OffsetDateTime::from_unix_timestamp(seconds).ok();
    }
    let midnight = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
    OffsetDateTime::parse(&midnight, &Rfc3339).ok()
}

fn network(text: &str) -> Option<(IpAddr, u32)> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok()?,
        Some(_) => return None,
        None => longest,
    };
    (prefix <= longest).then_some((address, prefix))
}

fn contains(network: IpAddr, prefix: u32, address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            (network.to_bits() ^ address.to_bits()).checked_shr(32 - prefix).unwrap_or(0) == 0
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            (network.to_bits() ^ address.to_bits()).checked_shr(128 - prefix).unwrap_or(0) == 0
        }
        _ => false,
    }
}
