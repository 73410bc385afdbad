//! The body of a service's answer, together with the connection that it arrives on.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::{Upstream, link::Link};

/// Why the rest of an answer is missing. The client sees its connection close.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The service broke off.
    #[error("the service broke off its answer")]
    Broken(#[source] hyper::Error),
    /// The service paused for too long.
    #[error("the service stopped sending its answer")]
    Stalled,
}

/// Data passes piece by piece as it arrives; trailers are dropped. After the last piece the connection returns to the
/// pool; dropped earlier, it closes.
pub(crate) struct Answer {
    incoming: Incoming,
    link: Option<Box<Link>>,
    pool: Arc<Upstream>,
    idle: Duration,
}

impl Answer {
    pub(super) fn new(incoming: Incoming, mut link: Box<Link>, pool: Arc<Upstream>, idle: Duration) -> Self {
        link.deadline().reset(idle);
        Self { incoming, link: Some(link), pool, idle }
    }

    /// An answer without a body is over with its head; nobody will ask for its data.
    pub(super) fn finish_if_empty(&mut self, cx: &mut Context<'_>) {
        if self.incoming.is_end_stream() {
            self.finish(cx);
        }
    }

    fn finish(&mut self, cx: &mut Context<'_>) {
        if let Some(link) = self.link.take() {
            self.pool.keep(link, cx);
        }
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, AnswerError>>> {
        loop {
            match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    self.link = None;
                    return Poll::Ready(Some(Err(AnswerError::Broken(error))));
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = AnswerError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        // Asking for data first tells the connection that it may read on.
        let mut polled = self.poll_data(cx);
        if polled.is_pending()
            && let Some(link) = &mut self.link
        {
            link.drive(cx);
            polled = self.poll_data(cx);
        }
        match &polled {
            Poll::Ready(Some(Ok(_))) if self.incoming.is_end_stream() => self.finish(cx),
            Poll::Ready(Some(Ok(_))) => {
                let idle = self.idle;
                if let Some(link) = &mut self.link {
                    link.deadline().reset(idle);
                }
            }
            Poll::Ready(None) => self.finish(cx),
            Poll::Ready(Some(Err(_))) => {}
            Poll::Pending => {
                if self.link.as_mut().is_some_and(|link| link.deadline().poll_passed(cx).is_ready()) {
                    self.link = None;
                    return Poll::Ready(Some(Err(AnswerError::Stalled)));
                }
            }
        }
        polled.map(|data| data.map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
