//! One connection to a service.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response, StatusCode};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, Connection, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::Instant};

use super::{Unanswered, UpstreamError, deadline::Deadline};
use crate::{
    Timeouts,
    body::{BodyFault, RequestBody, Watch},
};

/// The longest head of an answer, in bytes.
const MAX_HEAD: usize = 64 * 1024;

/// A connection together with what drives it.
pub(super) struct Link {
    sender: SendRequest<RequestBody>,
    connection: Connection<TokioIo<TcpStream>, RequestBody>,
    is_over: bool,
    deadline: Deadline,
    idle_since: Instant,
}

impl Link {
    pub(super) async fn open(stream: TcpStream) -> Result<Box<Self>, UpstreamError> {
        let (sender, connection) = http1::Builder::new()
            .max_header_size(MAX_HEAD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(UpstreamError::Broken)?;
        Ok(Box::new(Self {
            sender,
            connection,
            is_over: false,
            deadline: Deadline::after(Duration::from_mins(1)),
            idle_since: Instant::now(),
        }))
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn exchange(
        &mut self,
        request: Request<RequestBody>,
        watch: Option<&Watch>,
        timeouts: Timeouts,
    ) -> Result<Response<Incoming>, Unanswered> {
        let mut answer = pin!(self.sender.try_send_request(request));
        let mut pieces = 0;
        let is_sent = || watch.is_none_or(Watch::is_finished);
        let mut was_sent = is_sent();
        self.deadline.reset(if was_sent { timeouts.response } else { timeouts.idle });
        let answered = poll_fn(|cx| {
            self.drive(cx);
            if let Poll::Ready(answered) = answer.as_mut().poll(cx) {
                return Poll::Ready(Some(answered));
            }
            if let Some(watch) = watch.filter(|_| !was_sent) {
                was_sent = is_sent();
                if was_sent || watch.pieces() != pieces {
                    pieces = watch.pieces();
                    self.deadline.reset(if was_sent { timeouts.response } else { timeouts.idle });
                }
            }
            self.deadline.poll_passed(cx).map(|()| None)
        })
        .await;
        let error = match answered {
            Some(Ok(response)) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                UpstreamError::Switched
            }
            Some(Ok(response)) => return Ok(response),
            Some(Err(mut failed)) => {
                let unsent = failed.take_message();
                let error = match watch.and_then(Watch::fault) {
                    Some(fault) => UpstreamError::Body(fault),
                    None => UpstreamError::Broken(failed.into_error()),
                };
                return Err(Unanswered { error, unsent });
            }
            None if was_sent => UpstreamError::ResponseTimeout,
            None => UpstreamError::Body(BodyFault::Stalled),
        };
        Err(Unanswered { error, unsent: None })
    }

    /// Lets the connection do what it can do now.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        if !self.is_over {
            // How it ended is told by the exchange.
            self.is_over = Pin::new(&mut self.connection).poll(cx).is_ready();
        }
    }

    /// Whether the connection is open and nothing is left of an earlier exchange.
    pub(super) fn is_ready(&mut self, cx: &mut Context<'_>) -> bool {
        self.drive(cx);
        !self.is_over && self.sender.is_ready()
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
