//! The private listener: health, readiness and metrics.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use audit::AuditLog;
use axum::Router;
use oauth_server::{KeyRing, RevocationView};
use role_mapper::MappingSnapshots;
use telemetry::{Conditions, Metrics, PrivateRoutes};
use tokio::net::TcpListener;

use super::{Clock, StartError};

pub(super) struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listener {
    pub(super) async fn open(address: SocketAddr) -> Result<Self, StartError> {
        let failed = |source| StartError::Listen { setting: "listen.private", address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) async fn serve(self, routes: Router) {
        if let Err(error) = axum::serve(self.listener, routes).await {
            tracing::error!(%error, "the private listener ended");
        }
    }
}

/// What must hold for this process to be sent requests.
pub(super) struct Readiness {
    pub(super) audit: AuditLog,
    pub(super) mapping: Arc<MappingSnapshots>,
    pub(super) revocations: Arc<RevocationView>,
    pub(super) keys: Arc<KeyRing>,
    /// How long ago the database may have been read last.
    pub(super) max_age: Duration,
    pub(super) clock: Clock,
}

impl Readiness {
    fn conditions(&self) -> Conditions {
        let audit = if self.audit.is_healthy() { Ok(()) } else { Err("the audit sink fails".to_owned()) };
        let now = (self.clock)();
        let mapping = self.mapping.current(now).map(drop).map_err(|error| error.to_string());
        let revocations = self.revocations.check_age(now, self.max_age).map_err(|error| error.to_string());
        let keys = self.keys.check_age(now, self.max_age).map_err(|error| error.to_string());
        vec![
            ("audit".to_owned(), audit),
            ("mapping".to_owned(), mapping),
            ("revocations".to_owned(), revocations),
            ("keys".to_owned(), keys),
        ]
    }
}

pub(super) fn routes(metrics: Metrics, readiness: Readiness) -> Router {
    PrivateRoutes::new(metrics).readiness(move || readiness.conditions()).into_router()
}
