//! All parts of the system in one process, with their files in a temporary folder.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
};

use audit::AuditLog;
use aws_credential_types::{
    Credentials,
    provider::{SharedCredentialsProvider, error::CredentialsError},
};
use aws_sim::{AwsSim, SimConfig};
use connect_server::config::Config;
use serde::Deserialize;
use tempfile::TempDir;

use crate::{free_port, scenario};

const CONFIG: &str = "connect.toml";
const DATABASE: &str = "connect.db";
const CONNECT_AUDIT: &str = "connect-audit.jsonl";
const TOOLS_AUDIT: &str = "tools-audit.jsonl";

/// A system that serves. Its files go away with it.
#[derive(Debug)]
pub struct Stack {
    aws: aws_sim::Running,
    tools: mcp_server::Running,
    tools_audit: AuditLog,
    connect: connect_server::Running,
    public_url: String,
    folder: TempDir,
}

/// A part does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StackError {
    /// The scenario's files.
    #[error("scenario/aws.json cannot be used")]
    Scenario(#[from] serde_json::Error),
    /// The temporary folder.
    #[error("the temporary folder cannot be used")]
    Folder(#[from] std::io::Error),
    /// The port.
    #[error("port {port} is not free: choose another one with --port")]
    Port {
        /// The port.
        port: u16,
        /// Why.
        source: std::io::Error,
    },
    /// A password.
    #[error("a password cannot be hashed")]
    Password(#[from] oauth_server::identity::HashError),
    /// The configuration of Connect Server cannot be written.
    #[error("the configuration cannot be written as TOML")]
    Toml(#[from] toml::ser::Error),
    /// The configuration of Connect Server.
    #[error("the configuration of Connect Server is wrong: {0}")]
    Config(String),
    /// The local AWS.
    #[error("the local AWS does not start")]
    Aws(#[from] aws_sim::StartError),
    /// The tools server.
    #[error("the Platform MCP Server does not start")]
    Tools(#[from] mcp_server::StartError),
    /// The settings of the tools server.
    #[error("the Platform MCP Server cannot be configured: {0}")]
    ToolsConfig(String),
    /// The mapping.
    #[error("the mapping cannot be imported")]
    Mapping(#[from] connect_server::ImportError),
    /// Connect Server.
    #[error("Connect Server does not start")]
    Connect(#[from] connect_server::StartError),
}

impl Stack {
    /// Starts everything; clients are served on `port`, or on any free one if it is 0.
    ///
    /// # Errors
    /// When a part does not start.
    pub async fn start(port: u16) -> Result<Self, StackError> {
        let folder = TempDir::with_prefix("connect-quickstart-")?;
        let public_url = format!("http://localhost:{}", port_for(port)?);
        let aws = AwsSim::start(serde_json::from_str::<SimConfig>(scenario::AWS)?).await?;
        let (tools, tools_audit) = tools_server(&aws, &folder.path().join(TOOLS_AUDIT)).await?;
        let config_file = folder.path().join(CONFIG);
        let upstream = format!("http://{}/mcp", tools.public_addr);
        let config = toml::to_string(&scenario::connect_config(&public_url, &upstream)?)?;
        std::fs::write(&config_file, config)?;
        let config =
            Config::from_file(&config_file).map_err(|problems| StackError::Config(problems.to_string()))?;
        connect_server::import_mapping(&config, &scenario::mapping(&format!("{public_url}/static"))).await?;
        let connect = connect_server::start(config).await?;
        Ok(Self { aws, tools, tools_audit, connect, public_url, folder })
    }

    /// The origin that clients see.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.public_url
    }

    /// The URL to give to an MCP client.
    #[must_use]
    pub fn mcp_url(&self) -> String {
        format!("{}/mcp/platform/mcp", self.public_url)
    }

    /// The tools server itself, which only the gateway should reach.
    #[must_use]
    pub fn upstream_url(&self) -> String {
        format!("http://{}/mcp", self.tools.public_addr)
    }

    /// Health, readiness and metrics of Connect Server.
    #[must_use]
    pub fn private_url(&self) -> String {
        format!("http://{}", self.connect.private_addr())
    }

    /// The local STS and S3.
    #[must_use]
    pub fn aws_url(&self) -> String {
        self.aws.endpoint_url()
    }

    /// The configuration of Connect Server.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.folder.path().join(CONFIG)
    }

    /// The database of Connect Server.
    #[must_use]
    pub fn database_file(&self) -> PathBuf {
        self.folder.path().join(DATABASE)
    }

    /// The audit file of each program.
    #[must_use]
    pub fn audit_files(&self) -> [(&'static str, PathBuf); 2] {
        let file = |name: &str| self.folder.path().join(name);
        [("connect-server", file(CONNECT_AUDIT)), ("mcp-server", file(TOOLS_AUDIT))]
    }

    /// The API calls that the local CloudTrail has under a source identity.
    #[must_use]
    pub fn trail(&self, source_identity: &str) -> Vec<String> {
        let calls = self.aws.calls().into_iter();
        calls
            .filter(|call| call.source_identity.as_deref() == Some(source_identity))
            .map(|call| match call.error_code {
                Some(code) => format!("{} ({code})", call.event_name),
                None => call.event_name,
            })
            .collect()
    }

    /// Waits until every audit event so far is in the files.
    pub fn flush_audit(&self) {
        self.connect.flush_audit();
        self.tools_audit.flush();
    }

    /// Stops everything and removes the files.
    pub async fn stop(self) {
        self.connect.shutdown().await;
        self.tools.shutdown().await;
        self.aws.shutdown().await;
    }
}

/// The wanted port if nobody listens on it, any free one for 0.
fn port_for(wanted: u16) -> Result<u16, StackError> {
    let taken = |source| StackError::Port { port: wanted, source };
    if wanted == 0 {
        return free_port().map_err(taken);
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)).map_err(taken)?;
    Ok(wanted)
}

async fn tools_server(
    aws: &aws_sim::Running,
    audit_file: &Path,
) -> Result<(mcp_server::Running, AuditLog), StackError> {
    let wrong = |error: &dyn std::fmt::Display| StackError::ToolsConfig(error.to_string());
    let region = "us-east-1".parse().map_err(|error| wrong(&error))?;
    let account = "111122223333".parse().map_err(|error| wrong(&error))?;
    let endpoint = || aws.endpoint_url().parse().map_err(|error| wrong(&error));
    let mut config = mcp_server::Config::new(region, [account]);
    config.sts_endpoint = Some(endpoint()?);
    config.s3_endpoint = Some(endpoint()?);
    config.s3_path_style = true;
    config.buckets = scenario::BUCKETS.map(str::to_owned).into();
    config.audit_file = Some(audit_file.to_owned());
    let mut surroundings = mcp_server::Surroundings::of_host(&config)?;
    surroundings.base_credentials = task_role(aws.container_credentials_url());
    let audit = surroundings.audit.clone();
    Ok((mcp_server::start(config, surroundings).await?, audit))
}

/// The credentials that a container platform would give to the tools server.
fn task_role(url: String) -> SharedCredentialsProvider {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        access_key_id: String,
        secret_access_key: String,
        token: String,
    }
    SharedCredentialsProvider::new(aws_credential_types::credential_fn::provide_credentials_fn(move || {
        let url = url.clone();
        async move {
            let answer = reqwest::get(&url).await.map_err(CredentialsError::provider_error)?;
            let answer: Answer = answer.json().await.map_err(CredentialsError::provider_error)?;
            Ok(Credentials::new(
                answer.access_key_id,
                answer.secret_access_key,
                Some(answer.token),
                None,
                "aws-sim",
            ))
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::{Stack, StackError};

    #[tokio::test]
    async fn a_taken_port_is_named() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = Stack::start(port).await.unwrap_err();
        assert!(matches!(error, StackError::Port { port: named, .. } if named == port), "{error}");
    }
}
