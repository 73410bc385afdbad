//! How a public connection is read.

use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;

/// The longest head of a request, in bytes.
const MAX_HEAD: usize = 64 * 1024;
/// The most that is read ahead of what has been handled, in bytes.
const MAX_BUFFER: usize = 128 * 1024;
/// How long a client may take for the head of a request, and how long a connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// The settings of every public HTTP/1 connection (SEC-46, 55).
///
/// At most 100 header lines, hyper's own limit: setting one, even the same, would move its buffer to the heap.
#[must_use]
pub fn public_connection() -> http1::Builder {
    let mut settings = http1::Builder::new();
    settings
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_header_size(MAX_HEAD)
        .max_buf_size(MAX_BUFFER)
        .half_close(false);
    settings
}
