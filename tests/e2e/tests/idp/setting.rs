//! The system with a provider instead of the people with passwords.

use std::{fs, path::Path};

use e2e::{IdentityProvider, Options, System, free_port, merge};
use quickstart::{McpClient, scenario};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

/// Any would do: the provider believes whatever is typed.
pub(crate) const PASSWORD: &str = "any password";

/// The system and the provider that it trusts.
pub(crate) struct Setting {
    pub(crate) system: System,
    pub(crate) provider: IdentityProvider,
    _secret: NamedTempFile,
}

impl Setting {
    /// Everything, running. `claims` are what the provider says of each subject; `rows` are the subjects that the mapping
    /// has beside the scenario's, with their tenants.
    pub(crate) fn start(claims: &Value, rows: &[(&str, &str)]) -> Self {
        let mut setting = Self::without_provider(claims, rows);
        setting.provider.start();
        setting
    }

    /// Everything, with the provider not yet running.
    pub(crate) fn without_provider(claims: &Value, rows: &[(&str, &str)]) -> Self {
        let port = free_port();
        let issuer = IdentityProvider::issuer_on(port);
        let mapping = mapping(&issuer, rows);
        let secret = NamedTempFile::new().unwrap();
        fs::write(&secret, IdentityProvider::CLIENT_SECRET).unwrap();
        let path = secret.path().to_owned();
        let system = System::start(Options {
            configure: Some(Box::new(move |config| trust(config, &issuer, &path))),
            mapping: Some(mapping),
            ..Options::default()
        });
        let provider = IdentityProvider::new(port, &format!("{}/callback/idp", system.public_url), claims);
        Self { system, provider, _secret: secret }
    }

    /// An MCP client of this subject.
    pub(crate) async fn client(&self, subject: &str) -> McpClient {
        let client = McpClient::sign_in(&self.system.mcp_url(), subject, PASSWORD).await;
        client.unwrap_or_else(|error| panic!("{subject}: {error:?}\n{}", self.system.connect.log()))
    }

    /// Connect Server's audit events of this kind, once it is stopped.
    pub(crate) fn events(&self, action: &str) -> Vec<Value> {
        let events = self.system.audit("connect-audit.jsonl").into_iter();
        events.filter(|event| event["action"] == action).collect()
    }
}

fn trust(config: &mut Value, issuer: &str, secret: &Path) {
    config.as_object_mut().unwrap().remove("static_user");
    let provider = json!({
        "id": "idp", "label": "Test provider", "issuer": issuer, "client_id": IdentityProvider::CLIENT_ID,
        "client_secret": { "file": secret }, "scopes": ["profile"],
        "tenant_claim": "/org", "hint_claims": ["groups", "project"],
    });
    merge(config, json!({ "identity_provider": [provider] }));
}

fn mapping(issuer: &str, rows: &[(&str, &str)]) -> String {
    let subjects = rows.iter().map(|(subject, tenant)| {
        let row = json!({ "issuer": issuer, "subject": subject, "tenant": tenant });
        toml::to_string(&row).map(|row| format!("\n[[subjects]]\n{row}")).unwrap()
    });
    scenario::mapping(issuer) + &subjects.collect::<String>()
}
