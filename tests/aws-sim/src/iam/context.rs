//! The facts about a request that conditions and variables may use.

use std::collections::BTreeMap;

/// Condition keys and their values. Names are case-insensitive, values are not.
#[derive(Clone, Debug, Default)]
pub struct Context {
    keys: BTreeMap<String, Values>,
}

#[derive(Clone, Debug)]
pub(super) enum Values {
    One(String),
    Many(Vec<String>),
}

impl Context {
    /// A context without any key.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a single-valued key.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.keys.insert(key.to_ascii_lowercase(), Values::One(value.into()));
    }

    /// Sets a multi-valued key; no values means that the key is absent.
    pub fn set_many<I, S>(&mut self, key: &str, values: I)
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        let values: Vec<String> = values.into_iter().map(Into::into).collect();
        if values.is_empty() {
            self.keys.remove(&key.to_ascii_lowercase());
        } else {
            self.keys.insert(key.to_ascii_lowercase(), Values::Many(values));
        }
    }

    pub(super) fn values(&self, lower_case_key: &str) -> Option<&Values> {
        self.keys.get(lower_case_key)
    }

    /// The value a policy variable stands for. An empty value is no value, as for the `Null` operator.
    pub(super) fn variable(&self, lower_case_key: &str) -> Option<&str> {
        match self.keys.get(lower_case_key) {
            Some(Values::One(value)) if !value.is_empty() => Some(value),
            _ => None,
        }
    }
}
