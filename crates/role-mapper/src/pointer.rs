//! JSON pointers into verified claims (RFC 6901).

use serde_json::{Map, Value};

/// What a pointer must look like.
pub(crate) const POINTER: &str =
    "a JSON pointer into the claims such as /groups, with ~0 for '~' and ~1 for '/'";

/// A parsed JSON pointer: at least one step, the first into the claims object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pointer {
    first: String,
    rest: Vec<String>,
}

impl Pointer {
    /// `None` for anything that is not a pointer, and for the empty one, which names all claims at once.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > 1024 {
            return None;
        }
        let mut steps = text.strip_prefix('/')?.split('/').map(unescape);
        let first = steps.next()??;
        Some(Self { first, rest: steps.collect::<Option<_>>()? })
    }

    /// The value that the pointer names, if it is there.
    pub(crate) fn find<'c>(&self, claims: &'c Map<String, Value>) -> Option<&'c Value> {
        self.rest.iter().try_fold(claims.get(&self.first)?, |value, step| match value {
            Value::Object(members) => members.get(step),
            Value::Array(items) => items.get(index(step)?),
            _ => None,
        })
    }
}

/// RFC 6901 §3: `~` is followed by 0 or 1; §4: `~01` is `~1`, not `/`.
fn unescape(step: &str) -> Option<String> {
    let mut chars = step.chars();
    let mut plain = String::with_capacity(step.len());
    while let Some(c) = chars.next() {
        plain.push(match c {
            '~' => match chars.next() {
                Some('0') => '~',
                Some('1') => '/',
                _ => return None,
            },
            c => c,
        });
    }
    Some(plain)
}

/// RFC 6901 §4: digits without a leading zero.
fn index(step: &str) -> Option<usize> {
    let digits = step.bytes().all(|byte| byte.is_ascii_digit());
    (digits && (step == "0" || !step.starts_with('0'))).then(|| step.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Pointer;

    #[test]
    fn a_pointer_finds_what_rfc_6901_says() {
        let claims = json!({
            "groups": ["a", "b"], "https://x.example/roles": {"m~n": 1}, "": "empty", "01": "name", "deep": [{"k": true}],
        });
        let Value::Object(claims) = claims else { unreachable!("an object") };
        let cases: &[(&str, Option<Value>)] = &[
            ("/groups", Some(json!(["a", "b"]))),
            ("/groups/1", Some(json!("b"))),
            ("/groups/01", None),
            ("/groups/+1", None),
            ("/groups/2", None),
            ("/groups/-", None),
            ("/groups/", None),
            ("/https:~1~1x.example~1roles/m~0n", Some(json!(1))),
            ("/", Some(json!("empty"))),
            ("/01", Some(json!("name"))),
            ("/deep/0/k", Some(json!(true))),
            ("/deep/0/k/x", None),
            ("/Groups", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Pointer::parse(text).unwrap().find(&claims), expected.as_ref(), "{text}");
        }
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        for text in ["", "groups", "#/groups", "/a~", "/a~2", "/~", "/x/~", &format!("/{}", "x".repeat(1024))]
        {
            assert_eq!(Pointer::parse(text), None, "{text}");
        }
    }
}
