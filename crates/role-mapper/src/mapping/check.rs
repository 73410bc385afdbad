//! Notes what is wrong with the fields of a row.

use std::{collections::HashSet, num::NonZeroU32};

use super::{
    entry::{ConditionEntry, TagValue},
    tags::{self, TAG_BUDGET},
};
use crate::{
    ClaimTest, Condition, Limits, Problem, Role, RowKey, Rule, Scalar, TagSource, grammar,
    pointer::{POINTER, Pointer},
    problem::quoted,
};

/// Notes problems of one row.
pub(super) struct Check<'p> {
    pub(super) row: RowKey,
    /// The tenant that breaks with the row, if it exists.
    pub(super) tenant: Option<String>,
    pub(super) problems: &'p mut Vec<Problem>,
}

impl Check<'_> {
    pub(super) fn refuse(&mut self, field: &str, found: String, expected: &str) {
        self.problems.push(Problem {
            row: self.row.clone(),
            field: field.to_owned(),
            found,
            expected: expected.to_owned(),
            tenant: self.tenant.clone(),
        });
    }

    pub(super) fn text(&mut self, field: &str, found: &str, is_right: bool, expected: &str) {
        if !is_right {
            self.refuse(field, quoted(found), expected);
        }
    }

    pub(super) fn number(&mut self, field: &str, found: i64, is_right: bool, expected: &str) {
        if !is_right {
            self.refuse(field, found.to_string(), expected);
        }
    }

    pub(super) fn tenant_exists(&mut self, tenant: &str) {
        if self.tenant.is_none() {
            self.refuse("tenant", quoted(tenant), "the id of a tenant");
        }
    }

    pub(super) fn limits(&mut self, row: &Role) -> Limits {
        if row.burst.is_some() && row.requests_per_minute.is_none() {
            self.refuse("burst", "there without requests_per_minute".into(), "both or neither");
        }
        Limits {
            requests_per_minute: self.limit("requests_per_minute", row.requests_per_minute),
            burst: self.limit("burst", row.burst),
        }
    }

    fn limit(&mut self, field: &str, stated: Option<i64>) -> Option<NonZeroU32> {
        let number = stated?;
        let limit = u32::try_from(number).ok().and_then(NonZeroU32::new);
        self.number(field, number, limit.is_some(), "1 to 4294967295, or nothing for no limit");
        limit
    }

    pub(super) fn tags(&mut self, row: &Role) -> Vec<(String, TagValue)> {
        if row.tags.len() > grammar::MAX_TAGS {
            self.refuse("tags", format!("{} tags", row.tags.len()), "at most 50 tags");
        }
        let mut folded = HashSet::new();
        let mut size = 0;
        let mut tags = Vec::with_capacity(row.tags.len());
        for (key, source) in &row.tags {
            self.text("tags", key, grammar::is_tag_key(key), grammar::TAG_KEY);
            if !folded.insert(key.to_lowercase()) {
                self.refuse("tags", quoted(key), "keys that differ in more than letter case");
            }
            let field = format!("tags.{}", key.escape_debug());
            match source {
                TagSource::Literal(value) => {
                    self.text(&field, value, grammar::is_tag_value(value), grammar::TAG_VALUE);
                    size += tags::escaped_size(key, value);
                    tags.push((key.clone(), TagValue::Literal(value.clone())));
                }
                TagSource::Claim { claim } => {
                    size += tags::expected_size(key);
                    tags.extend(self.pointer(&field, claim).map(|at| (key.clone(), TagValue::Claim(at))));
                }
            }
        }
        if size > TAG_BUDGET {
            self.refuse(
                "tags",
                format!("{size} bytes"),
                "at most 4096 bytes of tags in all, or STS may refuse them",
            );
        }
        tags
    }

    pub(super) fn conditions(&mut self, row: &Rule) -> Vec<ConditionEntry> {
        let mut conditions = Vec::with_capacity(row.conditions.len());
        for (position, Condition::Claim { pointer, test }) in row.conditions.iter().enumerate() {
            let field = format!("conditions.{}", position + 1);
            let (ClaimTest::Equals(value) | ClaimTest::Contains(value)) = test;
            if let Scalar::Text(text) = value {
                self.text(&field, text, grammar::is_identity(text), grammar::IDENTITY);
            }
            let pointer = self.pointer(&field, pointer);
            conditions.extend(pointer.map(|pointer| ConditionEntry { pointer, test: test.clone() }));
        }
        conditions
    }

    fn pointer(&mut self, field: &str, text: &str) -> Option<Pointer> {
        let pointer = Pointer::parse(text);
        self.text(field, text, pointer.is_some(), POINTER);
        pointer
    }
}
