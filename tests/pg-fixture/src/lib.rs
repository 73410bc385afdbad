//! A PostgreSQL cluster of its own for tests: started on first use in a temporary directory, reachable over a Unix
//! socket only, stopped with the test process.
//!
//! A machine without PostgreSQL fails the test that asked for it, with the name of the package to install.
#![expect(clippy::panic, reason = "a fixture that cannot be set up fails the test that needs it")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use tempfile::TempDir;

/// A running cluster. Dropping it stops the server and removes its files.
#[derive(Debug)]
pub struct PgCluster {
    directory: TempDir,
    running: bool,
    databases: AtomicU32,
}

impl PgCluster {
    /// Creates and starts a cluster.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        let directory = TempDir::new().unwrap_or_else(|error| panic!("no temporary directory: {error}"));
        let data = directory.path().join("data");
        open_to_server_user(directory.path());
        run(as_server_user(&program("initdb")).arg("-D").arg(&data).args([
            "--username=postgres",
            "--auth=trust",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
        ]));
        let mut cluster = Self { directory, running: false, databases: AtomicU32::new(0) };
        cluster.restart();
        cluster
    }

    /// Starts the server if it is stopped.
    ///
    /// # Panics
    /// When it does not accept connections.
    pub fn restart(&mut self) {
        if self.running {
            return;
        }
        let data = self.directory.path().join("data");
        // pg_ctl waits until the server accepts connections and leaves it running as a process of its own.
        run(as_server_user(&program("pg_ctl"))
            .arg("-D")
            .arg(&data)
            .args(["-w", "-s", "-l"])
            .arg(data.join("log"))
            .arg("-o")
            .arg(format!(
                "-c listen_addresses='' -c unix_socket_directories='{}' -c fsync=off -c max_connections=200",
                self.directory.path().display()
            ))
            .arg("start"));
        self.running = true;
    }

    /// Stops the server at once, as a crash would, keeping its files.
    ///
    /// # Panics
    /// When it cannot be stopped.
    pub fn stop(&mut self) {
        if std::mem::take(&mut self.running) {
            let data = self.directory.path().join("data");
            run(as_server_user(&program("pg_ctl")).arg("-D").arg(&data).args([
                "-w",
                "-s",
                "-m",
                "immediate",
                "stop",
            ]));
        }
    }

    /// Creates an empty database and gives its connection URL.
    ///
    /// # Panics
    /// When it cannot be created.
    pub fn create_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let socket = self.directory.path().display().to_string();
        run(Command::new(program("psql"))
            .args(["-q", "-h", &socket, "-U", "postgres", "-d", "postgres", "-c"])
            .arg(format!("CREATE DATABASE {name}")));
        format!("postgres://postgres@localhost/{name}?host={}", socket.replace('/', "%2F"))
    }
}

impl Drop for PgCluster {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A program of the PostgreSQL server, from `PATH` or from where Debian puts it.
fn program(name: &str) -> PathBuf {
    let on_path = Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if on_path.is_ok_and(|status| status.success()) {
        return PathBuf::from(name);
    }
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions
        .map(|version| version.path().join("bin").join(name))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("{name} was not found: install the package postgresql"))
}

/// The server refuses to run as root, so root runs it as the user that the package makes.
fn as_server_user(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(program).current_dir("/");
    command
}

fn open_to_server_user(directory: &Path) {
    if is_root() {
        run(Command::new("chown").arg("postgres").arg(directory));
    }
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755))
        .unwrap_or_else(|error| panic!("the temporary directory cannot be opened: {error}"));
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{PgCluster, program};

    #[test]
    fn a_cluster_starts_stops_and_starts_again() {
        let mut cluster = PgCluster::start();
        let url = cluster.create_database();
        let answers = |url: &str| {
            Command::new(program("psql")).args([url, "-c", "SELECT 1"]).output().unwrap().status.success()
        };
        assert!(answers(&url));
        cluster.stop();
        assert!(!answers(&url));
        cluster.restart();
        assert!(answers(&url));
    }
}
