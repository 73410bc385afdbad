//! The operator's logo.

use std::{fmt, sync::Arc};

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::brand::BrandError;
use crate::server::Server;

/// The largest logo: pages must stay fast.
const MAX_BYTES: usize = 64 * 1024;

/// A picture that browsers show and never run: no SVG.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Logo {
    bytes: Arc<[u8]>,
    media_type: &'static str,
}

impl Logo {
    /// A PNG, JPEG or WebP, by its first bytes.
    pub(super) fn new(bytes: &[u8]) -> Result<Self, BrandError> {
        let media_type = match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => "image/png",
            [0xff, 0xd8, 0xff, ..] => "image/jpeg",
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
            _ => return Err(BrandError::Logo),
        };
        if bytes.len() > MAX_BYTES {
            return Err(BrandError::LogoTooLarge { found: bytes.len(), max: MAX_BYTES });
        }
        Ok(Self { bytes: bytes.into(), media_type })
    }
}

impl fmt::Debug for Logo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logo")
            .field("bytes", &self.bytes.len())
            .field("media_type", &self.media_type)
            .finish()
    }
}

/// `GET /brand/logo`
pub(crate) async fn logo(State(server): State<Arc<Server>>) -> Response {
    let Some(Logo { bytes, media_type }) = server.config.brand.logo() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox")),
        (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    ];
    (headers, bytes.to_vec()).into_response()
}
