//! One table of the settings and the accessors to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    str::FromStr,
};

use secrecy::SecretString;

use crate::{
    Document, KeyReference, Problem, Secret,
    document::Report,
    node::{self, Node, Value},
};

/// What a reference to a key looks like.
const KEY: &str = "a reference to the key: { file = \"path\" }, { env = \"NAME\" }, { secretsmanager = \"arn\" } or { kms = \"arn\" }";

/// A table of settings. Dropping it reports every key of it that was never asked for.
#[derive(Debug)]
pub struct Section<'a> {
    document: &'a Document,
    report: &'a Report,
    name: String,
    table: BTreeMap<String, Node>,
    present: bool,
    asked: BTreeSet<String>,
}

impl<'a> Section<'a> {
    pub(crate) fn new(
        document: &'a Document,
        report: &'a Report,
        name: String,
        table: Option<&BTreeMap<String, Node>>,
    ) -> Self {
        let present = table.is_some();
        let table = table.cloned().unwrap_or_default();
        Self { document, report, name, table, present, asked: BTreeSet::new() }
    }

    /// Whether the table was written, in the file or by a variable.
    #[must_use]
    pub fn is_present(&self) -> bool {
        let variables = self.variable_of("");
        self.present || self.document.environment.keys().any(|name| name.starts_with(&variables))
    }

    /// The folder of the configuration file, where relative paths start.
    #[must_use]
    pub fn folder(&self) -> &'a Path {
        &self.document.folder
    }

    /// A setting that may be absent. `expected` says what would be right, as a noun phrase.
    pub fn optional<T: FromStr>(&mut self, key: &str, expected: &str) -> Option<T> {
        let node = self.take(key)?;
        self.parsed(key, &node, expected)
    }

    /// A setting that must be there.
    pub fn required<T: FromStr>(&mut self, key: &str, expected: &str) -> Option<T> {
        if let Some(node) = self.take(key) {
            return self.parsed(key, &node, expected);
        }
        self.missing(key, expected);
        None
    }

    /// A setting with a default.
    pub fn or<T: FromStr>(&mut self, key: &str, expected: &str, default: T) -> Option<T> {
        match self.take(key) {
            Some(node) => self.parsed(key, &node, expected),
            None => Some(default),
        }
    }

    /// A list, empty when absent. Items that are wrong are reported and left out.
    pub fn list<T: FromStr>(&mut self, key: &str, expected: &str) -> Vec<T> {
        let Some(node) = self.take(key) else { return Vec::new() };
        let Value::List(items) = &node.value else {
            self.reject(key, &node, &format!("a list, each item {expected}"));
            return Vec::new();
        };
        items.iter().filter_map(|item| self.parsed(key, item, expected)).collect()
    }

    /// A table of texts by name, empty when absent.
    pub fn texts(&mut self, key: &str, expected: &str) -> BTreeMap<String, String> {
        let Some(node) = self.take(key) else { return BTreeMap::new() };
        let Value::Table(members) = &node.value else {
            self.reject(key, &node, &format!("a table, each value {expected}"));
            return BTreeMap::new();
        };
        let text = |(name, node): (&String, &Node)| {
            Some((name.clone(), self.parsed(&format!("{key}.{name}"), node, expected)?))
        };
        members.iter().filter_map(text).collect()
    }

    /// A list of texts, or one text for a list of one; empty when absent.
    pub fn text_or_list(&mut self, key: &str, expected: &str) -> Vec<String> {
        match self.table_or_variable(key) {
            Some(Node { value: Value::Text(text), .. }) => {
                self.asked.insert(key.to_owned());
                vec![text]
            }
            _ => self.list(key, expected),
        }
    }

    /// A table of any JSON values, empty when absent.
    pub fn json(&mut self, key: &str) -> serde_json::Map<String, serde_json::Value> {
        let Some(node) = self.take(key) else { return serde_json::Map::new() };
        if let serde_json::Value::Object(members) = node.value.to_json() {
            return members;
        }
        self.reject(key, &node, "a table");
        serde_json::Map::new()
    }

    /// A path; a relative one starts at the folder of the configuration file.
    pub fn path(&mut self, key: &str, expected: &str) -> Option<PathBuf> {
        self.optional::<PathBuf>(key, expected).map(|path| self.document.folder.join(path))
    }

    /// A reference to a secret. The value itself is never accepted here.
    pub fn secret(&mut self, key: &str) -> Option<Secret> {
        const EXPECTED: &str = "a reference to the secret: { file = \"path\" }, { env = \"NAME\" } or { secretsmanager = \"arn\" }";
        let node = self.take(key)?;
        match self.reference(key, &node, EXPECTED)? {
            KeyReference::Secret(secret) => Some(secret),
            KeyReference::Kms(_) => {
                let found = "an unknown kind of reference \"kms\"".to_owned();
                self.problem(key, node.place.clone(), found, EXPECTED);
                None
            }
        }
    }

    /// A reference to a key that encrypts something. The key itself is never accepted here.
    pub fn key(&mut self, key: &str) -> Option<KeyReference> {
        let node = self.take(key)?;
        self.reference(key, &node, KEY)
    }

    /// A list of references to keys, empty when absent.
    pub fn keys(&mut self, key: &str) -> Vec<KeyReference> {
        let Some(node) = self.take(key) else { return Vec::new() };
        let Value::List(items) = &node.value else {
            let found = "something else (not shown)".to_owned();
            self.problem(key, node.place, found, &format!("a list, each item {KEY}"));
            return Vec::new();
        };
        items.iter().filter_map(|item| self.reference(key, item, KEY)).collect()
    }

    fn reference(&self, key: &str, node: &Node, expected: &str) -> Option<KeyReference> {
        let reference = match &node.value {
            Value::Table(members) if members.len() == 1 => members.first_key_value(),
            _ => None,
        };
        let Some((kind, Node { value: Value::Text(target), .. })) = reference else {
            let found = "something else (not shown)".to_owned();
            self.problem(key, node.place.clone(), found, expected);
            return None;
        };
        let secret = match kind.as_str() {
            "file" => fs::read_to_string(self.document.folder.join(target))
                .map_err(|error| format!("a file {target:?} that cannot be read ({error})"))
                .map(|text| text.trim_end_matches(['\r', '\n']).to_owned()),
            "env" => {
                self.document.asked.borrow_mut().insert(target.clone());
                let value = self.document.environment.get(target).cloned();
                value.ok_or_else(|| format!("a reference to the variable {target:?}, which is not set"))
            }
            "secretsmanager" => return Some(KeyReference::Secret(Secret::SecretsManager(target.clone()))),
            "kms" => return Some(KeyReference::Kms(target.clone())),
            other => Err(format!("an unknown kind of reference {other:?}")),
        };
        match secret {
            Ok(text) if text.is_empty() => {
                let found = "a reference to an empty secret".to_owned();
                self.problem(key, node.place.clone(), found, "a secret");
                None
            }
            Ok(text) => Some(KeyReference::Secret(Secret::Here(SecretString::from(text)))),
            Err(found) => {
                self.problem(key, node.place.clone(), found, expected);
                None
            }
        }
    }

    /// A table within this one; empty when absent.
    #[must_use]
    pub fn section(&mut self, key: &str) -> Section<'a> {
        let name = self.name_of(key);
        match self.take(key) {
            Some(Node { value: Value::Table(table), .. }) => {
                Section::new(self.document, self.report, name, Some(&table))
            }
            Some(node) => {
                self.reject(key, &node, "a table");
                Section::new(self.document, self.report, name, None)
            }
            None => Section::new(self.document, self.report, name, None),
        }
    }

    /// A list of tables; empty when absent.
    pub fn sections(&mut self, key: &str) -> Vec<Section<'a>> {
        let Some(node) = self.take(key) else { return Vec::new() };
        let Value::List(items) = &node.value else {
            self.reject(key, &node, "a list of tables");
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (index, item) in items.iter().enumerate() {
            if let Value::Table(table) = &item.value {
                let name = format!("{}[{index}]", self.name_of(key));
                sections.push(Section::new(self.document, self.report, name, Some(table)));
            } else {
                self.reject(key, item, "a table");
            }
        }
        sections
    }

    /// Reports a setting that can be read but makes no sense, e.g. together with another one.
    pub fn contradiction(&self, key: &str, found: &str, expected: &str) {
        let place = self.table.get(key).map(|node| node.place.clone()).unwrap_or_default();
        self.problem(key, place, found.to_owned(), expected);
    }

    fn take(&mut self, key: &str) -> Option<Node> {
        self.asked.insert(key.to_owned());
        self.table_or_variable(key)
    }

    fn table_or_variable(&self, key: &str) -> Option<Node> {
        let variable = self.variable_of(key);
        self.document.asked.borrow_mut().insert(variable.clone());
        let Some(text) = self.document.environment.get(&variable).filter(|_| !self.name.contains('[')) else {
            return self.table.get(key).cloned();
        };
        Some(from_variable(&variable, text))
    }

    fn parsed<T: FromStr>(&self, key: &str, node: &Node, expected: &str) -> Option<T> {
        let value = match &node.value {
            Value::Text(text) | Value::Bare(text) => text.parse().ok(),
            Value::List(_) | Value::Table(_) => None,
        };
        if value.is_none() {
            self.reject(key, node, expected);
        }
        value
    }

    fn reject(&self, key: &str, node: &Node, expected: &str) {
        self.problem(key, node.place.clone(), node.found(), expected);
    }

    fn missing(&self, key: &str, expected: &str) {
        let expected = if self.name.contains('[') {
            expected.to_owned()
        } else {
            format!("{expected} (or the variable {})", self.variable_of(key))
        };
        self.problem(key, String::new(), "nothing".to_owned(), &expected);
    }

    fn problem(&self, key: &str, place: String, found: String, expected: &str) {
        let problem = Problem { place, key: self.name_of(key), found, expected: expected.to_owned() };
        self.report.problems.borrow_mut().push(problem);
    }

    fn name_of(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    fn variable_of(&self, key: &str) -> String {
        format!("{}_{}", self.document.prefix, self.name_of(key).replace('.', "_")).to_ascii_uppercase()
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        let known: Vec<&str> = self.asked.iter().map(String::as_str).collect();
        for (key, node) in self.table.iter().filter(|(key, _)| !self.asked.contains(*key)) {
            let expected = match known.as_slice() {
                [] => "nothing here".to_owned(),
                known => format!("one of {}", known.join(", ")),
            };
            self.problem(key, node.place.clone(), "an unknown key".to_owned(), &expected);
        }
    }
}

/// A variable is plain text, or TOML when it is written as a list or a table.
fn from_variable(variable: &str, text: &str) -> Node {
    let place = variable.to_owned();
    let structured = text.starts_with(['[', '{']);
    let parsed =
        structured.then(|| node::parse(&format!("value = {text}"), &|_| variable.to_owned()).ok()).flatten();
    match parsed.and_then(|mut table| table.remove("value")) {
        Some(node) => node,
        None => Node { place, value: Value::Text(text.to_owned()) },
    }
}
