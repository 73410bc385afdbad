//! How many requests are worked on at once, in all and for one caller: an answer may take megabytes while S3 is slow,
//! and memory must not depend on how many ask (SEC-55).

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::StatusCode;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use mcp_core::CallContext;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests at once: times what the largest answer takes, this is the memory they may take together.
const IN_ALL: usize = 128;
/// Requests at once of one caller, who thereby cannot take every place.
const OF_ONE: usize = 16;
/// As many callers are remembered before those without a request are forgotten.
const REMEMBERED: usize = 1024;

/// The places. Who finds none waits, with nothing read but the head, until the request's deadline.
pub(crate) struct Places {
    all: Arc<Semaphore>,
    of_one: usize,
    callers: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// A place, free again when this is dropped.
struct Place {
    _of_one: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Default for Places {
    fn default() -> Self {
        Self::new(IN_ALL, OF_ONE)
    }
}

impl Places {
    fn new(in_all: usize, of_one: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(in_all)), of_one, callers: Mutex::default() }
    }

    /// Waits for the caller's turn, then for everybody's. `None` cannot happen: nobody closes the semaphores.
    async fn take(&self, caller: &str) -> Option<Place> {
        let of_one = self.of(caller).acquire_owned().await.ok()?;
        let of_all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Place { _of_one: of_one, _of_all: of_all })
    }

    fn of(&self, caller: &str) -> Arc<Semaphore> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= REMEMBERED {
            // Whoever has a place or waits for one holds the semaphore too.
            callers.retain(|_, places| Arc::strong_count(places) > 1);
        }
        let places =
            callers.entry(caller.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(self.of_one)));
        Arc::clone(places)
    }
}

/// Lets a request on when there is a place for it, which it keeps until its answer is sent.
pub(crate) async fn places_layer(
    State(places): State<Arc<Places>>,
    request: Request,
    next: Next,
) -> Response {
    let decision = request.extensions().get::<CallContext>().and_then(|context| context.decision.clone());
    let caller = decision.as_ref().map_or("", |decision| decision.source_identity.as_str());
    match places.take(caller).await {
        Some(place) => next.run(request).await.map(|body| Body::new(Held { body, _place: place })),
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// An answer's body with its place.
struct Held {
    body: Body,
    _place: Place,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn one_caller_cannot_take_every_place() {
        let places = Places::new(3, 2);
        let take = |caller| places.take(caller).now_or_never().flatten();
        let (first, _second) = (take("ada").unwrap(), take("ada").unwrap());
        assert!(take("ada").is_none(), "a caller has two");
        let _third = take("ben").unwrap();
        assert!(take("cleo").is_none(), "there are three in all");
        drop(first);
        assert!(take("cleo").is_some());
    }

    #[test]
    fn callers_without_a_request_are_forgotten() {
        let places = Places::new(3, 2);
        let _held = places.take("ada").now_or_never().flatten().unwrap();
        for number in 0..5 * REMEMBERED {
            drop(places.take(&number.to_string()).now_or_never().flatten().unwrap());
        }
        let callers = places.callers.lock().unwrap();
        assert!(callers.len() <= REMEMBERED && callers.contains_key("ada"), "{}", callers.len());
    }
}
