//! What a claim must be.

use std::{fmt, str::FromStr};

/// A text that a claim must equal, or with a `*` at its end, that it must start with.
///
/// The `*` stands for at least one character and must follow a `/` or `:`, so that `repo:acme/*` does not mean
/// `repo:acme-evil/…`. Nothing else is a wildcard, and upper and lower case differ.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimPattern {
    text: String,
    is_prefix: bool,
}

/// A text that is no [`ClaimPattern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a plain text nor one that ends with /* or :*, without another *")]
pub struct InvalidPattern(String);

impl ClaimPattern {
    /// Whether a claim is what it must be.
    #[must_use]
    pub fn matches(&self, claim: &str) -> bool {
        if !self.is_prefix {
            return claim == self.text;
        }
        let rest = claim.strip_prefix(&self.text);
        rest.is_some_and(|rest| !rest.is_empty() && !rest.chars().any(char::is_control))
    }
}

impl FromStr for ClaimPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (text, is_prefix) = match text.strip_suffix('*') {
            Some(prefix) => (prefix, true),
            None => (text, false),
        };
        let is_bounded = !is_prefix || text.ends_with(['/', ':']);
        if text.is_empty() || text.contains('*') || !is_bounded {
            return Err(InvalidPattern(if is_prefix { format!("{text}*") } else { text.to_owned() }));
        }
        Ok(Self { text: text.to_owned(), is_prefix })
    }
}

impl fmt::Display for ClaimPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.text, if self.is_prefix { "*" } else { "" })
    }
}

impl fmt::Debug for ClaimPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::ClaimPattern;

    fn matches(pattern: &str, claim: &str) -> bool {
        pattern.parse::<ClaimPattern>().unwrap().matches(claim)
    }

    /// SEC-20: a workload whose name only looks like one of a rule -> the rule does not fit
    #[test]
    fn a_claim_is_the_text_or_below_it() {
        let cases = [
            ("repo:acme/app:ref:refs/heads/main", "repo:acme/app:ref:refs/heads/main", true),
            ("repo:acme/app:ref:refs/heads/main", "repo:acme/app:ref:refs/heads/main2", false),
            ("repo:acme/app:ref:refs/heads/main", "repo:acme/app:ref:refs/heads/mai", false),
            ("repo:acme/*", "repo:acme/app", true),
            ("repo:acme/*", "repo:acme/", false),
            ("repo:acme/*", "repo:acme", false),
            ("repo:acme/*", "repo:acme-evil/app", false),
            ("repo:acme/*", "repo:Acme/app", false),
            ("repo:acme/*", "xrepo:acme/app", false),
            ("repo:acme/*", "repo:acme/app\n", false),
            ("system:serviceaccount:prod:*", "system:serviceaccount:prod:agent", true),
            ("system:serviceaccount:prod:*", "system:serviceaccount:prod2:agent", false),
            ("é", "é", true),
            ("é", "e\u{301}", false),
        ];
        for (pattern, claim, expected) in cases {
            assert_eq!(matches(pattern, claim), expected, "{pattern} {claim:?}");
        }
    }

    #[test]
    fn what_would_match_more_than_it_says_is_refused() {
        for text in ["", "*", "**", "/**", "acme*", "acme-*", "repo:*/app", "repo:acme/*/*", "*:acme", "a*b"]
        {
            assert!(text.parse::<ClaimPattern>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn it_matches_itself_and_what_follows_a_separator(text in "[a-zA-Z0-9:/._-]{1,20}", rest in "[a-z0-9:/]{1,9}") {
            let exact: ClaimPattern = text.parse().unwrap();
            prop_assert!(exact.matches(&text));
            prop_assert_eq!(exact.to_string(), text.clone());
            let longer = format!("{text}{rest}");
            prop_assert!(!exact.matches(&longer));
            let below: ClaimPattern = format!("{text}/*").parse().unwrap();
            let inside = format!("{text}/{rest}");
            prop_assert!(below.matches(&inside));
            prop_assert_eq!(below.matches(&longer), rest.starts_with('/') && rest.len() > 1);
            prop_assert!(!below.matches(&text));
        }
    }
}
