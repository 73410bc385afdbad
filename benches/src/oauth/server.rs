//! The server under test, and its database.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use benches::{Outcome, pin};

pub(crate) const RESOURCE: &str = "/mcp/platform";
pub(crate) const PROVIDER: &str = "idp";
pub(crate) const ISSUER: &str = "https://login.example.com";

/// How long a start may take, in tenths of a second.
const PATIENCE: usize = 300;

/// A `connect-server` on one core, ended when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Brings the tables up to date and serves, with its files in `folder`.
    pub(crate) fn start(folder: &Path, database: &str, core: usize) -> Outcome<Self> {
        let (public, private) = (free_port()?, free_port()?);
        let config = folder.join("connect.toml");
        fs::write(&config, settings(public, private, database))?;
        let mut command = Command::new(program()?);
        command.arg("--config").arg(&config).current_dir(folder).stdout(Stdio::null());
        let migrated = command.arg("migrate").status()?;
        if !migrated.success() {
            return Err("connect-server migrate failed".into());
        }
        // A child inherits the core of the thread that starts it.
        pin::to(core)?;
        let mut command = Command::new(program()?);
        command.arg("--config").arg(&config).arg("serve").current_dir(folder);
        let child = command.stdout(Stdio::null()).spawn()?;
        let server = Self { child, address: SocketAddr::from(([127, 0, 0, 1], public)) };
        for _ in 0..PATIENCE {
            if std::net::TcpStream::connect(server.address).is_ok() {
                return Ok(server);
            }
            thread::sleep(Duration::from_millis(100));
        }
        Err("connect-server does not listen".into())
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is gone already, or goes now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The origin that clients see.
pub(crate) fn origin(address: SocketAddr) -> String {
    format!("http://localhost:{}", address.port())
}

/// The release build beside this program.
fn program() -> Outcome<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("connect-server");
    if path.exists() { Ok(path) } else { Err(format!("{} was not built", path.display()).into()) }
}

fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn settings(public: u16, private: u16, database: &str) -> String {
    format!(
        r#"public_url = "http://localhost:{public}"
allowed_hosts = "claude.ai"
[listen]
public = "127.0.0.1:{public}"
private = "127.0.0.1:{private}"
threads = 1
[database]
url = "{database}"
[audit]
file = "audit.jsonl"
[log]
filter = "warn"
[[identity_provider]]
id = "{PROVIDER}"
issuer = "{ISSUER}"
client_id = "bench"
[[service]]
name = "platform"
path = "{RESOURCE}"
upstream = "http://127.0.0.1:9/mcp"
"#
    )
}
