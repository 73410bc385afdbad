//! Runs a simulator from a JSON configuration until interrupted or terminated.

use std::error::Error;
use std::io::Write as _;

use aws_sim::{AwsSim, SimConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: aws-sim CONFIG.json")?;
    let config: SimConfig = serde_json::from_slice(&std::fs::read(path)?)?;
    let running = AwsSim::start(config).await?;
    let line = serde_json::json!({
        "endpoint_url": running.endpoint_url(),
        "container_credentials_url": running.container_credentials_url(),
    });
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{line}")?;
    stdout.flush()?;
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    running.shutdown().await;
    Ok(())
}
