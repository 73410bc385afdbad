//! Text patterns with wildcards and policy variables, and ARN patterns made of them.

use super::context::Context;
use super::parse::{Fault, PolicyError};

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Token>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Literal(char),
    /// `?`
    One,
    /// `*`
    Any,
    Variable {
        key: String,
        default: Option<String>,
    },
}

/// Whether `*` and `?` are wildcards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wildcards {
    Yes,
    No,
}

impl Pattern {
    /// Compiles `text`; `${…}` is a variable, or one of the escapes `${*}`, `${?}` and `${$}`.
    pub(super) fn compile(text: &str, wildcards: Wildcards) -> Result<Self, PolicyError> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            if let Some(inner) = rest.strip_prefix("${") {
                let Some((name, after)) = inner.split_once('}') else {
                    return Err(PolicyError::new(Fault::Variable, text));
                };
                tokens.push(variable(name).ok_or_else(|| PolicyError::new(Fault::Variable, text))?);
                rest = after;
                continue;
            }
            tokens.push(match next {
                '*' if wildcards == Wildcards::Yes => Token::Any,
                '?' if wildcards == Wildcards::Yes => Token::One,
                other => Token::Literal(other),
            });
            rest = rest.strip_prefix(next).unwrap_or_default();
        }
        Ok(Self(tokens))
    }

    /// Whether `text` matches; `None` when a variable has neither a value nor a default.
    pub(super) fn matches(&self, text: &str, context: &Context, case: Case) -> Option<bool> {
        let mut pattern = Vec::with_capacity(self.0.len());
        for token in &self.0 {
            match token {
                Token::Literal(literal) => case.fold(*literal, |c| pattern.push(Step::Literal(c))),
                Token::One => pattern.push(Step::One),
                Token::Any => pattern.push(Step::Any),
                Token::Variable { key, default } => {
                    let value = context.variable(key).or(default.as_deref())?;
                    for literal in value.chars() {
                        case.fold(literal, |c| pattern.push(Step::Literal(c)));
                    }
                }
            }
        }
        let mut folded = Vec::with_capacity(text.len());
        for character in text.chars() {
            case.fold(character, |c| folded.push(c));
        }
        Some(glob(&pattern, &folded))
    }

    fn is_any(&self) -> bool {
        self.0 == [Token::Any]
    }
}

fn variable(name: &str) -> Option<Token> {
    match name {
        "*" => return Some(Token::Literal('*')),
        "?" => return Some(Token::Literal('?')),
        "$" => return Some(Token::Literal('$')),
        _ => {}
    }
    let (key, default) = match name.split_once(", ") {
        Some((key, quoted)) => (key, Some(quoted.strip_prefix('\'')?.strip_suffix('\'')?.to_owned())),
        None => (name, None),
    };
    let known_shape = key.contains(':') && !key.contains(|c: char| "${'*?,".contains(c) || c.is_control());
    let trimmed = key.trim() == key;
    (known_shape && trimmed).then(|| Token::Variable { key: key.to_ascii_lowercase(), default })
}

/// Whether upper and lower case are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Sensitive,
    Ignored,
}

impl Case {
    fn fold(self, character: char, mut push: impl FnMut(char)) {
        match self {
            Self::Sensitive => push(character),
            Self::Ignored => character.to_lowercase().for_each(push),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Literal(char),
    One,
    Any,
}

/// Glob matching with one point of backtracking: the last `*`.
fn glob(pattern: &[Step], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(character) = text.get(t) {
        match pattern.get(p) {
            Some(Step::Any) => {
                star = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some(Step::One) => {
                (p, t) = (p + 1, t + 1);
                continue;
            }
            Some(Step::Literal(literal)) if literal == character => {
                (p, t) = (p + 1, t + 1);
                continue;
            }
            _ => {}
        }
        let Some((after_star, consumed)) = star else { return false };
        star = Some((after_star, consumed + 1));
        (p, t) = (after_star, consumed + 1);
    }
    pattern.get(p..).unwrap_or_default().iter().all(|step| *step == Step::Any)
}

/// A pattern for ARNs: wildcards never cross the colons in front of the resource part.
#[derive(Clone, Debug)]
pub(super) enum ArnPattern {
    /// A lone `*`.
    Everything,
    /// Partition, service, region, account and resource.
    Parts([Pattern; 5]),
}

impl ArnPattern {
    pub(super) fn compile(text: &str) -> Result<Self, PolicyError> {
        if Pattern::compile(text, Wildcards::Yes)?.is_any() {
            return Ok(Self::Everything);
        }
        let malformed = || PolicyError::new(Fault::Arn, text);
        let parts = split_outside_variables(text);
        let [arn, partition, service, region, account, resource] = parts.as_slice() else {
            return Err(malformed());
        };
        if *arn != "arn" || resource.is_empty() {
            return Err(malformed());
        }
        let compile = |part: &str| Pattern::compile(part, Wildcards::Yes);
        Ok(Self::Parts([
            compile(partition)?,
            compile(service)?,
            compile(region)?,
            compile(account)?,
            compile(resource)?,
        ]))
    }

    /// Whether `arn` matches; `None` when a variable has no value or `arn` is no ARN.
    pub(super) fn matches(&self, arn: &str, context: &Context) -> Option<bool> {
        let Self::Parts(patterns) = self else { return Some(true) };
        let mut parts = arn.strip_prefix("arn:")?.splitn(5, ':');
        let mut all = true;
        for pattern in patterns {
            all &= pattern.matches(parts.next()?, context, Case::Sensitive)?;
        }
        Some(all)
    }
}

/// Splits at the first five colons that are not inside `${…}`.
fn split_outside_variables(text: &str) -> Vec<&str> {
    let mut parts = Vec::with_capacity(6);
    let (mut start, mut inside) = (0, false);
    for (position, character) in text.char_indices() {
        match character {
            '{' if text.get(..position).is_some_and(|before| before.ends_with('$')) => inside = true,
            '}' => inside = false,
            ':' if !inside && parts.len() < 5 => {
                parts.extend(text.get(start..position));
                start = position + 1;
            }
            _ => {}
        }
    }
    parts.extend(text.get(start..));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context {
        let mut context = Context::new();
        context.set("aws:PrincipalTag/team", "re*d");
        context.set("aws:PrincipalTag/empty", "");
        context.set_many("aws:TagKeys", ["a"]);
        context
    }

    fn like(pattern: &str, text: &str) -> Option<bool> {
        Pattern::compile(pattern, Wildcards::Yes).unwrap().matches(text, &context(), Case::Sensitive)
    }

    #[test]
    fn wildcards_variables_and_escapes() {
        let cases = [
            ("", "", Some(true)),
            ("", "a", Some(false)),
            ("*", "", Some(true)),
            ("?", "", Some(false)),
            ("a*b*c", "a--b--c", Some(true)),
            ("a*b*c", "a--b--", Some(false)),
            ("a?c", "aéc", Some(true)),
            ("*.txt", "x.txt.txt", Some(true)),
            ("**a", "bba", Some(true)),
            ("x${*}y", "x*y", Some(true)),
            ("x${*}y", "xzy", Some(false)),
            ("${?}${$}", "?$", Some(true)),
            ("home/${aws:PrincipalTag/TEAM}/*", "home/re*d/x", Some(true)),
            ("home/${aws:PrincipalTag/team}/*", "home/reXd/x", Some(false)),
            ("home/${aws:PrincipalTag/none}/*", "home//x", None),
            ("home/${aws:PrincipalTag/empty}/*", "home//x", None),
            ("home/${aws:TagKeys}/*", "home/a/x", None),
            ("home/${aws:PrincipalTag/none, 'all'}/*", "home/all/x", Some(true)),
            ("home/${aws:PrincipalTag/team, 'all'}/*", "home/all/x", Some(false)),
            ("$x", "$x", Some(true)),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(like(pattern, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn malformed_variables_are_refused() {
        for text in [
            "${",
            "a${x",
            "${}",
            "${team}",
            "${aws:x,'d'}",
            "${aws:x, d}",
            "${ aws:x}",
            "${a:${b:c}}",
            "${aws:*}",
        ] {
            assert!(Pattern::compile(text, Wildcards::Yes).is_err(), "{text}");
        }
    }

    #[test]
    fn arn_wildcards_stay_in_their_part() {
        let context = context();
        let cases = [
            ("*", "anything", Some(true)),
            ("arn:aws:s3:::b/*", "arn:aws:s3:::b/x:y", Some(true)),
            ("arn:aws:s3:*", "", None),
            ("arn:*:s3:::b", "arn:aws:iam:s3:::b", Some(false)),
            ("arn:aws:iam::*:role/x", "arn:aws:iam::1:user/a:role/x", Some(false)),
            ("arn:aws:iam::${aws:PrincipalTag/n, '1'}:role/x", "arn:aws:iam::1:role/x", Some(true)),
            ("arn:aws:s3:::b", "no arn", None),
        ];
        for (pattern, arn, expected) in cases {
            let matched = ArnPattern::compile(pattern).ok().and_then(|p| p.matches(arn, &context));
            assert_eq!(matched, expected, "{pattern} on {arn}");
        }
        for text in ["", "b", "arn:aws:s3:::", "arn:aws:s3", "urn:aws:s3:::b", "**", "s3:*"] {
            assert!(ArnPattern::compile(text).is_err(), "{text}");
        }
    }
}
