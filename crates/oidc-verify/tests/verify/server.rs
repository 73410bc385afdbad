//! An issuer on loopback that publishes keys, counts how often they are read, and misbehaves on command.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use oidc_verify::{Clock, FetchClient, JwksCache, JwksLocation};
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};

use crate::signer;

/// What a path answers.
#[derive(Clone)]
pub(crate) enum Answer {
    Json(Value),
    Bytes(Vec<u8>),
    Status(StatusCode),
    Redirect(&'static str),
    /// An answer of 64 MB that does not announce its length.
    Flood,
}

type Answers = Vec<(String, Answer)>;

struct Shared {
    answers: Mutex<Answers>,
    reads: Mutex<Vec<String>>,
    asked: Notify,
    gate: Semaphore,
}

#[derive(Clone)]
pub(crate) struct Issuer {
    shared: Arc<Shared>,
    pub(crate) url: String,
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let shared = Arc::new(Shared {
            answers: Mutex::default(),
            reads: Mutex::default(),
            asked: Notify::new(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { shared, url }
    }

    /// An issuer whose key set at `/jwks` holds `keys`.
    pub(crate) async fn with_keys(keys: &[&Value]) -> Self {
        let issuer = Self::start().await;
        issuer.publish(keys);
        issuer
    }

    pub(crate) fn publish(&self, keys: &[&Value]) {
        self.set("/jwks", Answer::Json(json!({ "keys": keys })));
    }

    pub(crate) fn set(&self, path: &str, answer: Answer) {
        let mut answers = self.shared.answers.lock().unwrap();
        answers.retain(|(known, _)| known != path);
        answers.push((path.to_owned(), answer));
    }

    /// Publishes metadata at `path`.
    pub(crate) fn describe(&self, path: &str, issuer: &str, jwks_uri: &str) {
        self.set(path, Answer::Json(json!({ "issuer": issuer, "jwks_uri": jwks_uri })));
    }

    /// From now on answers wait for [`release`](Self::release).
    pub(crate) fn hold(&self) {
        self.shared.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn release(&self) {
        self.shared.gate.add_permits(Semaphore::MAX_PERMITS);
    }

    /// Waits until someone asks.
    pub(crate) async fn asked(&self) {
        self.shared.asked.notified().await;
    }

    /// The paths asked for, in order.
    pub(crate) fn reads(&self) -> Vec<String> {
        self.shared.reads.lock().unwrap().clone()
    }

    pub(crate) fn cache(&self, clock: &TestClock) -> JwksCache {
        cache(JwksLocation::Uri(format!("{}/jwks", self.url)), clock)
    }

    pub(crate) fn discovering_cache(&self, path: &str) -> JwksCache {
        cache(JwksLocation::Discover(format!("{}{path}", self.url)), &TestClock::default())
    }
}

pub(crate) fn cache(location: JwksLocation, clock: &TestClock) -> JwksCache {
    let client = FetchClient::new(reqwest::Client::builder()).unwrap();
    JwksCache::new(client, location, clock.as_clock()).unwrap()
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let answer = shared
        .answers
        .lock()
        .unwrap()
        .iter()
        .find(|(known, _)| *known == path)
        .map(|(_, answer)| answer.clone());
    shared.reads.lock().unwrap().push(path);
    shared.asked.notify_one();
    let permit = shared.gate.acquire().await.unwrap();
    drop(permit);
    match answer {
        None => StatusCode::NOT_FOUND.into_response(),
        Some(Answer::Json(document)) => document.to_string().into_response(),
        Some(Answer::Bytes(bytes)) => bytes.into_response(),
        Some(Answer::Status(status)) => status.into_response(),
        Some(Answer::Redirect(to)) => (StatusCode::FOUND, [("location", to)]).into_response(),
        Some(Answer::Flood) => {
            let chunks = (0..1024).map(|_| Ok::<_, std::io::Error>("x".repeat(64 * 1024)));
            Body::from_stream(futures_util::stream::iter(chunks)).into_response()
        }
    }
}

/// A clock that moves when told to.
#[derive(Clone)]
pub(crate) struct TestClock {
    start: SystemTime,
    seconds: Arc<AtomicUsize>,
}

impl Default for TestClock {
    fn default() -> Self {
        Self { start: signer::now(), seconds: Arc::new(AtomicUsize::new(0)) }
    }
}

impl TestClock {
    pub(crate) fn now(&self) -> SystemTime {
        self.start + Duration::from_secs(self.seconds.load(Ordering::SeqCst) as u64)
    }

    pub(crate) fn advance(&self, seconds: usize) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    pub(crate) fn set_back(&self, seconds: usize) {
        self.seconds.fetch_sub(seconds, Ordering::SeqCst);
    }

    fn as_clock(&self) -> Clock {
        let clock = self.clone();
        Arc::new(move || clock.now())
    }
}
