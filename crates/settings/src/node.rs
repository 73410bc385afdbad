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
    /// A string, number, boolean or date as text.
    Text(String),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

impl Node {
    /// What is here, for a problem.
    pub(crate) fn found(&self) -> String {
        match &self.value {
            Value::Text(text) => quoted(text),
            Value::List(_) => "a list".to_owned(),
            Value::Table(_) => "a table".to_owned(),
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
        DeValue::Integer(integer) => Value::Text(integer.to_string()),
        DeValue::Float(float) => Value::Text(float.to_string()),
        DeValue::Boolean(boolean) => Value::Text(boolean.to_string()),
        DeValue::Datetime(datetime) => Value::Text(datetime.to_string()),
        DeValue::Array(items) => Value::List(items.iter().map(|item| node_of(item, text, place)).collect()),
        DeValue::Table(table) => Value::Table(table_of(table, text, place)),
    };
    Node { place: here, value }
}

fn line_of(text: &str, span: &Range<usize>) -> usize {
    let before = text.as_bytes().iter().take(span.start);
    before.filter(|byte| **byte == b'\n').count() + 1
}
