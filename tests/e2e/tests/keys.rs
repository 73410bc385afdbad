//! Signing keys are rotated and withdrawn while two replicas on one PostgreSQL database serve.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed set-up fails the test")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use e2e::{Options, Program, System, binary, free_port, merge};
use pg_fixture::PgCluster;
use quickstart::McpClient;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How often something that must come is looked for, and how many times.
const LOOK: Duration = Duration::from_millis(250);
const LOOKS: usize = 120;

const SEAL: &str = "c2VhbGluZy1rZXktb2YtdGhlLXR3by1yZXBsaWNhcy4=";

fn http() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// The identifier of the key that signed a token.
fn kid(token: &str) -> String {
    let header = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// Two replicas and what their operator types.
struct Fleet {
    first: System,
    second: Program,
    second_url: String,
    keys: TempDir,
    _cluster: PgCluster,
}

impl Fleet {
    fn start() -> Self {
        let keys = TempDir::new().unwrap();
        let seal = keys.path().join("seal.key");
        fs::write(&seal, SEAL).unwrap();
        let cluster = PgCluster::start();
        let sealed = json!({ "replicas": 2, "keys": { "seal": { "file": seal } } });
        let first = System::start(Options {
            postgres: Some(cluster.create_database()),
            configure: Some(Box::new(|config| merge(config, sealed))),
            ..Options::default()
        });
        let port = free_port();
        let file = Self::another(&first, "second.toml", port, |_| {});
        let (second, _) = Program::start(&mut Self::serve(&file), "serving");
        let second_url = format!("http://localhost:{port}");
        Self { first, second, second_url, keys, _cluster: cluster }
    }

    /// The configuration of another replica, which listens on `port`.
    fn another(first: &System, name: &str, port: u16, change: impl FnOnce(&mut Value)) -> PathBuf {
        let text = fs::read_to_string(first.file("connect.toml")).unwrap();
        let mut config: Value = toml::from_str(&text).unwrap();
        let own = json!({
            "listen": { "public": format!("127.0.0.1:{port}"), "private": format!("127.0.0.1:{}", free_port()) },
            "audit": { "file": format!("{name}.jsonl") },
        });
        merge(&mut config, own);
        change(&mut config);
        fs::write(first.file(name), toml::to_string(&config).unwrap()).unwrap();
        first.file(name)
    }

    fn serve(config: &Path) -> Command {
        let mut command = Command::new(binary("connect-server"));
        command.arg("--config").arg(config).arg("serve");
        command
    }

    fn urls(&self) -> [&str; 2] {
        [&self.first.public_url, &self.second_url]
    }

    fn keys(&self, arguments: &[&str]) -> Value {
        let output = self.first.connect_server(&[&["keys"], arguments, &["--json"]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What a replica answers to a call with this token.
    async fn call(&self, url: &str, token: &str) -> StatusCode {
        let body = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call",
                           "params": { "name": "auth_status", "arguments": {} } });
        let request = http().post(format!("{url}/mcp/platform/mcp")).bearer_auth(token).json(&body);
        let request = request.header("accept", "application/json, text/event-stream");
        request.send().await.unwrap().status()
    }

    async fn published(&self, url: &str) -> BTreeSet<String> {
        let answer = http().get(format!("{url}/.well-known/jwks.json")).send().await.unwrap();
        let keys: Value = answer.json().await.unwrap();
        keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }
}

/// The tokens of one client.
struct Tokens {
    access: String,
    refresh: String,
    client: String,
}

impl Tokens {
    async fn of_ada(system: &System) -> Self {
        let client = McpClient::sign_in(&system.mcp_url(), "ada", "ada-counts-engines").await.unwrap();
        let tokens = client.tokens();
        Self {
            access: tokens.access_token.clone(),
            refresh: tokens.refresh_token.clone(),
            client: tokens.client_id.clone(),
        }
    }

    async fn refresh(&mut self, url: &str) {
        let form =
            [("grant_type", "refresh_token"), ("refresh_token", &self.refresh), ("client_id", &self.client)];
        let answer = http().post(format!("{url}/token")).form(&form).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{url}");
        let body: Value = answer.json().await.unwrap();
        body["access_token"].as_str().unwrap().clone_into(&mut self.access);
        body["refresh_token"].as_str().unwrap().clone_into(&mut self.refresh);
    }
}

/// SEC-64: a rotation at once with two replicas -> no token is refused at any moment by either
/// SEC-64: a stolen key is withdrawn with two replicas -> both refuse its tokens within seconds, refreshed ones work
#[tokio::test]
async fn two_replicas_change_keys_together() {
    let fleet = Fleet::start();
    let mut ada = Tokens::of_ada(&fleet.first).await;
    let before = kid(&ada.access);
    let listed = fleet.keys(&["list"]);
    assert!(listed[0]["sealed_with"].as_str().unwrap().starts_with("aes-"), "{listed}");

    let made = fleet.keys(&["rotate", "--now"])["made"].as_str().unwrap().to_owned();
    let mut look = tokio::time::interval(LOOK);
    let mut signed_new = BTreeSet::new();
    for round in 0..LOOKS {
        look.tick().await;
        let issuer = fleet.urls()[round % 2];
        ada.refresh(issuer).await;
        for url in fleet.urls() {
            assert_eq!(fleet.call(url, &ada.access).await, StatusCode::OK, "round {round} at {url}");
        }
        if kid(&ada.access) == made {
            signed_new.insert(issuer.to_owned());
        }
        if signed_new.len() == 2 {
            break;
        }
    }
    assert_eq!(signed_new.len(), 2, "both replicas sign with the new key");
    for url in fleet.urls() {
        assert_eq!(fleet.published(url).await, [before.clone(), made.clone()].into(), "{url}");
    }

    let stolen = ada.access.clone();
    let successor = fleet.keys(&["rotate", "--revoke", &made])["made"].as_str().unwrap().to_owned();
    for url in fleet.urls() {
        assert!(refused_at_last(&fleet, url, &stolen).await, "a token of the stolen key works at {url}");
        assert_eq!(fleet.published(url).await, [before.clone(), successor.clone()].into(), "{url}");
    }
    for url in fleet.urls() {
        ada.refresh(url).await;
        assert_eq!(kid(&ada.access), successor);
        for url in fleet.urls() {
            assert_eq!(fleet.call(url, &ada.access).await, StatusCode::OK, "{url}");
        }
    }
    for log in [fleet.first.connect.log(), fleet.second.log()] {
        assert!(!log.contains(SEAL) && !log.contains("pkcs8"), "{log}");
    }
}

async fn refused_at_last(fleet: &Fleet, url: &str, token: &str) -> bool {
    let mut look = tokio::time::interval(LOOK);
    for _ in 0..LOOKS {
        look.tick().await;
        if fleet.call(url, token).await == StatusCode::UNAUTHORIZED {
            return true;
        }
    }
    false
}

/// SEC-64: a replica with another sealing key, or with none -> it does not start, and says which key is missing
#[tokio::test]
async fn a_replica_that_cannot_open_the_keys_does_not_start() {
    let fleet = Fleet::start();
    let other = fleet.keys.path().join("other.key");
    fs::write(&other, "11".repeat(32)).unwrap();
    let wrong = |config: &mut Value| merge(config, json!({ "keys": { "seal": { "file": other } } }));
    let none = |config: &mut Value| drop(config.as_object_mut().unwrap().remove("keys"));
    for file in [
        Fleet::another(&fleet.first, "wrong.toml", free_port(), wrong),
        Fleet::another(&fleet.first, "none.toml", free_port(), none),
    ] {
        let output = Fleet::serve(&file).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", file.display());
        let words = String::from_utf8(output.stderr).unwrap();
        assert!(words.contains("is sealed with the key aes-"), "{words}");
    }
}
