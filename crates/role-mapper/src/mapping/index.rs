//! The rules of one tenant, found without looking at those that cannot match.
//!
//! A rule is filed once: under its subject, else under what its first condition compares a claim with, else among
//! those open to everybody. Each file is in the order of priority, so that a search stops at the first rule that comes
//! after one that matched.

use std::collections::HashMap;

use serde_json::Value;

use super::RuleEntry;
use crate::{ClaimTest, Query, Scalar, pointer::Pointer};

/// Values by (issuer, subject), found by borrowed texts.
#[derive(Debug)]
pub(crate) struct ByIdentity<T>(HashMap<String, HashMap<String, T>>);

impl<T> Default for ByIdentity<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> ByIdentity<T> {
    pub(super) fn insert(&mut self, issuer: &str, subject: &str, value: T) {
        self.of_issuer(issuer).insert(subject.to_owned(), value);
    }

    pub(super) fn find(&self, issuer: &str, subject: &str) -> Option<&T> {
        self.0.get(issuer)?.get(subject)
    }

    fn of_issuer(&mut self, issuer: &str) -> &mut HashMap<String, T> {
        self.0.entry(issuer.to_owned()).or_default()
    }
}

/// A rule and the identity that it is for, if it is for one only.
pub(super) type Addressed = (Option<(String, String)>, RuleEntry);

/// Rules in the order of priority.
type File = Vec<RuleEntry>;

/// All rules of a tenant.
#[derive(Debug, Default)]
pub(crate) struct RuleIndex {
    by_subject: ByIdentity<File>,
    by_claim: HashMap<Pointer, ClaimFiles>,
    open: File,
}

#[derive(Debug, Default)]
struct ClaimFiles {
    equals: ByScalar,
    contains: ByScalar,
}

/// Files by scalar; texts apart, so that a claim's text is looked up without a copy.
#[derive(Debug, Default)]
struct ByScalar {
    texts: HashMap<String, File>,
    others: HashMap<Scalar, File>,
}

impl RuleIndex {
    pub(super) fn new(mut rules: Vec<Addressed>) -> Self {
        rules.sort_by_key(|(_, rule)| (rule.priority, rule.id));
        let mut index = Self::default();
        for (subject, rule) in rules {
            index.file_for(subject.as_ref(), &rule).push(rule);
        }
        index
    }

    fn file_for(&mut self, subject: Option<&(String, String)>, rule: &RuleEntry) -> &mut File {
        if let Some((issuer, subject)) = subject {
            return self.by_subject.of_issuer(issuer).entry(subject.clone()).or_default();
        }
        let Some(anchor) = rule.conditions.first() else { return &mut self.open };
        let files = self.by_claim.entry(anchor.pointer.clone()).or_default();
        match &anchor.test {
            ClaimTest::Equals(value) => files.equals.file_for(value),
            ClaimTest::Contains(value) => files.contains.file_for(value),
        }
    }

    /// The rules of the lowest priority value that match, in the order of their numbers.
    pub(crate) fn deciding(&self, query: &Query<'_>) -> Vec<&RuleEntry> {
        let mut best = Best { query, priority: None, rules: Vec::new() };
        best.search(self.by_subject.find(query.issuer, query.subject));
        for (pointer, files) in &self.by_claim {
            let Some(value) = pointer.find(query.claims) else { continue };
            best.search(files.equals.find(value));
            for item in value.as_array().into_iter().flatten() {
                best.search(files.contains.find(item));
            }
        }
        best.search(Some(&self.open));
        best.into_rules()
    }
}

impl ByScalar {
    fn file_for(&mut self, value: &Scalar) -> &mut File {
        match value {
            Scalar::Text(text) => self.texts.entry(text.clone()).or_default(),
            other => self.others.entry(other.clone()).or_default(),
        }
    }

    fn find(&self, value: &Value) -> Option<&File> {
        match value {
            Value::String(text) => self.texts.get(text),
            Value::Bool(flag) => self.others.get(&Scalar::Flag(*flag)),
            Value::Number(number) => self.others.get(&Scalar::Number(number.as_i64()?)),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

/// The rules that matched so far, all of one priority.
struct Best<'q, 'm> {
    query: &'q Query<'q>,
    priority: Option<i64>,
    rules: Vec<&'m RuleEntry>,
}

impl<'m> Best<'_, 'm> {
    fn search(&mut self, file: Option<&'m File>) {
        for rule in file.into_iter().flatten() {
            if self.priority.is_some_and(|best| best < rule.priority) {
                return;
            }
            if !rule.matches(self.query) {
                continue;
            }
            if self.priority != Some(rule.priority) {
                self.rules.clear();
                self.priority = Some(rule.priority);
            }
            self.rules.push(rule);
        }
    }

    /// A claim with the same item twice finds a rule twice.
    fn into_rules(mut self) -> Vec<&'m RuleEntry> {
        self.rules.sort_by_key(|rule| rule.id);
        self.rules.dedup_by_key(|rule| rule.id);
        self.rules
    }
}
