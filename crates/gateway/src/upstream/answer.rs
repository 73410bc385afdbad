//! The body of a service's answer, together with the connection that it arrives on.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
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
    pub(super) fn new(incoming: Incoming, link: Box<Link>, pool: Arc<Upstream>, idle: Duration) -> Self {
        let mut answer = Self { incoming, link: Some(link), pool, idle };
        if answer.incoming.is_end_stream() {
            // Nobody asks an empty body for its data.
            answer.finish();
        } else {
            answer.restart_deadline();
        }
        answer
    }

    fn finish(&mut self) {
        if let Some(link) = self.link.take() {
            self.pool.keep(link);
        }
    }

    fn restart_deadline(&mut self) {
        if let Some(link) = &mut self.link {
            link.deadline().restart(self.idle);
        }
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, hyper::Error>>> {
        loop {
            let Some(frame) = ready!(Pin::new(&mut self.incoming).poll_frame(cx)?) else {
                return Poll::Ready(None);
            };
            if let Ok(data) = frame.into_data() {
                return Poll::Ready(Some(Ok(data)));
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
        let Poll::Ready(data) = self.poll_data(cx) else {
            let Some(link) = &mut self.link else { return Poll::Pending };
            ready!(link.deadline().poll_passed(cx));
            self.link = None;
            return Poll::Ready(Some(Err(AnswerError::Stalled)));
        };
        match &data {
            Some(Ok(_)) if !self.incoming.is_end_stream() => self.restart_deadline(),
            Some(Ok(_)) | None => self.finish(),
            Some(Err(_)) => self.link = None,
        }
        Poll::Ready(data.map(|data| data.map(Frame::data).map_err(AnswerError::Broken)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
