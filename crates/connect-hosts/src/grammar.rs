//! The strict grammar that a redirect follows before anything else looks at it.

use std::borrow::Cow;

use crate::{RedirectDenied, policy::MAX_REDIRECT, scheme::is_scheme};

/// The parts of a redirect, as they stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts<'a> {
    pub(crate) scheme: &'a str,
    /// What follows `//`; absent in `scheme:/path`.
    pub(crate) authority: Option<Authority<'a>>,
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Authority<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: Option<&'a str>,
}

impl Parts<'_> {
    /// The redirect as it came, but for the port.
    pub(crate) fn without_port(&self) -> String {
        let mut text = format!("{}:", self.scheme);
        if let Some(authority) = self.authority {
            text.extend(["//", authority.host]);
        }
        text.push_str(self.path);
        if let Some(query) = self.query {
            text.extend(["?", query]);
        }
        text
    }
}

/// Splits a redirect, or says what is not permitted in any.
pub(crate) fn split(raw: &str) -> Result<Parts<'_>, RedirectDenied> {
    if raw.len() > MAX_REDIRECT {
        return Err(RedirectDenied::TooLong);
    }
    check_characters(raw)?;
    if raw.contains('#') {
        return Err(RedirectDenied::Fragment);
    }
    let (scheme, rest) = raw.split_once(':').ok_or(RedirectDenied::Shape)?;
    if !is_scheme(scheme) {
        return Err(RedirectDenied::Shape);
    }
    let (hierarchy, query) = match rest.split_once('?') {
        Some((hierarchy, query)) => (hierarchy, Some(query)),
        None => (rest, None),
    };
    let (authority, path) = match hierarchy.strip_prefix("//") {
        Some(after) => {
            let end = after.find('/').unwrap_or(after.len());
            let (authority, path) = after.split_at_checked(end).ok_or(RedirectDenied::Shape)?;
            (Some(split_authority(authority)?), path)
        }
        None if hierarchy.starts_with('/') => (None, hierarchy),
        None => return Err(RedirectDenied::Shape),
    };
    check_path(path)?;
    check_query(query.unwrap_or_default())?;
    Ok(Parts { scheme, authority, path, query })
}

/// Only what RFC 3986 permits in a URI, and no control character in disguise.
fn check_characters(raw: &str) -> Result<(), RedirectDenied> {
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits =
                [bytes.next(), bytes.next()].map(|digit| digit.and_then(|d| char::from(d).to_digit(16)));
            let [Some(high), Some(low)] = digits else { return Err(RedirectDenied::Character) };
            if matches!(high * 16 + low, 0..0x20 | 0x7f) {
                return Err(RedirectDenied::EncodedControl);
            }
        } else if !is_uri_byte(byte) {
            return Err(RedirectDenied::Character);
        }
    }
    Ok(())
}

/// Unreserved and reserved characters (RFC 3986 sections 2.2 and 2.3).
fn is_uri_byte(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~')
        || matches!(byte, b':' | b'/' | b'?' | b'#' | b'[' | b']' | b'@')
        || matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
}

fn split_authority(authority: &str) -> Result<Authority<'_>, RedirectDenied> {
    if authority.contains('@') {
        return Err(RedirectDenied::Userinfo);
    }
    let (host, port) = match authority.strip_prefix("[::1]") {
        Some("") => ("[::1]", None),
        Some(rest) => ("[::1]", Some(rest.strip_prefix(':').ok_or(RedirectDenied::Host)?)),
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host != "[::1]" && !is_host_text(host) {
        return Err(RedirectDenied::Host);
    }
    if !port.is_none_or(is_port) {
        return Err(RedirectDenied::Port);
    }
    Ok(Authority { host, port })
}

/// Dot-separated labels of letters, digits and hyphens, none of them empty, so no dot at either end.
pub(crate) fn is_host_text(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    host.len() <= 253 && host.split('.').all(is_label)
}

/// Whether WHATWG would try to read `host` as an IPv4 address: its last label is a number, decimal or hexadecimal.
pub(crate) fn ends_in_number(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    match last.strip_prefix("0x").or_else(|| last.strip_prefix("0X")) {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// 1 to 65535 in the only way to write it.
fn is_port(port: &str) -> bool {
    !port.starts_with('0') && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

/// No segment that is `.` or `..`, whichever way it is written and whichever slash bounds it.
fn check_path(path: &str) -> Result<(), RedirectDenied> {
    let plain = decoded(path);
    if plain.split(['/', '\\']).any(|segment| matches!(segment, "." | "..")) {
        return Err(RedirectDenied::DotSegment);
    }
    Ok(())
}

/// No parameter that the authorization response brings (RFC 6749 section 4.1.2, RFC 9207 section 2).
fn check_query(query: &str) -> Result<(), RedirectDenied> {
    const RESPONSE: [&str; 6] = ["code", "state", "iss", "error", "error_description", "error_uri"];
    let is_response = |parameter: &str| {
        let name = decoded(parameter.split('=').next().unwrap_or_default());
        RESPONSE.iter().any(|reserved| reserved.eq_ignore_ascii_case(&name))
    };
    // Some servers also separate parameters by semicolons.
    if query.split(['&', ';']).any(is_response) {
        return Err(RedirectDenied::ResponseParameter);
    }
    Ok(())
}

/// Percent-decoded, with what is not UTF-8 replaced: it is only compared with ASCII.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            plain.push(byte);
            continue;
        }
        // The characters were checked: two digits follow.
        let digits = [bytes.next(), bytes.next()].map(|digit| digit.and_then(|d| char::from(d).to_digit(16)));
        let [high, low] = digits.map(Option::unwrap_or_default);
        plain.push(u8::try_from(high * 16 + low).unwrap_or_default());
    }
    Cow::Owned(String::from_utf8_lossy(&plain).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_become_addresses_are_recognised() {
        for host in
            ["2130706433", "127.1", "0177.0.0.1", "127.000.000.001", "0x7f.1", "0X7F000001", "a.1", "a.0x"]
        {
            assert!(ends_in_number(host), "{host}");
        }
        for host in ["", "claude.ai", "1.example", "1a", "0xg", "adb-1.4.azuredatabricks.net"] {
            assert!(!ends_in_number(host), "{host}");
        }
    }

    #[test]
    fn parts_stand_as_they_stood() {
        let parts = split("HTTP://LocalHost:80/a?b=%41").unwrap();
        assert_eq!((parts.scheme, parts.path, parts.query), ("HTTP", "/a", Some("b=%41")));
        assert_eq!(parts.authority, Some(Authority { host: "LocalHost", port: Some("80") }));
        assert_eq!(parts.without_port(), "HTTP://LocalHost/a?b=%41");
        assert_eq!(split("com.example.app:/cb").unwrap().authority, None);
    }
}
