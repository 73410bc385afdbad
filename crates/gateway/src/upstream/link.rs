//! One connection to a service.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use http::{Request, Response, StatusCode};
use hyper::{
    body::Incoming,
    client::conn::{
        TrySendError,
        http1::{self, SendRequest},
    },
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, task::AbortHandle, time::Instant};

use super::{Unanswered, UpstreamError};
use crate::{
    Timeouts,
    body::{BodyFault, RequestBody, Watch},
    deadline::Deadline,
};

/// The longest head of an answer, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// A connection. It belongs to the one request that uses it, and closes when it is dropped.
pub(super) struct Link {
    sender: SendRequest<RequestBody>,
    driver: AbortHandle,
    deadline: Deadline,
    idle_since: Instant,
}

/// What hyper says about a request that it was given.
type Sent = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>;

impl Link {
    pub(super) async fn open(stream: TcpStream) -> Result<Box<Self>, UpstreamError> {
        let (sender, connection) = http1::Builder::new()
            .max_header_size(MAX_HEAD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(UpstreamError::Broken)?;
        // How the connection ends is told by the exchange on it.
        let driver = tokio::spawn(connection).abort_handle();
        let deadline = Deadline::after(Duration::from_mins(1));
        Ok(Box::new(Self { sender, driver, deadline, idle_since: Instant::now() }))
    }

    /// Sends a request at once; the future waits for the head of its answer.
    pub(super) fn exchange(
        &mut self,
        request: Request<RequestBody>,
        watch: Option<&Watch>,
        timeouts: Timeouts,
    ) -> impl Future<Output = Result<Response<Incoming>, Unanswered>> {
        let answer = self.sender.try_send_request(request);
        self.wait_for(answer, watch, timeouts)
    }

    async fn wait_for(
        &mut self,
        answer: impl Future<Output = Sent>,
        watch: Option<&Watch>,
        timeouts: Timeouts,
    ) -> Result<Response<Incoming>, Unanswered> {
        let mut answer = pin!(answer);
        let is_sent = || watch.is_none_or(Watch::is_finished);
        let mut was_sent = is_sent();
        let mut pieces = 0;
        self.deadline.restart(if was_sent { timeouts.response } else { timeouts.idle });
        let answered = poll_fn(|cx| {
            if let Poll::Ready(answered) = answer.as_mut().poll(cx) {
                return Poll::Ready(Some(answered));
            }
            if let Some(watch) = watch.filter(|_| !was_sent) {
                was_sent = is_sent();
                if was_sent || watch.pieces() != pieces {
                    pieces = watch.pieces();
                    self.deadline.restart(if was_sent { timeouts.response } else { timeouts.idle });
                }
            }
            self.deadline.poll_passed(cx).map(|()| None)
        })
        .await;
        match answered {
            Some(Ok(response)) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                Err(Unanswered::after_sending(UpstreamError::Switched))
            }
            // Passed on, it would send the client after another token, again and again.
            Some(Ok(response)) if is_challenge(response.status()) => {
                Err(Unanswered::after_sending(UpstreamError::Challenged))
            }
            Some(Ok(response)) => Ok(response),
            Some(Err(failed)) => Err(unanswered(failed, watch)),
            None if was_sent => Err(Unanswered::after_sending(UpstreamError::ResponseTimeout)),
            None => Err(Unanswered::after_sending(UpstreamError::Body(BodyFault::Stalled))),
        }
    }

    /// Whether the connection is open and nothing is left of an earlier exchange.
    pub(super) fn is_ready(&self) -> bool {
        !self.sender.is_closed() && self.sender.is_ready()
    }

    pub(super) fn rest(&mut self) {
        self.idle_since = Instant::now();
    }

    pub(super) fn is_idle_for(&self, time: Duration) -> bool {
        self.idle_since.elapsed() > time
    }

    pub(super) fn deadline(&mut self) -> &mut Deadline {
        &mut self.deadline
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn is_challenge(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED)
}

fn unanswered(mut failed: TrySendError<Request<RequestBody>>, watch: Option<&Watch>) -> Unanswered {
    let unsent = failed.take_message().map(Box::new);
    let error = match watch.and_then(Watch::fault) {
        Some(fault) => UpstreamError::Body(fault),
        None => UpstreamError::Broken(failed.into_error()),
    };
    Unanswered { error, unsent }
}
