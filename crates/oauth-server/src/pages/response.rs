//! A rendered page as an HTTP answer with its security headers.

use std::sync::LazyLock;

use askama::Template;
use aws_lc_rs::digest::{SHA256, digest};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::STYLE;

/// Whether a page has a form.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Forms {
    /// Its form is answered by a chain of redirects that ends at the client.
    Redirecting,
    /// Its forms are answered by pages of this server.
    Own,
    /// It has none.
    None,
}

/// No script, no image, no frame, no base: the one stylesheet by its hash.
///
/// A page whose form leads to a client has no `form-action`: Chromium applies that directive to every redirect which follows the
/// submission, and these run over the identity provider, whatever it redirects to, and at last the client's
/// redirect, which may be a custom scheme. No list names them all. What remains of the directive's purpose is
/// covered: markup cannot be injected into an escaped page, and the answer goes only to checked redirects.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; frame-ancestors 'none'")
});

/// The page, or a bare 500 if it does not render.
pub(super) fn answer(status: StatusCode, page: &impl Template, forms: Forms) -> Response {
    let mut response = match page.render() {
        Ok(body) => (status, body).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page did not render");
            (StatusCode::INTERNAL_SERVER_ERROR, "Internal error").into_response()
        }
    };
    protect(response.headers_mut(), forms);
    response
}

fn protect(headers: &mut HeaderMap, forms: Forms) {
    let policy = match forms {
        Forms::Redirecting => POLICY.clone(),
        Forms::Own => format!("{}; form-action 'self'", *POLICY),
        Forms::None => format!("{}; form-action 'none'", *POLICY),
    };
    // The policy is base64 and constants: always a header value. Without it a page would not be shown unguarded.
    let policy =
        HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'; sandbox"));
    headers.insert(CONTENT_SECURITY_POLICY, policy);
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        // Web clients open these pages in a window of their own and wait in it for their own redirect to tell
        // them the result; any stricter value cuts that window off from them.
        (HeaderName::from_static("cross-origin-opener-policy"), "unsafe-none"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
