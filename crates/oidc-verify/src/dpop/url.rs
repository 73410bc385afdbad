//! `htu`: an http(s) URL without query and fragment, in the one form that RFC 3986 §6.2.2 and §6.2.3 lead to.

use std::fmt;
use std::net::Ipv6Addr;

/// The longest URL that is looked at, in bytes.
const MAX_URL_BYTES: usize = 2048;

/// Where a request went, normalised so that equal places are equal texts.
///
/// Query and fragment are left out (RFC 9449 §4.3). The grammar is RFC 3986's and nothing more: what browsers repair,
/// such as backslashes, spaces and `127.1`, is refused or another place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DpopUrl(String);

/// The text is not an http or https URL of RFC 3986.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an absolute http or https URL without user, of the characters that RFC 3986 permits")]
pub struct DpopUrlError;

impl DpopUrl {
    /// Reads and normalises a URL.
    ///
    /// # Errors
    /// [`DpopUrlError`] when it is none that a request could have gone to.
    pub fn parse(text: &str) -> Result<Self, DpopUrlError> {
        normalise(text).map(Self).ok_or(DpopUrlError)
    }

    /// The normalised form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DpopUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn normalise(text: &str) -> Option<String> {
    if text.len() > MAX_URL_BYTES || !text.bytes().all(is_of_a_url) {
        return None;
    }
    let text = text.split_once('#').map_or(text, |(before, _)| before);
    let text = text.split_once('?').map_or(text, |(before, _)| before);
    let (scheme, rest) = text.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let path_at = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(path_at)?;
    let authority = normalise_authority(authority, default_port)?;
    let path = remove_dot_segments(&normalise_percent(path)?);
    Some(format!("{scheme}://{authority}{path}"))
}

/// RFC 3986 §2.2 and §2.3, and the percent sign.
fn is_of_a_url(byte: u8) -> bool {
    is_unreserved(byte) || b":/?#[]@!$&'()*+,;=%".contains(&byte)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// The host in lower case, the port unless it is the scheme's own.
fn normalise_authority(authority: &str, default_port: u16) -> Option<String> {
    let (host, port) = if authority.starts_with('[') {
        let (host, after) = authority.strip_prefix('[')?.split_once(']')?;
        let address: Ipv6Addr = host.parse().ok()?;
        let port = if after.is_empty() { "" } else { after.strip_prefix(':')? };
        (format!("[{address}]"), port)
    } else {
        let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
        let fits = |byte: u8| is_unreserved(byte) || b"!$&'()*+,;=".contains(&byte);
        if host.is_empty() || !host.bytes().all(fits) {
            return None;
        }
        (host.to_ascii_lowercase(), port)
    };
    // §6.2.3: an empty port is the default one.
    if port.is_empty() {
        return Some(host);
    }
    let number: u16 = port.parse().ok()?;
    // Zeros and signs in front have no meaning, and nobody writes them by accident.
    if number.to_string() != port {
        return None;
    }
    Some(if number == default_port { host } else { format!("{host}:{number}") })
}

/// §6.2.2.1 and §6.2.2.2: what needs no escape has none, what is escaped is so in upper case.
fn normalise_percent(path: &str) -> Option<String> {
    let mut pieces = path.split('%');
    let mut normal = pieces.next()?.to_owned();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        // `from_str_radix` would take a sign.
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let byte = u8::from_str_radix(digits, 16).ok()?;
        if is_unreserved(byte) {
            normal.push(char::from(byte));
        } else {
            normal.push('%');
            normal.push_str(&digits.to_ascii_uppercase());
        }
        normal.push_str(rest);
    }
    if normal.bytes().any(|byte| byte == b'[' || byte == b']') { None } else { Some(normal) }
}

/// §5.2.4, for a path that is empty or starts with a slash; an empty one is `/` (§6.2.3).
fn remove_dot_segments(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            segment => {
                kept.push(segment);
                continue;
            }
        }
        if is_last {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::{DpopUrl, DpopUrlError, MAX_URL_BYTES};
    use proptest::prelude::*;

    #[test]
    fn equal_places_are_equal_texts() {
        let cases = [
            ("https://h", "https://h/"),
            ("https://h/", "https://h/"),
            ("https://h?q", "https://h/"),
            ("https://h/a?q=/../b#f?", "https://h/a"),
            ("https://h/a#f", "https://h/a"),
            ("HTTPS://Connect.Example.COM/MCP", "https://connect.example.com/MCP"),
            ("https://h:443/a", "https://h/a"),
            ("https://h:/a", "https://h/a"),
            ("http://h:80/a", "http://h/a"),
            ("http://h:443/a", "http://h:443/a"),
            ("https://h:80/a", "https://h:80/a"),
            ("https://h:8443/a", "https://h:8443/a"),
            ("https://[::1]:443/a", "https://[::1]/a"),
            ("https://[0:0:0:0:0:0:0:1]:8443/a", "https://[::1]:8443/a"),
            ("https://h/%7euser/%41%2d", "https://h/~user/A-"),
            ("https://h/%2f%c3%a9", "https://h/%2F%C3%A9"),
            ("https://h/a/./b/../c", "https://h/a/c"),
            ("https://h/a/%2e%2E/c", "https://h/c"),
            ("https://h/../../c", "https://h/c"),
            ("https://h/a/..", "https://h/"),
            ("https://h/a/b/..", "https://h/a/"),
            ("https://h/a/.", "https://h/a/"),
            ("https://h//a//", "https://h//a//"),
            ("https://h/a:b@c;d", "https://h/a:b@c;d"),
        ];
        for (text, expected) in cases {
            assert_eq!(DpopUrl::parse(text).map(|url| url.to_string()), Ok(expected.to_owned()), "{text}");
            assert_eq!(DpopUrl::parse(expected).unwrap().as_str(), expected, "once is enough");
        }
    }

    /// SEC-31: an `htu` that is no RFC 3986 URL, or that only some readers take for ours -> not valid
    #[test]
    fn what_only_some_readers_take_for_a_url_is_none() {
        let long = format!("https://h/{}", "a".repeat(MAX_URL_BYTES));
        let cases = [
            "",
            "/token",
            "//h/token",
            "h/token",
            "https:h/token",
            "https:/h/token",
            "https://",
            "https:///token",
            "ftp://h/",
            "https://user@h/",
            "https://user:pw@h/",
            "https://@h/",
            "https://h\\@evil/",
            "https://h\\a",
            "https://h/a b",
            " https://h/",
            "https://h/\t",
            "https://h/\u{e9}",
            "https://\u{ff48}/",
            "https://h%2e/",
            "https://h/%",
            "https://h/%4",
            "https://h/%4g",
            "https://h/%+4",
            "https://h:x/",
            "https://h:+1/",
            "https://h:0443/",
            "https://h:65536/",
            "https://h:1:2/",
            "https://[::1/",
            "https://[::1]x/",
            "https://::1/",
            "https://[v1.a]/",
            "https://[::1%25lo]/",
            "https://h/[a]",
            "https://h/<a>",
            "https://h/\"",
            "https://h/{a}",
            long.as_str(),
        ];
        for text in cases {
            assert_eq!(DpopUrl::parse(text), Err(DpopUrlError), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn normalising_twice_is_normalising_once(text in "https?://[a-zA-Z.]{1,8}(:[0-9]{0,5})?(/([a-zA-Z.~%:@2eE/]|%2[eEfF]|\\.\\.)*)?([?#].*)?") {
            if let Ok(url) = DpopUrl::parse(&text) {
                prop_assert_eq!(DpopUrl::parse(url.as_str()), Ok(url.clone()));
                let path = url.as_str().splitn(4, '/').nth(3).unwrap().to_owned();
                prop_assert!(path.split('/').all(|segment| segment != "." && segment != ".."), "{}", path);
            }
        }

        #[test]
        fn a_url_that_the_url_crate_reads_differently_only_differs_in_spelling(
            path in "(/([a-z0-9-]|%[0-9a-f]{2}){0,6}){0,4}", port in proptest::option::of(1_u16..),
        ) {
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            let text = format!("https://Host.Example{port}{path}");
            let ours = DpopUrl::parse(&text).unwrap();
            let theirs = url::Url::parse(ours.as_str()).unwrap();
            prop_assert_eq!(theirs.as_str(), ours.as_str(), "the normal form is one for both");
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            if let Ok(url) = DpopUrl::parse(&text) {
                prop_assert!(url.as_str().is_ascii());
            }
        }
    }
}
