//! The server that a person runs for themselves, spoken to over standard input and output.

use std::sync::Arc;

use aws_config::BehaviorVersion;
use aws_credential_types::provider::SharedCredentialsProvider;
use mcp_core::{CallContext, Platform, PlatformConfig, PlatformServer, Unobserved};
use rmcp::ServiceExt as _;

use crate::config::{EndpointUrl, LocalConfig};

/// Why the server cannot serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StdioError {
    #[error("no AWS region: set `region`, AWS_REGION, or one in the AWS profile")]
    NoRegion,
    #[error("no AWS credentials: sign in with `aws sso login`, or set AWS_PROFILE")]
    NoCredentials,
    #[error("the client did not open an MCP session")]
    Handshake,
    #[error("the server stopped unexpectedly")]
    Stopped,
}

/// Serves until the client closes standard input.
pub(crate) async fn serve(config: LocalConfig) -> Result<(), StdioError> {
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(region) = &config.region {
        loader = loader.region(aws_config::Region::new(region.as_str().to_owned()));
    }
    let profile = loader.load().await;
    let region = profile.region().ok_or(StdioError::NoRegion)?.to_string();
    let credentials = profile.credentials_provider().ok_or(StdioError::NoCredentials)?;

    let mut platform = PlatformConfig::new(region);
    platform.s3_endpoint = config.s3_endpoint.as_ref().map(EndpointUrl::to_string);
    platform.s3_path_style = config.s3_path_style;
    platform.buckets = config.buckets;
    let context = CallContext {
        decision: None,
        request_id: None,
        credentials: SharedCredentialsProvider::new(credentials),
        observer: Arc::new(Unobserved),
    };
    let server = PlatformServer::for_one_caller(Platform::new(platform), context);
    let running = server.serve(rmcp::transport::stdio()).await.map_err(|error| {
        tracing::error!(%error, "the MCP session did not begin");
        StdioError::Handshake
    })?;
    running.waiting().await.map_err(|_| StdioError::Stopped)?;
    Ok(())
}
