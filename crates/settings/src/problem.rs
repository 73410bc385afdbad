//! What is wrong, where, and what would be right.

use std::fmt;

/// The longest value repeated in a problem, in characters.
const LONGEST_VALUE: usize = 80;

/// One thing wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The place: `connect.toml:12`, `line 12`, or the name of an environment variable. Empty for a missing key.
    pub place: String,
    /// Full name of the setting, e.g. `listen.public`.
    pub key: String,
    /// What is there.
    pub found: String,
    /// What would be right, as a noun phrase.
    pub expected: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "found {}, expected {}", self.found, self.expected)
    }
}

/// Everything wrong with the configuration, in the order of the places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub(crate) Vec<Problem>);

impl Problems {
    /// The single problems.
    #[must_use]
    pub fn as_slice(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// A value as a problem may repeat it: quoted, short, and without the password of a URL.
pub(crate) fn quoted(value: &str) -> String {
    let shown = without_password(value);
    let mut short: String = shown.chars().take(LONGEST_VALUE).collect();
    if short.len() < shown.len() {
        short.push('…');
    }
    format!("{short:?}")
}

fn without_password(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else { return value.to_owned() };
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(authority_end);
    match authority.rsplit_once('@').and_then(|(user, host)| Some((user.split_once(':')?.0, host))) {
        Some((user, host)) => format!("{scheme}://{user}:***@{host}{tail}"),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_quoted_value_is_short_and_holds_no_password() {
        let cases = [
            ("abc", "\"abc\""),
            ("postgres://u:p4ss@db/x", "\"postgres://u:***@db/x\""),
            ("postgres://u:p@ss@db/x", "\"postgres://u:***@db/x\""),
            ("postgres://u@db/x", "\"postgres://u@db/x\""),
            ("a\nb\u{1b}", "\"a\\nb\\u{1b}\""),
        ];
        for (value, expected) in cases {
            assert_eq!(quoted(value), expected);
        }
        assert!(quoted(&"é".repeat(500)).chars().count() < 90);
    }
}
