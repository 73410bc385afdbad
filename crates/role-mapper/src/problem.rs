//! What is wrong with a row, in words that say what would be right.

use std::fmt;

use serde::Serialize;

use crate::document::RowKey;

/// One thing wrong with one field of one row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Problem {
    /// The row.
    pub row: RowKey,
    /// The field, as the document names it; a part of it after a dot.
    pub field: String,
    /// What is there, cut to a readable length.
    pub found: String,
    /// What would be right.
    pub expected: String,
    /// The tenant that cannot be served while this stands. `None` when the row belongs to no tenant that exists.
    pub tenant: Option<String>,
}

/// Everything wrong with what was to be stored, at least one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// `None` when nothing is wrong.
    pub(crate) fn of(problems: Vec<Problem>) -> Option<Self> {
        (!problems.is_empty()).then_some(Self(problems))
    }

    /// The problems in the order of the tables and their keys.
    #[must_use]
    pub fn as_slice(&self) -> &[Problem] {
        &self.0
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { row, field, found, expected, .. } = self;
        write!(f, "{row}: {field} is {found}, expected {expected}")
    }
}

/// One line for each problem.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// A text as a problem shows it: quoted, control characters escaped, cut after 80 characters.
pub(crate) fn quoted(text: &str) -> String {
    let cut: String = text.chars().take(80).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{cut:?}{more}")
}
