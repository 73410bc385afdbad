//! The private routes through their router.
#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use telemetry::{Metrics, PrivateRoutes};
use tower::ServiceExt as _;

async fn call(router: &Router, method: &str, path: &str) -> (StatusCode, String, String) {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let content_type = response.headers().get("content-type").map_or("", |value| value.to_str().unwrap());
    let content_type = content_type.to_owned();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, content_type, String::from_utf8(body.to_vec()).unwrap())
}

async fn readyz(router: &Router) -> (StatusCode, Value) {
    let (status, content_type, body) = call(router, "GET", "/readyz").await;
    assert_eq!(content_type, "application/json");
    (status, serde_json::from_str(&body).unwrap())
}

#[tokio::test]
async fn health_is_ok_whatever_readiness_says() {
    let private = PrivateRoutes::new(Metrics::new("s").unwrap())
        .readiness(|| vec![("store".to_owned(), Err("connection refused".to_owned()))]);
    let router = private.into_router();
    let (status, _, body) = call(&router, "GET", "/healthz").await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "ok"));
    assert_eq!(readyz(&router).await.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn readiness_follows_its_conditions_and_names_the_unmet_ones() {
    let loaded = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&loaded);
    let private = PrivateRoutes::new(Metrics::new("s").unwrap())
        .readiness(|| vec![("store".to_owned(), Ok(()))])
        .readiness(move || {
            let state = flag.load(Ordering::Relaxed).then_some(()).ok_or("not loaded \"yet\"".to_owned());
            vec![("mapping".to_owned(), state), ("keys".to_owned(), Ok(()))]
        });
    let router = private.into_router();

    let unmet = json!([{ "name": "mapping", "problem": "not loaded \"yet\"" }]);
    assert_eq!(readyz(&router).await, (StatusCode::SERVICE_UNAVAILABLE, unmet));
    loaded.store(true, Ordering::Relaxed);
    assert_eq!(readyz(&router).await, (StatusCode::OK, json!([])));
    loaded.store(false, Ordering::Relaxed);
    assert_eq!(readyz(&router).await.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn without_checks_a_process_is_ready() {
    let router = PrivateRoutes::new(Metrics::new("s").unwrap()).into_router();
    assert_eq!(readyz(&router).await, (StatusCode::OK, json!([])));
}

#[tokio::test]
async fn metrics_are_the_prometheus_text_format() {
    let metrics = Metrics::new("connect-server").unwrap();
    let counter = metrics.meter().u64_counter("calls").build();
    let router = PrivateRoutes::new(metrics).into_router();
    counter.add(3, &[]);
    let (status, content_type, body) = call(&router, "GET", "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(content_type, "text/plain; version=0.0.4; charset=utf-8");
    assert!(body.lines().any(|line| line == "calls_total 3"), "{body}");
}

#[tokio::test]
async fn nothing_else_answers() {
    let router = PrivateRoutes::new(Metrics::new("s").unwrap()).into_router();
    for (method, path, expected) in [
        ("GET", "/", StatusCode::NOT_FOUND),
        ("GET", "/healthz/", StatusCode::NOT_FOUND),
        ("GET", "/admin", StatusCode::NOT_FOUND),
        ("POST", "/healthz", StatusCode::METHOD_NOT_ALLOWED),
        ("DELETE", "/metrics", StatusCode::METHOD_NOT_ALLOWED),
    ] {
        assert_eq!(call(&router, method, path).await.0, expected, "{method} {path}");
    }
}
