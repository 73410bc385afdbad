//! What clients publish about themselves, without a network.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use public_fetch::{Document, Fetch, FetchError, FetchLimits};
use serde_json::Value;
use tokio::sync::{Notify, Semaphore};
use url::Url;

#[derive(Clone)]
pub(crate) struct Published(Arc<Shared>);

struct Shared {
    answers: Mutex<HashMap<String, Result<Vec<u8>, FetchError>>>,
    lifetime: Mutex<Duration>,
    fetched: Mutex<Vec<String>>,
    asked: Notify,
    gate: Semaphore,
}

impl Default for Published {
    fn default() -> Self {
        Self(Arc::new(Shared {
            answers: Mutex::default(),
            lifetime: Mutex::default(),
            fetched: Mutex::default(),
            asked: Notify::new(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
        }))
    }
}

impl Published {
    pub(crate) fn set(&self, url: &str, document: &Value) {
        self.answer(url, Ok(document.to_string().into()));
    }

    pub(crate) fn answer(&self, url: &str, answer: Result<Vec<u8>, FetchError>) {
        self.0.answers.lock().unwrap().insert(url.to_owned(), answer);
    }

    /// What the documents' headers say.
    pub(crate) fn lifetime(&self, lifetime: Duration) {
        *self.0.lifetime.lock().unwrap() = lifetime;
    }

    /// The documents that were asked for, in order.
    pub(crate) fn fetched(&self) -> Vec<String> {
        self.0.fetched.lock().unwrap().clone()
    }

    /// From now on answers wait for [`release`](Self::release).
    pub(crate) fn hold(&self) {
        self.0.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn release(&self) {
        self.0.gate.add_permits(Semaphore::MAX_PERMITS);
    }

    /// Waits until somebody asks.
    pub(crate) async fn asked(&self) {
        self.0.asked.notified().await;
    }
}

#[async_trait]
impl Fetch for Published {
    async fn fetch(&self, url: &Url, limits: &FetchLimits, _now: SystemTime) -> Result<Document, FetchError> {
        self.0.fetched.lock().unwrap().push(url.to_string());
        self.0.asked.notify_one();
        drop(self.0.gate.acquire().await.unwrap());
        let answer = self.0.answers.lock().unwrap().get(url.as_str()).cloned();
        let body = answer.unwrap_or(Err(FetchError::Status(http::StatusCode::NOT_FOUND)))?;
        if body.len() > limits.max_bytes {
            return Err(FetchError::TooLarge);
        }
        let lifetime = *self.0.lifetime.lock().unwrap();
        Ok(Document { body, lifetime: lifetime.clamp(*limits.lifetime.start(), *limits.lifetime.end()) })
    }
}
