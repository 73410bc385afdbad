//! Connect Server alone, to be killed and started again, or to be run twice on one database.

use std::{fs, process::Command};

use quickstart::scenario;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Program, binary, free_port, merge};

/// The files of a Connect Server, whose database is an SQLite file among them unless another one is given.
#[derive(Debug)]
pub struct Lone {
    folder: TempDir,
    /// Origin that clients see.
    pub public_url: String,
    /// The database, as a client of it writes it.
    pub database: String,
}

impl Lone {
    /// Writes the configuration and makes the tables.
    ///
    /// # Panics
    /// When that fails.
    #[must_use]
    pub fn new(postgres: Option<String>) -> Self {
        let folder = TempDir::new().unwrap_or_else(|error| panic!("no temporary folder: {error}"));
        let public_url = format!("http://localhost:{}", free_port());
        let file = format!("sqlite:{}", folder.path().join("connect.db").display());
        let database = postgres.unwrap_or(file);
        let mut config = scenario::connect_config(&public_url, "http://127.0.0.1:9/mcp")
            .unwrap_or_else(|error| panic!("the configuration cannot be made: {error}"));
        let private = format!("127.0.0.1:{}", free_port());
        let changes =
            json!({ "listen": { "private": private, "threads": 1 }, "database": { "url": database } });
        merge(&mut config, changes);
        write(&folder, &config);
        let lone = Self { folder, public_url, database };
        let migrated = lone.run(&["migrate"]);
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        lone
    }

    /// Serves at [`public_url`](Self::public_url).
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn serve(&self) -> Program {
        Program::start(self.command().arg("serve"), "serving").0
    }

    /// Serves once more, on another port, as another replica does; gives its origin too.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn serve_replica(&self) -> (Program, String) {
        let port = free_port();
        let mut command = self.command();
        command.arg("serve").env("CONNECT_LISTEN_PUBLIC", format!("127.0.0.1:{port}"));
        command.env("CONNECT_LISTEN_PRIVATE", format!("127.0.0.1:{}", free_port()));
        (Program::start(&mut command, "serving").0, format!("http://127.0.0.1:{port}"))
    }

    /// Runs a command to its end.
    ///
    /// # Panics
    /// When it cannot be run.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = self.command();
        command.args(arguments).output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    /// A file of the server, e.g. `connect-audit.jsonl`.
    #[must_use]
    pub fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(binary("connect-server"));
        command.arg("--config").arg(self.file("connect.toml")).current_dir(self.folder.path());
        command
    }
}

fn write(folder: &TempDir, config: &Value) {
    let text = toml::to_string(config).unwrap_or_else(|error| panic!("no TOML: {error}"));
    let path = folder.path().join("connect.toml");
    fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
