//! From JSON to statements, refusing whatever is not understood.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value};

use super::condition::Condition;
use super::context::Context;
use super::document::PolicyDocument;
use super::pattern::{ArnPattern, Case, Pattern, Wildcards};
use super::principal::{PrincipalMatch, PrincipalPatterns};
use super::{Principal, Request};

/// A policy that was understood completely.
#[derive(Clone, Debug)]
pub struct Policy {
    pub(super) statements: Vec<Statement>,
}

/// Where a policy is attached, which decides the elements it must and must not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// Attached to a user or role, or passed as a session policy: no principals.
    Identity,
    /// A role's trust policy: principals and no resources.
    Trust,
    /// A resource's policy, such as a bucket's: principals and resources.
    Resource,
}

/// Why a policy was not loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}: {at}")]
pub struct PolicyError {
    fault: Fault,
    at: String,
}

impl PolicyError {
    pub(super) fn new(fault: Fault, at: &str) -> Self {
        Self { fault, at: at.to_owned() }
    }
}

/// The rule a policy breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Json,
    Version,
    Element,
    Missing,
    Type,
    Empty,
    Effect,
    Sid,
    Action,
    Arn,
    Principal,
    NotPrincipalAllow,
    Operator,
    ConditionKey,
    ConditionValue,
    Variable,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "not JSON, or a member name is repeated",
            Self::Version => "`Version` must be \"2012-10-17\"",
            Self::Element => "unknown element, or not allowed in this kind of policy",
            Self::Missing => "required element missing, or given twice in two forms",
            Self::Type => "element has the wrong JSON type",
            Self::Empty => "element must not be empty",
            Self::Effect => "`Effect` must be \"Allow\" or \"Deny\"",
            Self::Sid => "`Sid` is repeated",
            Self::Action => "action must be `*` or `service:Name`",
            Self::Arn => "ARN pattern must be `*` or have six parts",
            Self::Principal => {
                "principal must be `*`, an account, an IAM ARN without wildcards, or a service"
            }
            Self::NotPrincipalAllow => "`NotPrincipal` must not be combined with `Allow`",
            Self::Operator => "unknown condition operator",
            Self::ConditionKey => "condition key must be `prefix:name`",
            Self::ConditionValue => "condition value does not fit its operator",
            Self::Variable => "malformed policy variable",
        })
    }
}

/// What a statement says when it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) effect: Effect,
    principals: Option<PrincipalPatterns>,
    actions: Selector<Pattern>,
    resources: Option<Selector<ArnPattern>>,
    conditions: Vec<Condition>,
}

/// An element and its `Not…` form.
#[derive(Clone, Debug)]
struct Selector<T> {
    negated: bool,
    patterns: Vec<T>,
}

impl<T> Selector<T> {
    /// Whether the selector picks a value, given how one pattern answers. What an unresolved pattern means is left
    /// open by AWS, so it counts against the requester: it picks nothing, and in a `Not…` form only for a denial.
    fn picks(&self, effect: Effect, matches: impl Fn(&T) -> Option<bool>) -> bool {
        let unresolved = self.negated && effect == Effect::Allow;
        let any = self.patterns.iter().any(|pattern| matches(pattern).unwrap_or(unresolved));
        any != self.negated
    }
}

impl Statement {
    /// How the statement applies to the request: not at all, to its principal itself, or to its whole account.
    pub(super) fn applies(&self, request: &Request<'_>) -> Option<PrincipalMatch> {
        let who = match &self.principals {
            Some(principals) => principals.matches(request.principal)?,
            None => PrincipalMatch::Direct,
        };
        let action = |pattern: &Pattern| pattern.matches(request.action, &Context::default(), Case::Ignored);
        let resource = |pattern: &ArnPattern| pattern.matches(request.resource, request.context);
        let applies = self.actions.picks(self.effect, action)
            && self.resources.as_ref().is_none_or(|resources| resources.picks(self.effect, resource))
            && self.conditions.iter().all(|condition| condition.holds(self.effect, request.context));
        applies.then_some(who)
    }
}

impl Policy {
    /// Parses a document.
    ///
    /// # Errors
    /// The first element that is unknown, missing, malformed or not allowed in this kind of policy.
    pub fn parse(document: &PolicyDocument, kind: PolicyKind) -> Result<Self, PolicyError> {
        let object = object(document.as_value(), "policy")?;
        for name in object.keys() {
            if !["Version", "Id", "Statement"].contains(&name.as_str()) {
                return Err(PolicyError::new(Fault::Element, name));
            }
        }
        if object.get("Version").and_then(Value::as_str) != Some("2012-10-17") {
            return Err(PolicyError::new(Fault::Version, "policy"));
        }
        let mut sids = BTreeSet::new();
        let mut statements = Vec::new();
        let one;
        let list = match object.get("Statement") {
            Some(Value::Array(list)) => list.as_slice(),
            Some(single @ Value::Object(_)) => {
                one = [single.clone()];
                &one
            }
            Some(_) => return Err(PolicyError::new(Fault::Type, "Statement")),
            None => return Err(PolicyError::new(Fault::Missing, "Statement")),
        };
        for statement in list {
            let statement = self::object(statement, "Statement")?;
            if let Some(sid) = statement.get("Sid") {
                let sid = sid.as_str().ok_or_else(|| PolicyError::new(Fault::Type, "Sid"))?;
                if !sid.is_empty() && !sids.insert(sid.to_owned()) {
                    return Err(PolicyError::new(Fault::Sid, sid));
                }
            }
            statements.push(parse_statement(statement, kind)?);
        }
        if statements.is_empty() {
            return Err(PolicyError::new(Fault::Empty, "Statement"));
        }
        Ok(Self { statements })
    }

    /// Parses a document given as text.
    ///
    /// # Errors
    /// As [`Policy::parse`], and when the text is no JSON or repeats a member name.
    pub fn parse_text(text: &str, kind: PolicyKind) -> Result<Self, PolicyError> {
        let document = serde_json::from_str(text).map_err(|_| PolicyError::new(Fault::Json, "policy"))?;
        Self::parse(&document, kind)
    }

    /// Whether some statement could allow `principal` anything; used to check a task role's trust policy.
    pub(crate) fn names(&self, principal: &Principal) -> bool {
        self.statements.iter().any(|statement| {
            statement.effect == Effect::Allow
                && statement.principals.as_ref().is_some_and(|patterns| patterns.matches(principal).is_some())
        })
    }
}

fn parse_statement(statement: &Map<String, Value>, kind: PolicyKind) -> Result<Statement, PolicyError> {
    for name in statement.keys() {
        let allowed = match name.as_str() {
            "Sid" | "Effect" | "Action" | "NotAction" | "Condition" => true,
            "Principal" | "NotPrincipal" => kind != PolicyKind::Identity,
            "Resource" | "NotResource" => kind != PolicyKind::Trust,
            _ => false,
        };
        if !allowed {
            return Err(PolicyError::new(Fault::Element, name));
        }
    }
    let effect = match statement.get("Effect").and_then(Value::as_str) {
        Some("Allow") => Effect::Allow,
        Some("Deny") => Effect::Deny,
        _ => return Err(PolicyError::new(Fault::Effect, "Statement")),
    };
    let principals = if kind == PolicyKind::Identity {
        None
    } else {
        let (negated, value) = either(statement, "Principal", "NotPrincipal")?;
        if negated && effect == Effect::Allow {
            return Err(PolicyError::new(Fault::NotPrincipalAllow, "Statement"));
        }
        Some(PrincipalPatterns::parse(value, negated)?)
    };
    let resources = if kind == PolicyKind::Trust {
        None
    } else {
        Some(selector(statement, "Resource", "NotResource", ArnPattern::compile)?)
    };
    Ok(Statement {
        effect,
        principals,
        actions: selector(statement, "Action", "NotAction", action)?,
        resources,
        conditions: conditions(statement.get("Condition"))?,
    })
}

fn action(text: &str) -> Result<Pattern, PolicyError> {
    let well_formed = text == "*"
        || text.split_once(':').is_some_and(|(service, name)| {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
            !service.is_empty()
                && service.chars().all(plain)
                && !name.is_empty()
                && name.chars().all(|c| plain(c) || c == '*' || c == '?')
        });
    if !well_formed {
        return Err(PolicyError::new(Fault::Action, text));
    }
    Pattern::compile(text, Wildcards::Yes)
}

fn conditions(element: Option<&Value>) -> Result<Vec<Condition>, PolicyError> {
    let Some(element) = element else { return Ok(Vec::new()) };
    let mut conditions = Vec::new();
    for (operator, keys) in object(element, "Condition")? {
        for (key, values) in object(keys, operator)? {
            conditions.push(Condition::parse(operator, key, values)?);
        }
    }
    Ok(conditions)
}

fn selector<T>(
    statement: &Map<String, Value>,
    name: &str,
    negated_name: &str,
    compile: impl Fn(&str) -> Result<T, PolicyError>,
) -> Result<Selector<T>, PolicyError> {
    let (negated, value) = either(statement, name, negated_name)?;
    let patterns = strings(value, name)?.into_iter().map(compile).collect::<Result<_, _>>()?;
    Ok(Selector { negated, patterns })
}

fn either<'a>(
    statement: &'a Map<String, Value>,
    name: &str,
    negated_name: &str,
) -> Result<(bool, &'a Value), PolicyError> {
    match (statement.get(name), statement.get(negated_name)) {
        (Some(value), None) => Ok((false, value)),
        (None, Some(value)) => Ok((true, value)),
        _ => Err(PolicyError::new(Fault::Missing, name)),
    }
}

pub(super) fn object<'a>(value: &'a Value, at: &str) -> Result<&'a Map<String, Value>, PolicyError> {
    value.as_object().ok_or_else(|| PolicyError::new(Fault::Type, at))
}

/// A string or a non-empty array of strings.
pub(super) fn strings<'a>(value: &'a Value, at: &str) -> Result<Vec<&'a str>, PolicyError> {
    let text = |value: &'a Value| value.as_str().ok_or_else(|| PolicyError::new(Fault::Type, at));
    let list = match value {
        Value::Array(values) => values.iter().map(text).collect::<Result<Vec<_>, _>>()?,
        single => vec![text(single)?],
    };
    if list.is_empty() { Err(PolicyError::new(Fault::Empty, at)) } else { Ok(list) }
}
