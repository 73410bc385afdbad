//! The HTTP server, wired.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use audit::{AuditLog, FileSink, StdoutSink};
use aws_credential_types::provider::SharedCredentialsProvider;
use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
};
use mcp_core::{Platform, PlatformConfig, PlatformServer};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
};
use sts_session::{Clock, SessionCache, StsClient};
use telemetry::{Metrics, MetricsError, PrivateRoutes, system_clock};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    admission::{Admission, decision_layer},
    base,
    config::{Config, EndpointUrl},
    listener::listen,
    meters::Meters,
    places::{Places, places_layer},
    recorder::Recorder,
    wire::wire_layer,
};

/// The most bytes of a request's body.
const MAX_BODY: usize = 1024 * 1024;

/// How long the audit log may take to be written out at the end.
const FLUSH: Duration = Duration::from_secs(5);

/// What the server takes from the machine it runs on, or from the process it runs in.
pub struct Surroundings {
    /// The server's own credentials, with which it assumes roles.
    pub base_credentials: SharedCredentialsProvider,
    /// Where events go.
    pub audit: AuditLog,
    /// The time.
    pub clock: Clock,
    /// Where numbers go.
    pub metrics: Metrics,
}

impl Surroundings {
    /// Those of a machine: its task role, the configured audit sink, the system's clock.
    ///
    /// # Errors
    /// When the audit sink cannot be opened or metrics cannot be set up.
    pub fn of_host(config: &Config) -> Result<Self, StartError> {
        let audit = match &config.audit_file {
            None => AuditLog::start(StdoutSink, system_clock()),
            Some(path) => FileSink::open(path).and_then(|sink| AuditLog::start(sink, system_clock())),
        };
        Ok(Self {
            base_credentials: base::task_role(),
            audit: audit.map_err(StartError::Audit)?,
            clock: Arc::new(system_clock()),
            metrics: Metrics::new("mcp-server").map_err(StartError::Metrics)?,
        })
    }
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address as configured.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The audit log cannot be opened.
    #[error("cannot open the audit log")]
    Audit(#[source] io::Error),
    /// Metrics cannot be set up.
    #[error("cannot set up metrics")]
    Metrics(#[source] MetricsError),
}

/// A server that runs until it is shut down or dropped.
#[derive(Debug)]
pub struct Running {
    /// Where MCP is served, at `/mcp`.
    pub public_addr: SocketAddr,
    /// Where health and metrics are.
    pub private_addr: SocketAddr,
    stop: watch::Sender<bool>,
    tasks: [JoinHandle<()>; 2],
    recorder: Recorder,
}

impl Running {
    /// Takes no further requests, lets those under way finish, and writes out the audit log.
    pub async fn shutdown(self) {
        // Receivers that are gone have stopped already.
        let _ = self.stop.send(true);
        for task in self.tasks {
            // A listener that panicked has stopped too; the panic was reported.
            let _ = task.await;
        }
        let recorder = self.recorder;
        // Waits for the writer's thread: not on a thread of the runtime, and not for a sink that hangs.
        let flushed = tokio::task::spawn_blocking(move || recorder.flush());
        if tokio::time::timeout(FLUSH, flushed).await.is_err() {
            tracing::error!("the audit log could not be written out in time");
        }
    }
}

/// Starts serving.
///
/// # Errors
/// When an address cannot be listened on.
pub async fn start(config: Config, surroundings: Surroundings) -> Result<Running, StartError> {
    let recorder = Recorder::new(surroundings.audit, Meters::new(&surroundings.metrics.meter()));
    let sts = sts_client(&config, surroundings.base_credentials);
    let admission = Admission::new(&config, SessionCache::new(surroundings.clock), sts, recorder.clone());
    let (stop, stopped) = watch::channel(false);

    let private = private_routes(surroundings.metrics, recorder.clone());
    let (private_addr, private_task) = listen(config.private, private, stopped.clone())
        .await
        .map_err(|source| StartError::Listen { address: config.private, source })?;
    let public = public_routes(&config, admission);
    let (public_addr, public_task) = listen(config.listen, public, stopped)
        .await
        .map_err(|source| StartError::Listen { address: config.listen, source })?;
    tracing::info!(%public_addr, %private_addr, "mcp-server serves");
    Ok(Running { public_addr, private_addr, stop, tasks: [public_task, private_task], recorder })
}

/// STS as this server calls it.
pub(crate) fn sts_client(config: &Config, base_credentials: SharedCredentialsProvider) -> StsClient {
    let builder = StsClient::builder(config.region.as_str(), base_credentials);
    match &config.sts_endpoint {
        Some(endpoint) => builder.endpoint_url(endpoint.as_str()).build(),
        None => builder.build(),
    }
}

fn public_routes(config: &Config, admission: Admission) -> Router {
    let mut platform = PlatformConfig::new(config.region.as_str());
    platform.s3_endpoint = config.s3_endpoint.as_ref().map(EndpointUrl::to_string);
    platform.s3_path_style = config.s3_path_style;
    platform.buckets.clone_from(&config.buckets);
    let server = PlatformServer::per_request(Platform::new(platform));
    // No Origin check here: the gateway has made it, and without its headers nothing gets this far.
    let transport = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_allowed_hosts(&config.hosts)
        .with_max_request_body_bytes(MAX_BODY);
    let mcp = StreamableHttpService::new(
        move || Ok(server.clone()),
        Arc::new(NeverSessionManager::default()),
        transport,
    );
    Router::new()
        .route_service("/mcp", mcp)
        .layer(from_fn_with_state(Arc::new(Places::default()), places_layer))
        .layer(from_fn_with_state(Arc::new(admission), decision_layer))
        .layer(from_fn(wire_layer))
}

fn private_routes(metrics: Metrics, recorder: Recorder) -> Router {
    let audit = move || {
        let works = recorder.is_healthy();
        vec![("audit".to_owned(), works.then_some(()).ok_or_else(|| "the audit sink fails".to_owned()))]
    };
    PrivateRoutes::new(metrics).readiness(audit).into_router()
}
