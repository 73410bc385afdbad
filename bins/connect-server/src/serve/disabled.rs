//! Connect disabled: alive, and closed.

use axum::{Router, http::StatusCode};
use telemetry::{Metrics, PrivateRoutes};
use tokio::task::JoinSet;

use super::{Running, StartError, private, public, routing::Routing};
use crate::config::Config;

pub(super) async fn start(config: &Config) -> Result<Running, StartError> {
    let private = private::Listener::open(config.listen.private).await?;
    let listeners = public::listen(&config.listen)?;
    let (public_addr, private_addr) = (listeners.address(), private.address());
    let mut tasks = JoinSet::new();
    tasks.spawn(private.serve(PrivateRoutes::new(Metrics::new("connect-server")?).into_router()));
    let closed = Router::new().fallback(|| async { StatusCode::NOT_FOUND });
    let public = listeners.serve(&Routing::closed(closed))?;
    Ok(Running { public_addr, private_addr, public, tasks, audit: None })
}
