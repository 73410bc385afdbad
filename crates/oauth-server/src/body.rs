//! Reading request bodies: one media type, a bounded size.

use axum::body::{Body, to_bytes};
use http::{HeaderMap, header};

use crate::params::{Params, ParamsError};

/// The largest form this server reads.
const MAX_FORM: usize = 16 * 1024;

const FORM: &str = "application/x-www-form-urlencoded";

/// Why a body was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum BodyError {
    /// 415.
    #[error("the content type must be {expected}")]
    MediaType {
        /// What is accepted.
        expected: &'static str,
    },
    /// 413, or the client went away.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The greatest accepted size.
        limit: usize,
    },
    /// 400.
    #[error(transparent)]
    Params(#[from] ParamsError),
}

/// Reads a form.
pub(crate) async fn read_form(headers: &HeaderMap, body: Body) -> Result<Params, BodyError> {
    let bytes = read(headers, body, FORM, MAX_FORM).await?;
    let text = std::str::from_utf8(&bytes).map_err(|_| ParamsError::Encoding)?;
    Ok(Params::parse(text)?)
}

/// Reads a body of exactly this media type, parameters such as `charset` aside.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    expected: &'static str,
    limit: usize,
) -> Result<Vec<u8>, BodyError> {
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(expected) {
        return Err(BodyError::MediaType { expected });
    }
    to_bytes(body, limit).await.map(Vec::from).map_err(|_| BodyError::TooLarge { limit })
}
