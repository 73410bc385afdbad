//! An identity provider in Python.

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use crate::{IdentityProvider, Program};

/// `django-oauth-toolkit`: people sign in with a password and agree to what the client asks for. It stops when dropped.
#[derive(Debug)]
pub struct DjangoProvider {
    /// Its issuer identifier.
    pub issuer: String,
    _program: Program,
}

impl DjangoProvider {
    /// The issuer identifier of a provider on this port.
    #[must_use]
    pub fn issuer_on(port: u16) -> String {
        format!("http://localhost:{port}/o")
    }

    /// A provider on a port, with one client whose redirect is `callback`. `people` are by subject: `password` and `claims`.
    /// With `response_iss` it says that its answers name the issuer (RFC 9207); those that are errors do not all the same.
    ///
    /// # Panics
    /// When the Python packages are not installed, or it does not start.
    #[must_use]
    pub fn start(port: u16, callback: &str, people: &Value, response_iss: bool) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join("../../target/xtask/python/bin/python");
        assert!(python.exists(), "{} is missing: run `cargo xtask setup` first", python.display());
        let settings = json!({
            "port": port, "client_id": IdentityProvider::CLIENT_ID,
            "client_secret": IdentityProvider::CLIENT_SECRET, "redirect_uri": callback,
            "people": people, "response_iss": response_iss,
        });
        let mut command = Command::new(python);
        // Nothing is written into the sources.
        command.args(["-B", "serve.py", &settings.to_string()]).current_dir(root.join("python"));
        let (program, _) = Program::start(&mut command, "listening");
        Self { issuer: Self::issuer_on(port), _program: program }
    }
}
