//! The gateway as a service.

mod handle;

use std::{
    collections::HashMap,
    convert::Infallible,
    fmt,
    num::NonZeroU32,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use audit::AuditLog;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use limits::RateLimit;
use oidc_verify::DpopUrl;

use crate::{
    Authorizer, ConfigError, GatewayBody, GatewayConfig, GatewayMetrics, Protocol, ServiceConfig, TokenCache,
    discovery::{Challenges, TRANSPORT, challenges, documents},
    ids::Ids,
    origin::Origins,
    upstream::Upstream,
};

/// How many refusals of strangers are audited in a minute. More would let anybody fill the log, and a full log stops
/// every call; what is not recorded is counted.
const STRANGERS_PER_MINUTE: u32 = 600;

/// The routed services and their discovery documents. Clones share everything; [`worker`](Self::worker) gives a copy
/// with a cache and connections of its own.
pub struct Gateway {
    shared: Arc<Shared>,
    worker: Arc<Worker>,
}

struct Shared {
    routes: HashMap<String, Route>,
    services: Vec<ServiceConfig>,
    resources: Vec<String>,
    origins: Origins,
    authorizer: Arc<Authorizer>,
    audit: AuditLog,
    metrics: Arc<GatewayMetrics>,
    strangers: RateLimit,
}

/// What one thread has for itself.
struct Worker {
    ids: Ids,
    /// In the order of the services.
    reached: Vec<Reached>,
}

struct Reached {
    cache: TokenCache,
    upstream: Arc<Upstream>,
}

enum Route {
    Document(Bytes),
    Service { index: usize, url: DpopUrl, challenges: Box<Challenges> },
}

impl Gateway {
    /// A gateway for the configured services.
    ///
    /// # Errors
    /// [`ConfigError`] names the first setting that cannot be meant.
    pub fn new(
        config: &GatewayConfig,
        authorizer: Arc<Authorizer>,
        audit: AuditLog,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        let per_minute = NonZeroU32::new(STRANGERS_PER_MINUTE).unwrap_or(NonZeroU32::MIN);
        let shared = Shared {
            routes: routes(config)?,
            services: config.services.clone(),
            resources: config.services.iter().map(|service| service.resource(&config.public_url)).collect(),
            origins: Origins::new(&config.public_url, &config.allowed_origins),
            authorizer,
            audit,
            metrics: Arc::default(),
            strangers: RateLimit::new(per_minute, per_minute),
        };
        let worker = Worker::new(&config.services)?;
        Ok(Self { shared: Arc::new(shared), worker: Arc::new(worker) })
    }

    /// The same gateway for another thread: what a thread uses on every call, it shares with no other.
    #[must_use]
    pub fn worker(&self) -> Self {
        let reached = self
            .worker
            .reached
            .iter()
            .map(|reached| Reached { cache: TokenCache::new(), upstream: reached.upstream.separate() });
        let worker = Worker { ids: Ids::random(), reached: reached.collect() };
        Self { shared: Arc::clone(&self.shared), worker: Arc::new(worker) }
    }

    /// Whether this path is the gateway's; every other is answered 404.
    #[must_use]
    pub fn serves(&self, path: &str) -> bool {
        self.shared.routes.contains_key(path)
    }

    /// The counters, of all workers together.
    #[must_use]
    pub fn metrics(&self) -> Arc<GatewayMetrics> {
        Arc::clone(&self.shared.metrics)
    }
}

impl Worker {
    fn new(services: &[ServiceConfig]) -> Result<Self, ConfigError> {
        let reached = services.iter().map(|service| {
            let upstream = Upstream::new(service.target()?, service.timeouts);
            Ok(Reached { cache: TokenCache::new(), upstream })
        });
        Ok(Self { ids: Ids::random(), reached: reached.collect::<Result<_, _>>()? })
    }
}

fn routes(config: &GatewayConfig) -> Result<HashMap<String, Route>, ConfigError> {
    let mut routes = HashMap::new();
    for document in documents(config) {
        routes.insert(document.path, Route::Document(document.body));
    }
    for (index, service) in config.services.iter().enumerate() {
        for form in ["", TRANSPORT] {
            let challenges =
                challenges(config, service, form).ok_or_else(|| ConfigError::Scope(service.name.clone()))?;
            let url = service.called_url(&config.public_url, form)?;
            let route = Route::Service { index, url, challenges: Box::new(challenges) };
            routes.insert(format!("{}{form}", service.path), route);
        }
    }
    Ok(routes)
}

impl ServiceConfig {
    fn reads_bodies(&self) -> bool {
        self.protocol == Protocol::Mcp
    }
}

/// The answer on its way.
type Answering = Pin<Box<dyn Future<Output = Result<Response<GatewayBody>, Infallible>> + Send>>;

impl<B> hyper::service::Service<Request<B>> for Gateway
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
{
    type Response = Response<GatewayBody>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<B>) -> Answering {
        let gateway = self.clone();
        let (mut parts, body) = request.into_parts();
        Box::pin(async move { Ok(gateway.handle(&mut parts, body).await) })
    }
}

impl<B> tower::Service<Request<B>> for Gateway
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
{
    type Response = Response<GatewayBody>;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answering {
        hyper::service::Service::call(&*self, request)
    }
}

impl Clone for Gateway {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), worker: Arc::clone(&self.worker) }
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("services", &self.shared.services).finish_non_exhaustive()
    }
}
