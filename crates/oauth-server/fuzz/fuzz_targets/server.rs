//! A server on its router, with little room, whose clock runs an hour with every look at it.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use audit::{AuditLog, Sink};
use axum::{Router, body::Body};
use connect_hosts::{AllowedHosts, RedirectPolicy};
use http::{HeaderMap, Request, StatusCode};
use oauth_server::{
    DeviceClients, OAuthConfig, OAuthServer, Parts, Resource, ScopeText, SystemRandomness,
    identity::{IdentitySource, StaticUser, StaticUsers, hash_password},
    seal::Sealing,
    store::MemoryStore,
};
use public_fetch::{Document, Fetch, FetchError, FetchLimits};
use secrecy::SecretString;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;
use url::Url;

pub const ORIGIN: &str = "http://localhost:8080";

struct Nowhere;

impl Sink for Nowhere {
    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

/// Nobody publishes anything: what a fuzzer names must not be asked for.
#[async_trait]
impl Fetch for Nowhere {
    async fn fetch(&self, _: &Url, _: &FetchLimits, _: SystemTime) -> Result<Document, FetchError> {
        Err(FetchError::Status(StatusCode::NOT_FOUND))
    }
}

pub struct Server {
    runtime: Runtime,
    router: Router,
}

pub fn redirects() -> RedirectPolicy {
    RedirectPolicy::new(AllowedHosts::parse("claude.ai,localhost,cursor://").0)
}

impl Server {
    pub fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
        let scope = ScopeText { name: "platform".into(), description: None };
        let resource =
            Resource { uri: format!("{ORIGIN}/mcp/platform"), name: "Platform".into(), scopes: vec![scope] };
        let mut config = OAuthConfig::new(ORIGIN, vec![resource]);
        config.max_unused_clients = 8;
        config.max_interactions = 8;
        config.device_clients = DeviceClients::Any;
        let user = StaticUser {
            username: "ada".into(),
            password_hash: hash_password(&SecretString::from("password")).expect("a hash"),
            tenant: None,
            subject: "ada".into(),
            display_name: None,
            hints: serde_json::Map::new(),
        };
        let users = StaticUsers::new("local", format!("{ORIGIN}/local"), vec![user]).expect("users");
        let hours = AtomicU64::new(450_000);
        let parts = Parts {
            store: Arc::new(MemoryStore::default()),
            identity_sources: vec![IdentitySource::Static(users)],
            redirects: redirects(),
            audit: AuditLog::start(Nowhere, || UNIX_EPOCH).expect("an audit log"),
            clock: Arc::new(move || UNIX_EPOCH + Duration::from_hours(hours.fetch_add(1, Ordering::Relaxed))),
            randomness: Arc::new(SystemRandomness),
            sealing: Sealing::unsealed(),
            account_facts: None,
            fetch: Arc::new(Nowhere),
        };
        let server = runtime.block_on(OAuthServer::new(config, parts)).expect("a server");
        Self { runtime, router: server.router() }
    }

    pub fn send(&self, request: Request<Body>) -> (StatusCode, HeaderMap, Vec<u8>) {
        self.runtime.block_on(async {
            let response = self.router.clone().oneshot(request).await.expect("an answer");
            let (parts, body) = response.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
            (parts.status, parts.headers, body.to_vec())
        })
    }

    pub fn post(&self, path: &str, media_type: &str, body: &[u8]) -> (StatusCode, HeaderMap, Vec<u8>) {
        let request = Request::post(path).header("content-type", media_type);
        self.send(request.body(Body::from(body.to_vec())).expect("a request"))
    }
}
