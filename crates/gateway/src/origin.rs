//! Which pages may call: the `Origin` check and the CORS answers.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ORIGIN, VARY,
    },
};

/// The headers of an answer that a page may read.
const EXPOSED: HeaderValue =
    HeaderValue::from_static("dpop-nonce, mcp-session-id, www-authenticate, x-request-id");
const METHODS: HeaderValue = HeaderValue::from_static("POST, GET, DELETE");
const METADATA_METHODS: HeaderValue = HeaderValue::from_static("GET");
const MAX_AGE: HeaderValue = HeaderValue::from_static("3600");
const VARIES: HeaderValue = HeaderValue::from_static("origin, access-control-request-headers");
const ANY: HeaderValue = HeaderValue::from_static("*");

/// The origins that may call the services.
#[derive(Clone, Debug)]
pub(crate) struct Origins(Vec<String>);

/// The request comes from a page of another origin, or claims several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ForeignOrigin;

impl Origins {
    pub(crate) fn new(public_url: &str, allowed: &[String]) -> Self {
        Self(std::iter::once(public_url.to_owned()).chain(allowed.iter().cloned()).collect())
    }

    /// The origin, if one is given. No client outside a browser gives one.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<Option<HeaderValue>, ForeignOrigin> {
        let Some(origin) = headers.get(ORIGIN) else { return Ok(None) };
        let known = self.0.iter().any(|known| origin.as_bytes() == known.as_bytes());
        if known && headers.get_all(ORIGIN).iter().nth(1).is_none() {
            return Ok(Some(origin.clone()));
        }
        Err(ForeignOrigin)
    }
}

/// Lets the page of an allowed origin read the answer.
pub(crate) fn allow_reading(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    headers.append(VARY, HeaderValue::from_static("origin"));
}

/// Answers a preflight of an allowed origin.
pub(crate) fn allow_calling(headers: &mut HeaderMap, origin: HeaderValue, request: &HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    preflight(headers, METHODS, request);
}

/// Lets any page read a discovery document.
pub(crate) fn allow_metadata(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
}

/// Answers a preflight for a discovery document.
pub(crate) fn allow_metadata_call(headers: &mut HeaderMap, request: &HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    preflight(headers, METADATA_METHODS, request);
}

fn preflight(headers: &mut HeaderMap, methods: HeaderValue, request: &HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    // The names are only echoed: whatever arrives under them later is checked like every other request.
    if let Some(names) = request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    headers.insert(VARY, VARIES);
}

/// The members of an upstream's answer that speak about origins; the gateway decides those.
pub(crate) fn is_cors(name: &HeaderName) -> bool {
    name.as_str().starts_with("access-control-")
}
