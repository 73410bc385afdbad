//! Condition operators: which comparison, over which values of a key.

use serde_json::Value;

use super::context::{Context, Values};
use super::operand::{Comparison, Operand};
use super::parse::{Effect, Fault, PolicyError};

/// One key under one operator of a `Condition` element.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    quantifier: Option<Quantifier>,
    if_exists: bool,
    test: Test,
    /// Lower-cased.
    key: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantifier {
    /// `ForAllValues:`
    All,
    /// `ForAnyValue:`
    Any,
}

#[derive(Clone, Debug)]
enum Test {
    /// `Null`: whether the key must be absent; several values mean any of them.
    Absent(Vec<bool>),
    /// A comparison that one of the operands must satisfy or, negated, that none may.
    Compare { negated: bool, operands: Vec<Operand> },
}

impl Condition {
    pub(super) fn parse(operator: &str, key: &str, values: &Value) -> Result<Self, PolicyError> {
        let unknown = || PolicyError::new(Fault::Operator, operator);
        let (quantifier, name) = match operator.split_once(':') {
            None => (None, operator),
            Some(("ForAllValues", name)) => (Some(Quantifier::All), name),
            Some(("ForAnyValue", name)) => (Some(Quantifier::Any), name),
            Some(_) => return Err(unknown()),
        };
        let well_formed =
            key.split_once(':').is_some_and(|(prefix, rest)| !prefix.is_empty() && !rest.is_empty());
        if !well_formed {
            return Err(PolicyError::new(Fault::ConditionKey, key));
        }
        let texts = texts(values, key)?;
        let (if_exists, test) = if name == "Null" {
            if quantifier.is_some() {
                return Err(unknown());
            }
            (false, Test::Absent(absences(&texts, key)?))
        } else {
            let (if_exists, base) = name.strip_suffix("IfExists").map_or((false, name), |base| (true, base));
            let (comparison, negated) = Comparison::parse(base).ok_or_else(unknown)?;
            let operands =
                texts.iter().map(|text| Operand::parse(comparison, text)).collect::<Result<_, _>>()?;
            (if_exists, Test::Compare { negated, operands })
        };
        Ok(Self { quantifier, if_exists, test, key: key.to_ascii_lowercase() })
    }

    /// Whether the condition of a statement with this effect is met.
    pub(super) fn holds(&self, effect: Effect, context: &Context) -> bool {
        let values = context.values(&self.key);
        let (negated, operands) = match &self.test {
            Test::Absent(wanted) => return wanted.contains(&values.is_none()),
            Test::Compare { negated, operands } => (*negated, operands),
        };
        let one = |value: &String| satisfies(value, operands, negated, effect, context);
        match (self.quantifier, values) {
            (Some(Quantifier::All), None) => true,
            (Some(Quantifier::All), Some(Values::Many(values))) => values.iter().all(one),
            (Some(Quantifier::Any), Some(Values::Many(values))) => values.iter().any(one),
            (None, None) => self.if_exists || negated,
            // Without a set operator a multi-valued key satisfies nothing.
            (Some(Quantifier::Any), None) | (None, Some(Values::Many(_))) => false,
            (_, Some(Values::One(value))) => one(value),
        }
    }
}

/// An operand that cannot be compared (an unresolved variable, a value of another type) counts against the requester:
/// it satisfies a negated comparison of a denial, and nothing else.
fn satisfies(value: &str, operands: &[Operand], negated: bool, effect: Effect, context: &Context) -> bool {
    let mut results = operands.iter().map(|operand| operand.matches(value, context));
    if negated {
        results.all(|result| result.map_or(effect == Effect::Deny, |matched| !matched))
    } else {
        results.any(|result| result == Some(true))
    }
}

/// Strings, booleans and numbers, one or an array of them.
fn texts(values: &Value, key: &str) -> Result<Vec<String>, PolicyError> {
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        _ => Err(PolicyError::new(Fault::Type, key)),
    };
    let list = match values {
        Value::Array(values) => values.iter().map(text).collect::<Result<Vec<_>, _>>()?,
        single => vec![text(single)?],
    };
    if list.is_empty() { Err(PolicyError::new(Fault::Empty, key)) } else { Ok(list) }
}

fn absences(texts: &[String], key: &str) -> Result<Vec<bool>, PolicyError> {
    let parse = |text: &String| match text.as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(PolicyError::new(Fault::ConditionValue, key)),
    };
    texts.iter().map(parse).collect()
}
