//! The settings as a tree, each value with its place.

use std::{collections::BTreeMap, ops::Range};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::problem::{Problem, quoted};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: String,
    pub(crate) value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// A quoted string.
    Text(String),
    /// A number, boolean or date, as it is written.
    Bare(String),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

impl Node {
    /// What is here, for a problem.
    pub(crate) fn found(&self) -> String {
        match &self.value {
            Value::Text(text) | Value::Bare(text) => quoted(text),
            Value::List(_) => "a list".to_owned(),
            Value::Table(_) => "a table".to_owned(),
        }
    }
}

impl Value {
    /// The value as JSON; a date becomes a string.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Bare(text) => serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into()),
            Self::List(items) => items.iter().map(|item| item.value.to_json()).collect(),
            Self::Table(members) => serde_json::Value::Object(
                members.iter().map(|(name, node)| (name.clone(), node.value.to_json())).collect(),
            ),
        }
    }
}

/// Parses TOML. `place` turns a line number into a place.
pub(crate) fn parse(
    text: &str,
    place: &dyn Fn(usize) -> String,
) -> Result<BTreeMap<String, Node>, Vec<Problem>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(table_of(table.get_ref(), text, place));
    }
    let problem = |error: &toml::de::Error| Problem {
        place: error.span().map(|span| place(line_of(text, &span))).unwrap_or_default(),
        key: String::new(),
        found: format!("a syntax error ({})", error.message().replace('\n', " ")),
        expected: "TOML".to_owned(),
    };
    Err(errors.iter().map(problem).collect())
}

fn table_of(table: &DeTable<'_>, text: &str, place: &dyn Fn(usize) -> String) -> BTreeMap<String, Node> {
    table.iter().map(|(key, value)| (key.get_ref().to_string(), node_of(value, text, place))).collect()
}

fn node_of(value: &Spanned<DeValue<'_>>, text: &str, place: &dyn Fn(usize) -> String) -> Node {
    let here = place(line_of(text, &value.span()));
    let value = match value.get_ref() {
        DeValue::String(string) => Value::Text(string.to_string()),
        DeValue::Integer(integer) => Value::Bare(integer.to_string()),
        DeValue::Float(float) => Value::Bare(float.to_string()),
        DeValue::Boolean(boolean) => Value::Bare(boolean.to_string()),
        DeValue::Datetime(datetime) => Value::Bare(datetime.to_string()),
        DeValue::Array(items) => Value::List(items.iter().map(|item| node_of(item, text, place)).collect()),
        DeValue::Table(table) => Value::Table(table_of(table, text, place)),
    };
    Node { place: here, value }
}

fn line_of(text: &str, span: &Range<usize>) -> usize {
    let before = text.as_bytes().iter().take(span.start);
    before.filter(|byte| **byte == b'\n').count() + 1
}
