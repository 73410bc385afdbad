//! How a public connection is read and written.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::{
    rt::{Read, ReadBufCursor, Write},
    server::conn::http1,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::deadline::Deadline;

/// The longest head of a request, in bytes.
const MAX_HEAD: usize = 64 * 1024;
/// The most that is read ahead of what has been handled, in bytes.
const MAX_BUFFER: usize = 128 * 1024;
/// How long a client may take for the head of a request, and how long a connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may take nothing of what is sent to it.
const WRITE_TIMEOUT: Duration = Duration::from_mins(1);

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

/// A public connection's stream. It fails when the client takes nothing for a minute of what is sent to it: the service
/// behind an answer is asked for more only when there is room, so nothing else would end that wait.
pub struct PublicStream<S> {
    stream: TokioIo<S>,
    deadline: Deadline,
    limit: Duration,
}

impl<S> PublicStream<S> {
    /// Wraps an accepted stream. Within a tokio runtime.
    pub fn new(stream: S) -> Self {
        Self { stream: TokioIo::new(stream), deadline: Deadline::after(WRITE_TIMEOUT), limit: WRITE_TIMEOUT }
    }

    fn watch(&mut self, written: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if written.is_pending() {
            ready!(self.deadline.poll_passed(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        self.deadline.restart(self.limit);
        written
    }
}

impl<S: AsyncRead + Unpin> Read for PublicStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> Write for PublicStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.watch(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S> fmt::Debug for PublicStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicStream").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (ours, mut theirs) = tokio::io::duplex(4);
        let mut stream = PublicStream { limit: Duration::from_millis(50), ..PublicStream::new(ours) };
        for _ in 0..3 {
            let pieces = [io::IoSlice::new(b"abcd")];
            let write = poll_fn(|cx| Pin::new(&mut stream).poll_write_vectored(cx, &pieces));
            assert_eq!(write.await.unwrap(), 4);
            theirs.read_exact(&mut [0; 4]).await.unwrap();
        }
        let write = poll_fn(|cx| Pin::new(&mut stream).poll_write(cx, b"abcd"));
        assert_eq!(write.await.unwrap(), 4);
        let stuck = poll_fn(|cx| Pin::new(&mut stream).poll_write(cx, b"e")).await;
        assert_eq!(stuck.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
