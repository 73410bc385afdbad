//! The header boundary: what passes from client to service and back.

use decision::is_decision_header;
use http::{
    HeaderMap, HeaderName, HeaderValue, Version,
    header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
};

use crate::origin::is_cors;

/// The request claims several hosts, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AmbiguousHost;

/// RFC 9112 §3.2: a request with several `Host` lines, or without any in HTTP/1.1, is refused.
pub(crate) fn check_host(headers: &HeaderMap, version: Version) -> Result<(), AmbiguousHost> {
    match headers.get_all(HOST).iter().count() {
        1 => Ok(()),
        0 if version != Version::HTTP_11 => Ok(()),
        _ => Err(AmbiguousHost),
    }
}

/// Leaves what a service may see of a request, and names the service as its host.
pub(crate) fn clean_request(headers: &mut HeaderMap, host: &HeaderValue) {
    remove_connection_options(headers);
    remove_where(headers, |name| {
        is_hop_by_hop(name)
            || is_credential(name)
            || is_certificate(name)
            || is_decision_header(name.as_str())
            || is_forwarding(name)
            || is_look_alike(name)
    });
    headers.insert(HOST, host.clone());
}

/// Leaves what a client may see of an answer (SEC-52). Cookies and policies would be set for the origin of the sign-in
/// pages, and only this gateway challenges.
pub(crate) fn clean_response(headers: &mut HeaderMap) {
    // The coding framed the body (RFC 9112 §6.3); the length says what is not true.
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    remove_connection_options(headers);
    remove_where(headers, |name| {
        is_hop_by_hop(name)
            || is_decision_header(name.as_str())
            || is_cors(name)
            || is_for_the_origin(name)
            || matches!(name.as_str(), "www-authenticate" | "dpop-nonce")
    });
}

/// Removes what `Connection` names (RFC 9110 §7.6.1).
fn remove_connection_options(headers: &mut HeaderMap) {
    let is_ordinary = |value: &HeaderValue| {
        value.as_bytes().eq_ignore_ascii_case(b"keep-alive")
            || value.as_bytes().eq_ignore_ascii_case(b"close")
    };
    if headers.get_all(CONNECTION).iter().all(is_ordinary) {
        return;
    }
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|option| HeaderName::from_bytes(option.trim_ascii()).ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
}

fn remove_where(headers: &mut HeaderMap, is_removed: impl Fn(&HeaderName) -> bool) {
    let names: Vec<HeaderName> = headers.keys().filter(|name| is_removed(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "expect"
            | "http2-settings"
    )
}

fn is_credential(name: &HeaderName) -> bool {
    matches!(name.as_str(), "authorization" | "cookie" | "dpop")
}

/// What a load balancer says about a client's certificate, which nobody may say but one (SEC-34). `X-Forwarded-Client-Cert`
/// goes with its like.
fn is_certificate(name: &HeaderName) -> bool {
    const PREFIXES: [&str; 7] = [
        "x-amzn-mtls-",
        "client-cert",
        "x-client-cert",
        "x-ssl-",
        "ssl-client-",
        "x-tls-",
        "x-arr-clientcert",
    ];
    let name = name.as_str();
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// A name that servers which make variables of header names cannot tell from one with `-`, e.g. from
/// `transfer-encoding` or `mcp-name`; and the one that their programs take for a proxy to use.
fn is_look_alike(name: &HeaderName) -> bool {
    name.as_str().contains('_') || name.as_str() == "proxy"
}

/// What a browser applies to the whole origin.
fn is_for_the_origin(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "set-cookie"
            | "set-cookie2"
            | "clear-site-data"
            | "alt-svc"
            | "strict-transport-security"
            | "nel"
            | "report-to"
            | "reporting-endpoints"
    )
}

/// What a client says about the way that it came, or under which name it wants to be served.
fn is_forwarding(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(
        name,
        "forwarded"
            | "via"
            | "x-real-ip"
            | "x-original-url"
            | "x-rewrite-url"
            | "x-http-method-override"
            | "x-http-method"
            | "x-method-override"
    ) || name.starts_with("x-forwarded-")
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

    /// SEC-34: a client's own copies of certificate headers -> removed before the service
    #[test]
    fn a_service_sees_what_is_harmless_only() {
        let mut headers = map(&[
            ("host", "connect.example.com"),
            ("accept", "application/json"),
            ("accept", "text/event-stream"),
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-param-region", "eu"),
            ("content-length", "3"),
            ("traceparent", "00-1"),
            ("authorization", "Bearer x"),
            ("proxy-authorization", "Basic x"),
            ("cookie", "a=b"),
            ("dpop", "x"),
            ("x-amzn-mtls-clientcert", "x"),
            ("x-amzn-mtls-clientcert-subject", "CN=x"),
            ("x-forwarded-client-cert", "x"),
            ("client-cert", ":x:"),
            ("client-cert-chain", ":x:"),
            ("x-client-cert", "x"),
            ("x-client-certificate", "x"),
            ("x-ssl-client-verify", "SUCCESS"),
            ("ssl-client-cert", "x"),
            ("connection", "keep-alive, X-Drop-Me , x-decided-role,accept-language"),
            ("accept-language", "en"),
            ("x-drop-me", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("trailer", "x-decided-role"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("expect", "100-continue"),
            ("forwarded", "for=192.0.2.1"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-host", "evil.test"),
            ("x-real-ip", "192.0.2.1"),
            ("x_decided_role", "arn"),
            ("x-source_identity", "root"),
            ("transfer_encoding", "chunked"),
            ("mcp_name", "other"),
            ("proxy", "http://evil.test"),
            ("x-method-override", "DELETE"),
            ("x-http-method", "DELETE"),
            ("x-request-id", "mine"),
        ]);
        clean_request(&mut headers, &HeaderValue::from_static("service:8001"));
        let expected = map(&[
            ("host", "service:8001"),
            ("accept", "application/json"),
            ("accept", "text/event-stream"),
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-param-region", "eu"),
            ("content-length", "3"),
            ("traceparent", "00-1"),
        ]);
        assert_eq!(headers, expected);
    }

    #[test]
    fn a_client_sees_no_decision_and_no_cookie() {
        let mut headers = map(&[
            ("content-type", "application/json"),
            ("mcp-session-id", "s"),
            ("x-decided-role", "arn"),
            ("x_session_tags", "{}"),
            ("set-cookie", "a=b"),
            ("dpop-nonce", "of the service"),
            ("www-authenticate", "Bearer resource_metadata=\"https://evil.test\""),
            ("strict-transport-security", "max-age=1"),
            ("report-to", "{}"),
            ("access-control-allow-origin", "*"),
            ("connection", "close, x-internal"),
            ("x-internal", "1"),
            ("transfer-encoding", "chunked"),
        ]);
        clean_response(&mut headers);
        assert_eq!(headers, map(&[("content-type", "application/json"), ("mcp-session-id", "s")]));
    }

    type Case = (&'static [(&'static str, &'static str)], Version, bool);

    #[test]
    fn one_host_exactly() {
        let cases: &[Case] = &[
            (&[("host", "a")], Version::HTTP_11, true),
            (&[], Version::HTTP_11, false),
            (&[], Version::HTTP_10, true),
            (&[], Version::HTTP_2, true),
            (&[("host", "a"), ("host", "a")], Version::HTTP_11, false),
            (&[("host", "a"), ("host", "b")], Version::HTTP_10, false),
        ];
        for (lines, version, passes) in cases {
            assert_eq!(check_host(&map(lines), *version).is_ok(), *passes, "{lines:?} {version:?}");
        }
    }
}
