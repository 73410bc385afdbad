//! The modern headers must say what the body says, or an intermediary could be led astray.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Call;

/// `Mcp-Method`: the method of the body.
const MCP_METHOD: HeaderName = HeaderName::from_static("mcp-method");
/// `Mcp-Name`: the tool, prompt, resource or task of the body.
const MCP_NAME: HeaderName = HeaderName::from_static("mcp-name");

/// A header that the body contradicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Disagreement {
    /// `Mcp-Method`.
    #[error("the Mcp-Method header does not agree with the body's method")]
    Method,
    /// `Mcp-Name`.
    #[error("the Mcp-Name header does not agree with what the body names")]
    Name,
}

/// Compares the headers that are present with the body.
pub(crate) fn check_agreement(headers: &HeaderMap, call: &Call) -> Result<(), Disagreement> {
    if let Some(value) = only(headers, &MCP_METHOD) {
        let value = value.ok().and_then(|value| value.to_str().ok()).ok_or(Disagreement::Method)?;
        if call.method.as_deref() != Some(value) {
            return Err(Disagreement::Method);
        }
    }
    if let Some(value) = only(headers, &MCP_NAME) {
        let value = value.ok().and_then(decode).ok_or(Disagreement::Name)?;
        if named(call) != Some(value.as_str()) {
            return Err(Disagreement::Name);
        }
    }
    Ok(())
}

/// The member that `Mcp-Name` repeats.
fn named(call: &Call) -> Option<&str> {
    let member = match call.method.as_deref()? {
        "tools/call" | "prompts/get" => &call.name,
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => &call.uri,
        "tasks/get" | "tasks/update" | "tasks/cancel" => &call.task,
        _ => return None,
    };
    member.as_deref()
}

/// The only value of a header; an error when there are several.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Result<&'a HeaderValue, ()>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    Some(if values.next().is_some() { Err(()) } else { Ok(first) })
}

/// Values that are no plain ASCII travel as `=?base64?…?=`.
fn decode(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?;
    match text.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        Some(encoded) => String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok(),
        None => Some(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Case<'a> = (&'a [(&'a str, &'a str)], &'a Call, Result<(), Disagreement>);

    #[test]
    fn headers_that_are_present_must_agree() {
        let tool = Call { method: Some("tools/call".into()), name: Some("é".into()), ..Call::default() };
        let list = Call { method: Some("tools/list".into()), name: Some("é".into()), ..Call::default() };
        let read =
            Call { method: Some("resources/read".into()), uri: Some("a://b".into()), ..Call::default() };
        let reply = Call::default();
        let cases: &[Case<'_>] = &[
            (&[], &tool, Ok(())),
            (&[("mcp-method", "tools/call")], &tool, Ok(())),
            (&[("mcp-method", "tools/call"), ("mcp-name", "=?base64?w6k=?=")], &tool, Ok(())),
            (&[("mcp-method", "resources/read"), ("mcp-name", "a://b")], &read, Ok(())),
            (&[("mcp-method", "tools/list")], &tool, Err(Disagreement::Method)),
            (&[("mcp-method", "Tools/call")], &tool, Err(Disagreement::Method)),
            (&[("mcp-method", "tools/call"), ("mcp-method", "tools/call")], &tool, Err(Disagreement::Method)),
            (&[("mcp-method", "ping")], &reply, Err(Disagreement::Method)),
            (&[("mcp-method", "é")], &reply, Err(Disagreement::Method)),
            (&[("mcp-name", "e")], &tool, Err(Disagreement::Name)),
            (&[("mcp-name", "=?base64?%%?=")], &tool, Err(Disagreement::Name)),
            (&[("mcp-name", "=?base64?w6k=?="), ("mcp-name", "x")], &tool, Err(Disagreement::Name)),
            (&[("mcp-name", "=?base64?w6k=?=")], &list, Err(Disagreement::Name)),
            (&[("mcp-name", "")], &reply, Err(Disagreement::Name)),
        ];
        for (headers, call, expected) in cases {
            let mut map = HeaderMap::new();
            for (name, value) in *headers {
                map.append(
                    HeaderName::from_bytes(name.as_bytes()).unwrap(),
                    HeaderValue::from_str(value).unwrap(),
                );
            }
            assert_eq!(check_agreement(&map, call), *expected, "{headers:?}");
        }
    }
}
