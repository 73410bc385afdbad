//! The file and the environment together.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::{
    Problem, Problems, Section,
    node::{self, Node},
};

/// The settings as written, before anybody asked what they mean.
#[derive(Debug)]
pub struct Document {
    pub(crate) prefix: String,
    pub(crate) folder: PathBuf,
    pub(crate) environment: BTreeMap<String, String>,
    /// Names of variables that were looked for.
    pub(crate) asked: RefCell<BTreeSet<String>>,
    root: BTreeMap<String, Node>,
}

/// What reading a document collects.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) problems: RefCell<Vec<Problem>>,
}

impl Document {
    /// Reads `file`, if one is given, and keeps the environment for the settings that it replaces.
    ///
    /// `prefix` is the first word of the variables' names, e.g. `CONNECT`.
    ///
    /// # Errors
    /// When the file cannot be read or is not TOML.
    pub fn load<K: Into<String>, V: Into<String>>(
        file: Option<&Path>,
        prefix: &str,
        environment: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, Problems> {
        let Some(file) = file else { return Self::parse("", prefix, environment) };
        let unreadable = |error: std::io::Error| {
            Problems(vec![Problem {
                place: file.display().to_string(),
                key: String::new(),
                found: error.to_string(),
                expected: "a readable TOML file".to_owned(),
            }])
        };
        let text = fs::read_to_string(file).map_err(unreadable)?;
        let place = |line| format!("{}:{line}", file.display());
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        Self::new(&text, &place, folder, prefix, environment)
    }

    /// Reads settings from text. Relative paths in it start at the current folder.
    ///
    /// # Errors
    /// When the text is not TOML.
    pub fn parse<K: Into<String>, V: Into<String>>(
        text: &str,
        prefix: &str,
        environment: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, Problems> {
        Self::new(text, &|line| format!("line {line}"), PathBuf::new(), prefix, environment)
    }

    fn new<K: Into<String>, V: Into<String>>(
        text: &str,
        place: &dyn Fn(usize) -> String,
        folder: PathBuf,
        prefix: &str,
        environment: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, Problems> {
        let root = node::parse(text, place).map_err(Problems)?;
        let environment = environment.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let asked = RefCell::default();
        Ok(Self { prefix: prefix.to_owned(), folder, environment, asked, root })
    }

    /// Variables that begin with the prefix and were not asked for: misspelt, or another program's. Known after
    /// [`read`](Self::read).
    #[must_use]
    pub fn unknown_variables(&self) -> Vec<String> {
        let asked = self.asked.borrow();
        let prefix = format!("{}_", self.prefix);
        let names =
            self.environment.keys().filter(|name| name.starts_with(&prefix) && !asked.contains(*name));
        names.cloned().collect()
    }

    /// Reads all settings with `read`, which answers `None` where a setting it needs is missing or wrong.
    ///
    /// # Errors
    /// Every problem found, including keys that `read` did not ask for.
    pub fn read<T>(&self, read: impl FnOnce(&mut Section<'_>) -> Option<T>) -> Result<T, Problems> {
        let report = Report::default();
        let mut root = Section::new(self, &report, String::new(), Some(&self.root));
        let settings = read(&mut root);
        drop(root);
        let problems = report.problems.into_inner();
        match settings {
            Some(settings) if problems.is_empty() => Ok(settings),
            _ => Err(Problems(problems)),
        }
    }
}
