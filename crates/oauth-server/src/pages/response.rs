//! A rendered page as an HTTP answer with its security headers.

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::brand::Brand;

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

/// No script, no frame, no base: the one stylesheet by its hash, and of images the operator's logo.
///
/// A page whose form leads to a client has no `form-action`: Chromium applies that directive to every redirect which follows the
/// submission, and these run over the identity provider, whatever it redirects to, and at last the client's
/// redirect, which may be a custom scheme. No list names them all. What remains of the directive's purpose is
/// covered: markup cannot be injected into an escaped page, and the answer goes only to checked redirects.
fn policy(brand: &Brand, forms: Forms) -> String {
    let image = if brand.logo().is_some() { "; img-src 'self'" } else { "" };
    let forms = match forms {
        Forms::Redirecting => "",
        Forms::Own => "; form-action 'self'",
        Forms::None => "; form-action 'none'",
    };
    let style = brand.style_hash();
    format!(
        "default-src 'none'; style-src 'sha256-{style}'{image}; base-uri 'none'; frame-ancestors 'none'{forms}"
    )
}

/// The page, or a bare 500 if it does not render.
pub(super) fn answer(brand: &Brand, status: StatusCode, page: &impl Template, forms: Forms) -> Response {
    let mut response = match page.render() {
        Ok(body) => (status, body).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page did not render");
            (StatusCode::INTERNAL_SERVER_ERROR, "Internal error").into_response()
        }
    };
    protect(response.headers_mut(), policy(brand, forms));
    response
}

fn protect(headers: &mut HeaderMap, policy: String) {
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
