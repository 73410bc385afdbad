//! The second and third reading of a redirect.

use fluent_uri::{Uri, pct_enc::EStr};
use url::Url;

use crate::grammar::Parts;

/// Whether the WHATWG parser and one for RFC 3986 read in `raw` what the grammar read (SEC-3).
pub(crate) fn both_agree(raw: &str, parts: &Parts<'_>) -> bool {
    whatwg_agrees(raw, parts) && rfc3986_agrees(raw, parts)
}

fn whatwg_agrees(raw: &str, parts: &Parts<'_>) -> bool {
    let Ok(url) = Url::parse(raw) else { return false };
    // The parser drops the default port and gives an http or https URL without a path the path `/`.
    let port = parts.authority.and_then(|authority| authority.port);
    let default_port = if url.scheme() == "https" { Some("443") } else { Some("80") };
    let same_port = match (url.port(), port) {
        (Some(read), Some(port)) => port.parse() == Ok(read),
        (None, Some(_)) => url.is_special() && port == default_port,
        (read, None) => read.is_none(),
    };
    let path = if parts.path.is_empty() && url.is_special() { "/" } else { parts.path };
    url.scheme().eq_ignore_ascii_case(parts.scheme)
        && same_host(url.host_str(), parts)
        && same_port
        && url.path() == path
        && url.query() == parts.query
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
}

fn rfc3986_agrees(raw: &str, parts: &Parts<'_>) -> bool {
    let Ok(uri) = Uri::parse(raw) else { return false };
    let authority = uri.authority();
    let port = authority.and_then(|authority| authority.port());
    uri.scheme().as_str().eq_ignore_ascii_case(parts.scheme)
        && same_host(authority.map(|authority| authority.host()), parts)
        && port.map(EStr::as_str) == parts.authority.and_then(|authority| authority.port)
        && !authority.is_some_and(|authority| authority.has_userinfo())
        && uri.path().as_str() == parts.path
        && uri.query().map(EStr::as_str) == parts.query
        && !uri.has_fragment()
}

fn same_host(read: Option<&str>, parts: &Parts<'_>) -> bool {
    match (read, parts.authority) {
        (Some(read), Some(authority)) => read.eq_ignore_ascii_case(authority.host),
        (None, None) => true,
        _ => false,
    }
}
