//! Serving: the parts put together, the listeners opened, and everything stopped again.

mod account_facts;
mod assertions;
mod authorization;
mod background;
mod client_address;
mod clients;
mod disabled;
mod possession;
mod private;
mod public;
mod routing;
mod sign_in;

pub(crate) use sign_in::key_settings;

use std::{io, net::SocketAddr, sync::Arc, time::SystemTime};

use audit::{AuditLog, FileSink, StdoutSink};
use oauth_server::identity::IdentityConfigError;
use role_mapper::{MappingSnapshots, StoreError};
use sea_orm::DatabaseConnection;
use telemetry::{Metrics, MetricsError, system_clock};
use tokio::task::JoinSet;

use self::client_address::Proxies;
use crate::{
    cli::CliError,
    config::Config,
    database::{self, DatabaseError},
    sealing::SealingError,
    secrets::SecretError,
};

/// The time, as every part takes it.
pub(crate) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The mapping.
    #[error("the mapping cannot be loaded")]
    Mapping(#[from] StoreError),
    /// The audit log.
    #[error("the audit log {target} cannot be written")]
    Audit {
        /// The file, or standard output.
        target: String,
        /// Why.
        source: io::Error,
    },
    /// A secret.
    #[error("a secret is not available")]
    Secret(#[from] SecretError),
    /// The sealing keys.
    #[error(transparent)]
    Sealing(#[from] SealingError),
    /// An identity provider's settings.
    #[error("an identity source cannot be used")]
    Identity(#[from] IdentityConfigError),
    /// The authorization server.
    #[error(transparent)]
    OAuth(#[from] oauth_server::StartError),
    /// A client of the configuration.
    #[error("client {id:?} of the configuration cannot be used: {why}")]
    Client {
        /// The client.
        id: String,
        /// What is wrong with it.
        why: String,
    },
    /// The brand.
    #[error("brand cannot be used")]
    Brand(#[from] oauth_server::BrandError),
    /// The logo.
    #[error("brand.logo {file} cannot be read")]
    Logo {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// A trusted issuer's settings.
    #[error("the issuer {issuer} cannot be trusted as configured")]
    Issuer {
        /// The issuer.
        issuer: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The gateway's settings.
    #[error("the gateway cannot be set up")]
    Gateway(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The HTTP client.
    #[error("the HTTP client cannot be made")]
    Http(#[from] reqwest::Error),
    /// The HTTP client for documents of clients.
    #[error(transparent)]
    Fetch(#[from] public_fetch::SetupError),
    /// The metrics.
    #[error("the metrics cannot be set up")]
    Metrics(#[from] MetricsError),
    /// A listener.
    #[error("cannot listen on {address} ({setting})")]
    Listen {
        /// The setting.
        setting: &'static str,
        /// Its value.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A thread.
    #[error("a thread cannot be started")]
    Thread(#[source] io::Error),
}

/// A server that serves.
#[derive(Debug)]
pub struct Running {
    public_addr: SocketAddr,
    private_addr: SocketAddr,
    public: public::Workers,
    tasks: JoinSet<()>,
    audit: Option<AuditLog>,
}

impl Running {
    /// Where clients are served.
    #[must_use]
    pub fn public_addr(&self) -> SocketAddr {
        self.public_addr
    }

    /// Where health and metrics are served.
    #[must_use]
    pub fn private_addr(&self) -> SocketAddr {
        self.private_addr
    }

    /// Waits until every audit event so far is written.
    pub fn flush_audit(&self) {
        if let Some(audit) = &self.audit {
            audit.flush();
        }
    }

    /// Stops accepting, lets requests under way finish for a while, and ends.
    pub async fn shutdown(mut self) {
        self.public.stop().await;
        self.tasks.shutdown().await;
        if let Some(audit) = self.audit {
            audit.flush();
        }
    }
}

/// Serves until SIGTERM or Ctrl-C.
pub(crate) async fn until_signal(config: Config) -> Result<(), CliError> {
    let running = start(config).await?;
    tracing::info!(public = %running.public_addr, private = %running.private_addr, "serving");
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .map_err(CliError::Terminal)?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(CliError::Terminal)?,
        _ = terminated.recv() => {}
    }
    tracing::info!("stopping");
    running.shutdown().await;
    Ok(())
}

/// Starts serving. With an empty `allowed_hosts` Connect is disabled: every public path is 404, nothing else is
/// touched, and the private listener says that the process is well.
///
/// # Errors
/// When anything that serving needs is missing, with its cause.
pub async fn start(config: Config) -> Result<Running, StartError> {
    for entry in &config.ignored_hosts {
        tracing::warn!("allowed_hosts: {entry}");
    }
    if config.allowed_hosts.is_empty() {
        tracing::warn!("Connect is disabled because allowed_hosts (CONNECT_ALLOWED_HOSTS) is empty");
        return disabled::start(&config).await;
    }
    let clock: Clock = Arc::new(system_clock());
    let audit = audit_log(&config)?;
    let connection = database::connect(&config.database).await?;
    database::prepare(&config.database, &connection).await?;
    let mapping = mapping(&config, connection.clone(), &clock).await?;
    let facts = account_facts::MappedFacts::new(&config, Arc::clone(&mapping), Arc::clone(&clock));
    let oauth = Box::pin(sign_in::server(&config, connection, &audit, &clock, facts)).await?;
    let (authorizer, remote_keys) = authorization::authorizer(&config, &oauth, &mapping, &clock)?;
    let gateway = authorization::gateway(&config, authorizer, &audit)?;
    let metrics = Metrics::new("connect-server")?;
    background::observe(&metrics, &gateway.metrics(), &audit);

    let private = private::Listener::open(config.listen.private).await?;
    let listeners = public::listen(&config.listen)?;
    let public_addr = listeners.address();
    let mut tasks = JoinSet::new();
    let private_addr = private.address();
    let readiness = private::Readiness {
        audit: audit.clone(),
        mapping: Arc::clone(&mapping),
        revocations: oauth.revocations(),
        keys: oauth.keys(),
        max_age: config.database.max_age,
        clock: Arc::clone(&clock),
    };
    tasks.spawn(private.serve(private::routes(metrics, readiness)));
    background::spawn(&mut tasks, &oauth, mapping, remote_keys, &clock);
    let public = listeners.serve(&routing::Routing::new(
        gateway,
        oauth.router(),
        Proxies::new(&config.listen.trusted_proxies),
    ))?;
    Ok(Running { public_addr, private_addr, public, tasks, audit: Some(audit) })
}

fn audit_log(config: &Config) -> Result<AuditLog, StartError> {
    let failed = |source| StartError::Audit {
        target: config
            .audit_file
            .as_ref()
            .map_or_else(|| "standard output".into(), |file| file.display().to_string()),
        source,
    };
    match &config.audit_file {
        Some(file) => {
            FileSink::open(file).and_then(|sink| AuditLog::start(sink, system_clock())).map_err(failed)
        }
        None => AuditLog::start(StdoutSink, system_clock()).map_err(failed),
    }
}

async fn mapping(
    config: &Config,
    connection: DatabaseConnection,
    clock: &Clock,
) -> Result<Arc<MappingSnapshots>, StartError> {
    let store = Arc::new(role_mapper::SeaOrmStore::new(connection));
    Ok(Arc::new(MappingSnapshots::load(store, config.database.max_age, clock()).await?))
}
