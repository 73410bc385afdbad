//! Programs in JavaScript: real MCP clients and a real identity provider.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::Program;

/// A script of `tests/e2e/node`, to be run by the Node.js that `cargo xtask setup` installed.
///
/// # Panics
/// When the npm packages are not installed.
#[must_use]
pub fn node_script(name: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scripts = root.join("node");
    let node: PathBuf = scripts.join("node_modules/node/bin/node");
    assert!(node.exists(), "{} is missing: run `cargo xtask setup` first", node.display());
    let mut command = Command::new(node);
    command.arg(scripts.join(name)).current_dir(scripts);
    command
}

/// `oidc-provider`: people sign in with any name, which becomes their subject.
#[derive(Debug)]
pub struct IdentityProvider {
    /// Its issuer identifier.
    pub issuer: String,
    /// The process, absent while it is stopped.
    program: Option<Program>,
    port: u16,
    settings: Value,
}

impl IdentityProvider {
    /// The identifier of Connect Server's client there.
    pub const CLIENT_ID: &str = "connect-server";
    /// Its secret.
    pub const CLIENT_SECRET: &str = "upstream-client-secret-for-tests";

    /// Starts the provider on a port, with one client whose redirect is `callback`. `claims` are by subject.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(port: u16, callback: &str, claims: &Value) -> Self {
        let settings = json!({
            "port": port, "client_id": Self::CLIENT_ID, "client_secret": Self::CLIENT_SECRET,
            "redirect_uri": callback, "claims": claims,
        });
        let mut provider = Self { issuer: format!("http://localhost:{port}"), program: None, port, settings };
        provider.restart();
        provider
    }

    /// Starts it again after [`stop`](Self::stop).
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        let (program, _) = Program::start(node_script("idp.mjs").arg(self.settings.to_string()), "listening");
        self.program = Some(program);
    }

    /// Stops it at once.
    pub fn stop(&mut self) {
        self.program = None;
    }

    /// The port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}
