//! The three programs of the quickstart's scenario, each a process of its own.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use quickstart::scenario;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Program, binary};

/// A change of a configuration.
pub type Change = Box<dyn FnOnce(&mut Value)>;

/// What differs from the quickstart's configuration.
#[derive(Default)]
pub struct Options {
    /// PostgreSQL database; an SQLite file when absent.
    pub postgres: Option<String>,
    /// Changes the configuration of Connect Server.
    pub configure: Option<Change>,
    /// The local AWS; the scenario's when absent.
    pub aws: Option<Value>,
    /// The mapping to import; the scenario's when absent.
    pub mapping: Option<String>,
}

/// Connect Server, the Platform MCP Server and the local AWS.
#[derive(Debug)]
pub struct System {
    /// Connect Server.
    pub connect: Program,
    /// The Platform MCP Server.
    pub tools: Program,
    /// The local AWS.
    pub aws: Program,
    /// Origin that clients see.
    pub public_url: String,
    /// Address of the tools server's MCP endpoint.
    pub upstream_url: String,
    /// Health and metrics of Connect Server.
    pub private_url: String,
    /// The local AWS.
    pub aws_url: String,
    folder: TempDir,
}

impl System {
    /// Starts everything.
    ///
    /// # Panics
    /// When a part does not start.
    #[must_use]
    pub fn start(options: Options) -> Self {
        let folder = TempDir::new().unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            path
        };
        let aws = options.aws.map_or_else(|| scenario::AWS.to_owned(), |aws| aws.to_string());
        let aws_file = write("aws.json", &aws);
        let (aws, ready) = Program::start(Command::new(binary("aws-sim")).arg(aws_file), "endpoint_url");
        let ready: Value = serde_json::from_str(&ready).unwrap_or_default();
        let field = |name: &str| ready.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let aws_url = field("endpoint_url");

        let (tools_port, tools_private) = (free_port(), free_port());
        let tools_file = write("mcp.toml", &tools_config(tools_port, tools_private, &aws_url));
        let (tools, _) = Program::start(
            Command::new(binary("mcp-server"))
                .args(["--config", &tools_file.display().to_string(), "serve"])
                .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", field("container_credentials_url")),
            "mcp-server serves",
        );
        let upstream_url = format!("http://127.0.0.1:{tools_port}/mcp");

        let public_url = format!("http://localhost:{}", free_port());
        let private_port = free_port();
        let config =
            connect_config(&public_url, &upstream_url, private_port, options.postgres, options.configure);
        let config_file = write("connect.toml", &config);
        let issuer = format!("{public_url}/static");
        write("mapping.toml", &options.mapping.unwrap_or_else(|| scenario::mapping(&issuer)));
        let run = |arguments: &[&str]| connect_command(&config_file, arguments);
        succeed(&mut run(&["migrate"]));
        succeed(run(&["mapping", "import", "mapping.toml"]).current_dir(folder.path()));
        let (connect, _) = Program::start(&mut run(&["serve"]), "serving");
        let private_url = format!("http://127.0.0.1:{private_port}");
        Self { connect, tools, aws, public_url, upstream_url, private_url, aws_url, folder }
    }

    /// The URL to give to an MCP client.
    #[must_use]
    pub fn mcp_url(&self) -> String {
        format!("{}/mcp/platform/mcp", self.public_url)
    }

    /// A file of the system, e.g. `connect-audit.jsonl`.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Stops both servers, which write out their audit files first.
    ///
    /// # Panics
    /// When one does not stop well.
    pub fn stop(&mut self) {
        for program in [&mut self.connect, &mut self.tools] {
            assert!(program.terminate().success(), "a server did not stop well:\n{}", program.log());
        }
    }

    /// Every event of an audit file. [`stop`](Self::stop) the servers first.
    ///
    /// # Panics
    /// When the file cannot be read.
    #[must_use]
    pub fn audit(&self, name: &str) -> Vec<Value> {
        let path = self.file(name);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_default()).collect()
    }

    /// Runs `connect-server` with the system's configuration.
    ///
    /// # Panics
    /// When it cannot be run.
    #[must_use]
    pub fn connect_server(&self, arguments: &[&str]) -> Output {
        let mut command = connect_command(&self.file("connect.toml"), arguments);
        command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// Stops Connect Server and starts it again.
    ///
    /// # Panics
    /// When it does not stop well or does not start.
    pub fn restart_connect(&mut self) {
        assert!(
            self.connect.terminate().success(),
            "connect-server did not stop well:\n{}",
            self.connect.log()
        );
        let mut serve = connect_command(&self.file("connect.toml"), &["serve"]);
        (self.connect, _) = Program::start(&mut serve, "serving");
    }
}

fn connect_command(config: &std::path::Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary("connect-server"));
    command.arg("--config").arg(config).args(arguments);
    command
}

fn succeed(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A port to listen on.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free_port() -> u16 {
    quickstart::free_port().unwrap_or_else(|error| panic!("no free port: {error}"))
}

fn connect_config(
    public_url: &str,
    upstream: &str,
    private_port: u16,
    postgres: Option<String>,
    configure: Option<Change>,
) -> String {
    let mut config = scenario::connect_config(public_url, upstream)
        .unwrap_or_else(|error| panic!("the configuration cannot be made: {error}"));
    merge(&mut config, json!({ "listen": { "private": format!("127.0.0.1:{private_port}") } }));
    if let Some(url) = postgres {
        merge(&mut config, json!({ "database": { "url": url } }));
    }
    if let Some(configure) = configure {
        configure(&mut config);
    }
    toml::to_string(&config).unwrap_or_else(|error| panic!("the configuration is no TOML: {error}"))
}

/// Lays the members of `changes` over `config`, table by table.
pub fn merge(config: &mut Value, changes: Value) {
    match (config, changes) {
        (Value::Object(members), Value::Object(changes)) => {
            for (name, change) in changes {
                merge(members.entry(name).or_insert(Value::Null), change);
            }
        }
        (config, change) => *config = change,
    }
}

fn tools_config(port: u16, private: u16, aws_url: &str) -> String {
    let config = json!({
        "region": "us-east-1",
        "sts_endpoint": aws_url,
        "s3_endpoint": aws_url,
        "s3_path_style": true,
        "allowed_accounts": ["111122223333"],
        "buckets": scenario::BUCKETS,
        "listen": { "mcp": format!("127.0.0.1:{port}"), "private": format!("127.0.0.1:{private}") },
        "audit": { "file": "tools-audit.jsonl" },
        "log": { "format": "text" },
    });
    toml::to_string(&config).unwrap_or_else(|error| panic!("the configuration is no TOML: {error}"))
}
