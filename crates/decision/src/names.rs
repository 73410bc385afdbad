//! The names of the decision headers, and how foreign ones are removed.

use http::{HeaderMap, HeaderName, HeaderValue, header::CONNECTION};

/// The ARN of the role that the service assumes.
pub const DECIDED_ROLE: HeaderName = HeaderName::from_static("x-decided-role");
/// Who is acting, as STS and CloudTrail will see it.
pub const SOURCE_IDENTITY: HeaderName = HeaderName::from_static("x-source-identity");
/// The STS session tags, a JSON object of strings.
pub const SESSION_TAGS: HeaderName = HeaderName::from_static("x-session-tags");
/// Which decision by which policy this is, a JSON object.
pub const POLICY_CONTEXT: HeaderName = HeaderName::from_static("x-policy-context");
/// The gateway's id of this one request.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// A signature over the other five; reserved, see the crate documentation.
pub const DECISION_SIGNATURE: HeaderName = HeaderName::from_static("x-decision-signature");

static ALL: [HeaderName; 6] =
    [DECIDED_ROLE, SOURCE_IDENTITY, SESSION_TAGS, POLICY_CONTEXT, REQUEST_ID, DECISION_SIGNATURE];

/// Whether some server could take `name` for a decision header: it equals one after lower-casing and `_` -> `-`.
///
/// CGI-like servers fold both spellings into one variable, which is why `_` counts (SEC-42).
#[must_use]
pub fn is_decision_header(name: &str) -> bool {
    is_decision_name(name.as_bytes())
}

/// Removes every header that [`is_decision_header`], and such names from `Connection`.
///
/// Call it on what a caller sent, headers and trailers alike (SEC-44), before anything is added. Nothing is
/// allocated when there is nothing to remove.
pub fn strip_decision_headers(headers: &mut HeaderMap) {
    if headers.keys().any(|name| is_decision_name(name.as_str().as_bytes())) {
        let hostile: Vec<HeaderName> =
            headers.keys().filter(|name| is_decision_header(name.as_str())).cloned().collect();
        for name in hostile {
            headers.remove(name);
        }
    }
    strip_connection_tokens(headers);
}

/// The decision header that some would take `name` for, when it is not spelled like one.
pub(crate) fn look_alike_of(name: &HeaderName) -> Option<HeaderName> {
    let bytes = name.as_str().as_bytes();
    if !bytes.contains(&b'_') {
        return None;
    }
    ALL.iter().find(|known| folds_to(bytes, known.as_str().as_bytes())).cloned()
}

/// `Connection` names headers that the next proxy drops (RFC 9110 section 7.6.1). One that names a decision header
/// would make it vanish behind the gateway (SEC-43).
fn strip_connection_tokens(headers: &mut HeaderMap) {
    let names_one = |value: &HeaderValue| tokens(value).any(is_decision_name);
    if !headers.get_all(CONNECTION).iter().any(names_one) {
        return;
    }
    let mut kept: Vec<u8> = Vec::new();
    for token in headers.get_all(CONNECTION).iter().flat_map(tokens).filter(|token| !is_decision_name(token))
    {
        if !kept.is_empty() {
            kept.extend_from_slice(b", ");
        }
        kept.extend_from_slice(token);
    }
    headers.remove(CONNECTION);
    if let (false, Ok(value)) = (kept.is_empty(), HeaderValue::from_bytes(&kept)) {
        headers.insert(CONNECTION, value);
    }
}

fn tokens(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|token| !token.is_empty())
}

fn is_decision_name(name: &[u8]) -> bool {
    // All of them start with `x` and have a separator next; nearly every other header is told apart by that.
    matches!(name, [b'x' | b'X', b'-' | b'_', ..])
        && ALL.iter().any(|known| folds_to(name, known.as_str().as_bytes()))
}

fn folds_to(name: &[u8], known: &[u8]) -> bool {
    let fold = |byte: &u8| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    name.len() == known.len() && name.iter().map(fold).eq(known.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn every_spelling_of_every_name_is_recognised() {
        for name in &ALL {
            let name = name.as_str();
            let mixed = name.replacen('-', "_", 1);
            for spelling in [name, &name.to_uppercase(), &name.replace('-', "_"), &mixed] {
                assert!(is_decision_header(spelling), "{spelling}");
            }
            for other in
                [&name.replace('-', ""), &format!("{name}-"), &format!("x-{name}"), &name.replace('-', ".")]
            {
                assert!(!is_decision_header(other), "{other}");
            }
        }
        assert!(!is_decision_header(""));
        assert!(!is_decision_header("x-requested-with"));
    }

    #[test]
    fn foreign_decision_headers_are_removed_and_others_kept() {
        let mut headers = map(&[
            ("x-decided-role", "a"),
            ("x-decided-role", "b"),
            ("X_Decided_Role", "c"),
            ("x-decided_role", "d"),
            ("x-request-id", "e"),
            ("x-decision-signature", "f"),
            ("x-forwarded-for", "192.0.2.1"),
            ("accept", "application/json"),
        ]);
        strip_decision_headers(&mut headers);
        assert_eq!(headers, map(&[("x-forwarded-for", "192.0.2.1"), ("accept", "application/json")]));
    }

    #[test]
    fn connection_cannot_name_a_decision_header() {
        let cases: &[(&[&str], Option<&str>)] = &[
            (&["x-decided-role"], None),
            (&["keep-alive, X-Decided-Role"], Some("keep-alive")),
            (&["close,x_decided_role ,, Upgrade"], Some("close, Upgrade")),
            (&["keep-alive", "x-source-identity"], Some("keep-alive")),
            (&["x-decided-role,x-session-tags", " \tx-policy-context\t"], None),
        ];
        for (values, left) in cases {
            let lines: Vec<_> = values.iter().map(|value| ("connection", *value)).collect();
            let mut headers = map(&lines);
            strip_decision_headers(&mut headers);
            let after: Vec<_> =
                headers.get_all(CONNECTION).iter().map(|value| value.to_str().unwrap()).collect();
            assert_eq!(after, left.iter().copied().collect::<Vec<_>>(), "{values:?}");
        }
    }

    #[test]
    fn an_innocent_connection_header_is_left_as_it_was() {
        let before = map(&[("connection", "keep-alive,  x-trace"), ("connection", "upgrade")]);
        let mut after = before.clone();
        strip_decision_headers(&mut after);
        assert_eq!(after, before);
    }
}
