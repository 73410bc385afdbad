//! The way to a service: a pool of connections and one exchange over one of them.
//!
//! A connection belongs to the request that uses it. A client that disconnects drops it, which is how a service learns
//! of it. Each worker thread has a pool of its own, with nothing in it that another thread could hold.

mod answer;
mod link;

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub(crate) use answer::Answer;
pub use answer::AnswerError;
use http::{Request, Response};
use link::Link;
use tokio::{net::TcpStream, time::timeout};

use crate::{
    Timeouts,
    body::{BodyFault, RequestBody, Watch},
    config::Target,
};

/// How many idle connections a worker keeps for a service.
const MAX_IDLE: usize = 128;
/// How long they are kept. Services close idle connections too, usually later; then it is ours to go first.
const MAX_IDLE_TIME: Duration = Duration::from_secs(15);

/// Why a service did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamError {
    #[error("cannot connect to the service")]
    Connect(#[source] io::Error),
    #[error("connecting to the service took too long")]
    ConnectTimeout,
    #[error("the service broke the connection before it answered")]
    Broken(#[source] hyper::Error),
    #[error("the service did not answer in time")]
    ResponseTimeout,
    #[error("the service switched protocols without being asked")]
    Switched,
    #[error("the service asked for credentials, which are never forwarded to it")]
    Challenged,
    #[error("the request's body could not be forwarded")]
    Body(#[source] BodyFault),
}

/// A request that was not answered; it is given back when nothing of it was sent.
pub(crate) struct Unanswered {
    pub(crate) error: UpstreamError,
    pub(crate) unsent: Option<Box<Request<RequestBody>>>,
}

impl Unanswered {
    fn after_sending(error: UpstreamError) -> Self {
        Self { error, unsent: None }
    }
}

/// A service, as one worker reaches it.
pub(crate) struct Upstream {
    target: Target,
    timeouts: Timeouts,
    /// Never contended: it is one worker's. The oldest connection is in front.
    idle: Mutex<VecDeque<Box<Link>>>,
}

impl Upstream {
    pub(crate) fn new(target: Target, timeouts: Timeouts) -> Arc<Self> {
        Arc::new(Self { target, timeouts, idle: Mutex::default() })
    }

    /// The same service with a pool of its own.
    pub(crate) fn separate(&self) -> Arc<Self> {
        Self::new(self.target.clone(), self.timeouts)
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn send(
        self: &Arc<Self>,
        mut request: Request<RequestBody>,
        watch: Option<&Watch>,
    ) -> Result<Response<Answer>, Unanswered> {
        loop {
            let kept = self.take();
            let is_kept = kept.is_some();
            let mut link = match kept {
                Some(link) => link,
                // Rare, and large: apart from what every call carries along.
                None => match Box::pin(self.connect()).await {
                    Ok(link) => link,
                    Err(error) => return Err(Unanswered { error, unsent: Some(Box::new(request)) }),
                },
            };
            match link.exchange(request, watch, self.timeouts).await {
                Ok(response) => {
                    let (pool, idle) = (Arc::clone(self), self.timeouts.idle);
                    return Ok(response.map(|incoming| Answer::new(incoming, link, pool, idle)));
                }
                // The service closed a kept connection while nothing of this request had been sent.
                Err(Unanswered { unsent: Some(unsent), .. }) if is_kept => request = *unsent,
                Err(unanswered) => return Err(unanswered),
            }
        }
    }

    async fn connect(&self) -> Result<Box<Link>, UpstreamError> {
        let connecting = async {
            let stream = TcpStream::connect(&self.target.address).await.map_err(UpstreamError::Connect)?;
            stream.set_nodelay(true).map_err(UpstreamError::Connect)?;
            Link::open(stream).await
        };
        timeout(self.timeouts.connect, connecting).await.map_err(|_| UpstreamError::ConnectTimeout)?
    }

    /// The connection that was used last, if it is still open.
    fn take(&self) -> Option<Box<Link>> {
        let mut idle = self.idle();
        while let Some(link) = idle.pop_back() {
            if link.is_ready() && !link.is_idle_for(MAX_IDLE_TIME) {
                return Some(link);
            }
        }
        None
    }

    /// Keeps a connection whose exchange is over, if it can be used again.
    fn keep(&self, mut link: Box<Link>) {
        if !link.is_ready() {
            return;
        }
        link.rest();
        let mut idle = self.idle();
        if idle.front().is_some_and(|oldest| idle.len() >= MAX_IDLE || oldest.is_idle_for(MAX_IDLE_TIME)) {
            idle.pop_front();
        }
        idle.push_back(link);
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<Box<Link>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
