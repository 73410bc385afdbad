//! The routes of the private listener.

use std::fmt;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use crate::Metrics;

/// Named conditions of readiness: each holds, or says in words for an operator why not.
pub type Conditions = Vec<(String, Result<(), String>)>;

type Check = Arc<dyn Fn() -> Conditions + Send + Sync>;

/// `/healthz`, `/readyz` and `/metrics`, unauthenticated: for the private listener only.
///
/// `/healthz` answers 200 as long as the process serves; `/readyz` answers 200 when every condition holds, else 503,
/// with a JSON list of `{"name", "problem"}` of those that do not; `/metrics` is the Prometheus text format.
#[derive(Clone)]
pub struct PrivateRoutes {
    metrics: Metrics,
    checks: Vec<Check>,
}

impl PrivateRoutes {
    /// Routes that report `metrics` and are ready as long as no [`readiness`](Self::readiness) check says otherwise.
    #[must_use]
    pub fn new(metrics: Metrics) -> Self {
        Self { metrics, checks: Vec::new() }
    }

    /// Adds a check. It runs on every `/readyz`, so it must only read what is in memory already.
    #[must_use]
    pub fn readiness(mut self, check: impl Fn() -> Conditions + Send + Sync + 'static) -> Self {
        self.checks.push(Arc::new(check));
        self
    }

    /// The router to serve, or to merge with further private routes.
    pub fn into_router(self) -> Router {
        Router::new()
            .route("/healthz", get(|| async { (no_store(), "ok") }))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .with_state(self)
    }

    fn unmet(&self) -> Vec<Unmet> {
        let conditions = self.checks.iter().flat_map(|check| check());
        conditions.filter_map(|(name, state)| state.err().map(|problem| Unmet { name, problem })).collect()
    }
}

impl fmt::Debug for PrivateRoutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateRoutes").field("checks", &self.checks.len()).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Unmet {
    name: String,
    problem: String,
}

async fn readyz(State(routes): State<PrivateRoutes>) -> Response {
    let unmet = routes.unmet();
    let status = if unmet.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, no_store(), Json(unmet)).into_response()
}

async fn metrics(State(routes): State<PrivateRoutes>) -> Response {
    match routes.metrics.render() {
        Ok(text) => {
            let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
            (no_store(), content_type, text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "metrics could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn no_store() -> [(header::HeaderName, &'static str); 1] {
    [(header::CACHE_CONTROL, "no-store")]
}
