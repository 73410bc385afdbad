//! The query protocol's form body.

use std::collections::{BTreeMap, BTreeSet};

use crate::answer::ApiError;

/// The only API version there is.
pub(super) const VERSION: &str = "2011-06-15";

/// A call's parameters, each given once.
pub(crate) struct Parameters {
    operation: String,
    values: BTreeMap<String, String>,
}

impl Parameters {
    pub(super) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let mut values = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(body) {
            if values.insert(name.to_string(), value.to_string()).is_some() {
                return Err(ApiError::new(400, "MalformedInput", format!("parameter {name} is repeated")));
            }
        }
        let operation = values.remove("Action");
        let version = values.remove("Version");
        let operation = operation.ok_or_else(|| ApiError::new(400, "MissingAction", "Missing Action"))?;
        if version.as_deref() != Some(VERSION) {
            let message =
                format!("Could not find operation {operation} for version {}", version.unwrap_or_default());
            return Err(ApiError::new(400, "InvalidAction", message));
        }
        Ok(Self { operation, values })
    }

    pub(super) fn operation(&self) -> &str {
        &self.operation
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The list `name.member.1`, `name.member.2`, …, of which each item is made of these fields (`""` is the item).
    pub(super) fn list(&self, name: &str, fields: &[&str]) -> Vec<Vec<Option<&str>>> {
        let mut items = Vec::new();
        loop {
            let number = items.len() + 1;
            let field = |field: &&str| {
                let dot = if field.is_empty() { "" } else { "." };
                self.get(&format!("{name}.member.{number}{dot}{field}"))
            };
            let item: Vec<_> = fields.iter().map(field).collect();
            if item.iter().all(Option::is_none) {
                return items;
            }
            items.push(item);
        }
    }

    /// Refuses parameters that the operation does not have, holes in lists included.
    pub(super) fn allow_only(&self, known: &[(&str, usize, &[&str])]) -> Result<(), ApiError> {
        let mut expected = BTreeSet::new();
        for (name, length, fields) in known {
            if *length == 0 && fields.is_empty() {
                expected.insert((*name).to_owned());
            }
            for number in 1..=*length {
                for field in *fields {
                    let dot = if field.is_empty() { "" } else { "." };
                    expected.insert(format!("{name}.member.{number}{dot}{field}"));
                }
            }
        }
        match self.values.keys().find(|name| !expected.contains(*name)) {
            None => Ok(()),
            Some(unknown) => Err(ApiError::new(
                400,
                "InvalidParameter",
                format!("parameter {unknown} is unknown or not simulated"),
            )),
        }
    }
}
