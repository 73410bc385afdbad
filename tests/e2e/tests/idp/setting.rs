//! The system with a provider instead of the people with passwords.

use std::fs;

use e2e::{DjangoProvider, IdentityProvider, Options, System, free_port, merge};
use quickstart::{McpClient, scenario};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use url::Url;

/// Any would do: the provider believes whatever is typed.
pub(crate) const PASSWORD: &str = "any password";

/// The system and the provider that it trusts.
pub(crate) struct Setting<P = IdentityProvider> {
    pub(crate) system: System,
    pub(crate) provider: P,
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
        let new = |callback: &str| IdentityProvider::new(port, callback, claims);
        Self::trusting(&IdentityProvider::issuer_on(port), rows, json!({}), new)
    }

    /// Everything, running, with a strict provider that is asked again at every refresh. It sends its logout tokens to
    /// `logout`, a path of Connect Server.
    pub(crate) fn strict(algorithm: &str, claims: &Value, logout: &str) -> Self {
        let port = free_port();
        let changes = json!({ "scopes": ["profile", "offline_access"], "recheck": true });
        let mut setting = Self::trusting(&IdentityProvider::issuer_on(port), &[], changes, |callback| {
            let origin: Url = callback.parse().unwrap();
            let logout = origin.join(logout).unwrap();
            IdentityProvider::new(port, callback, claims).strict(algorithm, logout.as_str())
        });
        setting.provider.start();
        setting
    }
}

impl Setting<DjangoProvider> {
    /// Everything, running, with a provider in Python. `response_iss` is whether it says that its answers name the issuer.
    pub(crate) fn django(people: &Value, response_iss: bool) -> Self {
        let port = free_port();
        let start = |callback: &str| DjangoProvider::start(port, callback, people, response_iss);
        Self::trusting(&DjangoProvider::issuer_on(port), &[], json!({}), start)
    }
}

impl<P> Setting<P> {
    /// The system, and the provider that `provide` makes for a callback. `changes` are of its table in the configuration.
    fn trusting(
        issuer: &str,
        rows: &[(&str, &str)],
        changes: Value,
        provide: impl FnOnce(&str) -> P,
    ) -> Self {
        let secret = secret();
        let mut table = trusted("idp", issuer, &secret);
        merge(&mut table, changes);
        let system = System::start(Options {
            configure: Some(Box::new(move |config| trust(config, &[table]))),
            mapping: Some(mapping(issuer, rows)),
            ..Options::default()
        });
        let provider = provide(&format!("{}/callback/idp", system.public_url));
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

/// The file of the secret that Connect Server has at a provider.
pub(crate) fn secret() -> NamedTempFile {
    let secret = NamedTempFile::new().unwrap();
    fs::write(&secret, IdentityProvider::CLIENT_SECRET).unwrap();
    secret
}

/// Trusts these providers instead of the people with passwords.
pub(crate) fn trust(config: &mut Value, providers: &[Value]) {
    config.as_object_mut().unwrap().remove("static_user");
    merge(config, json!({ "identity_provider": providers }));
}

/// A provider's table in the configuration.
pub(crate) fn trusted(id: &str, issuer: &str, secret: &NamedTempFile) -> Value {
    json!({
        "id": id, "label": "Test provider", "issuer": issuer, "client_id": IdentityProvider::CLIENT_ID,
        "client_secret": { "file": secret.path() }, "scopes": ["profile"],
        "tenant_claim": "/org", "hint_claims": ["groups", "project"],
    })
}

pub(crate) fn mapping(issuer: &str, rows: &[(&str, &str)]) -> String {
    let subjects = rows.iter().map(|(subject, tenant)| {
        let row = json!({ "issuer": issuer, "subject": subject, "tenant": tenant });
        toml::to_string(&row).map(|row| format!("\n[[subjects]]\n{row}")).unwrap()
    });
    scenario::mapping(issuer) + &subjects.collect::<String>()
}
