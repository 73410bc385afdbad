//! Programs in JavaScript: real MCP clients and a real identity provider.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

use crate::{Program, merge};

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
    settings: Value,
}

impl IdentityProvider {
    /// The identifier of Connect Server's client there.
    pub const CLIENT_ID: &str = "connect-server";
    /// Its secret.
    pub const CLIENT_SECRET: &str = "upstream-client-secret-for-tests";

    /// The issuer identifier of a provider on this port.
    #[must_use]
    pub fn issuer_on(port: u16) -> String {
        format!("http://localhost:{port}")
    }

    /// A provider on a port, not started yet, with one client whose redirect is `callback`. `claims` are by subject.
    #[must_use]
    pub fn new(port: u16, callback: &str, claims: &Value) -> Self {
        let settings = json!({
            "port": port, "client_id": Self::CLIENT_ID, "client_secret": Self::CLIENT_SECRET,
            "redirect_uri": callback, "claims": claims,
        });
        Self { issuer: Self::issuer_on(port), program: None, settings }
    }

    /// Makes it as strict as it can be: tokens are signed with this algorithm only, refresh tokens work once, and a logout is
    /// told to `logout`.
    #[must_use]
    pub fn strict(mut self, algorithm: &str, logout: &str) -> Self {
        let strict = json!({ "algorithm": algorithm, "backchannel_logout_uri": logout });
        merge(&mut self.settings, json!({ "strict": strict }));
        self
    }

    /// Starts it. Nobody is signed in, and no code that it gave before is known.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(&mut self) {
        let (program, _) = Program::start(node_script("idp.mjs").arg(self.settings.to_string()), "listening");
        self.program = Some(program);
    }

    /// Stops it at once.
    pub fn stop(&mut self) {
        self.program = None;
    }

    /// What was asked of it since it started: methods and paths.
    ///
    /// # Panics
    /// When it is not running.
    pub async fn requests(&self) -> Vec<String> {
        let answer = self.control(Method::GET, "requests").await;
        answer.json().await.unwrap_or_else(|error| panic!("the provider's requests are unreadable: {error}"))
    }

    /// What the answers to its logout tokens were.
    ///
    /// # Panics
    /// When it is not running.
    pub async fn logouts(&self) -> Vec<String> {
        let answer = self.control(Method::GET, "logouts").await;
        answer.json().await.unwrap_or_else(|error| panic!("the provider's logouts are unreadable: {error}"))
    }

    /// Lets a person in no more, until it is started again.
    ///
    /// # Panics
    /// When it is not running.
    pub async fn disable(&self, subject: &str) {
        self.control(Method::PUT, &format!("disabled/{subject}")).await;
    }

    /// Whether it answers everything with status 503.
    ///
    /// # Panics
    /// When it is not running.
    pub async fn set_failing(&self, failing: bool) {
        self.control(if failing { Method::PUT } else { Method::DELETE }, "failing").await;
    }

    async fn control(&self, method: Method, name: &str) -> Response {
        let sent = Client::new().request(method, format!("{}/-/{name}", self.issuer)).send().await;
        sent.unwrap_or_else(|error| panic!("the provider does not answer: {error}"))
    }
}
