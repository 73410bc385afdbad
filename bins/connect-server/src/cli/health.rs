//! `connect-server healthcheck`, for a container's health check: no shell, no curl.

use std::{net::SocketAddr, time::Duration};

use super::CliError;
use crate::config::Config;

pub(super) async fn run(config: Config) -> Result<(), CliError> {
    let mut address: SocketAddr = config.listen.private;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    let url = format!("http://{address}/healthz");
    let unhealthy = |why: String| CliError::Unhealthy(format!("{url} is not well: {why}"));
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(3)).build();
    let answer = client
        .map_err(|error| unhealthy(error.to_string()))?
        .get(&url)
        .send()
        .await
        .map_err(|error| unhealthy(super::error::Chain(&error).to_string()))?;
    if answer.status().is_success() { Ok(()) } else { Err(unhealthy(format!("status {}", answer.status()))) }
}
