//! Rows that passed validation.

use std::{sync::Arc, time::Duration};

use crate::{ClaimTest, Limits, Query, RoleName, RuleId, pointer::Pointer};

#[derive(Debug)]
pub(crate) struct RoleEntry {
    pub(crate) name: RoleName,
    pub(crate) role_arn: String,
    pub(crate) tags: Vec<(String, TagValue)>,
    pub(crate) session_policy: Option<String>,
    pub(crate) duration: Duration,
    pub(crate) limits: Limits,
}

#[derive(Debug)]
pub(crate) enum TagValue {
    Literal(String),
    Claim(Pointer),
}

#[derive(Debug)]
pub(crate) struct RuleEntry {
    pub(crate) id: RuleId,
    pub(crate) priority: i64,
    pub(crate) service: Option<String>,
    pub(crate) conditions: Vec<ConditionEntry>,
    pub(crate) role: Arc<RoleEntry>,
}

#[derive(Debug)]
pub(crate) struct ConditionEntry {
    pub(crate) pointer: Pointer,
    pub(crate) test: ClaimTest,
}

impl RuleEntry {
    /// Whether service and claims match; the index has seen to the subject.
    pub(super) fn matches(&self, query: &Query<'_>) -> bool {
        self.service.as_ref().is_none_or(|service| service == query.service)
            && self.conditions.iter().all(|condition| condition.holds(query))
    }
}

impl ConditionEntry {
    fn holds(&self, query: &Query<'_>) -> bool {
        let Some(value) = self.pointer.find(query.claims) else { return false };
        match &self.test {
            ClaimTest::Equals(wanted) => wanted.is(value),
            ClaimTest::Contains(wanted) => {
                value.as_array().is_some_and(|items| items.iter().any(|item| wanted.is(item)))
            }
        }
    }
}
