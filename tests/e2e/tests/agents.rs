//! Agents without a browser, from their token to S3: each under its own identity and role.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed set-up fails the test")]

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use e2e::{Options, System, merge};
use quickstart::scenario;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

const SECRET: &str = "7a1f0c6de25b4f3b9d8e0a46c1b2d3f4";
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const WORKLOAD: &str = "system:serviceaccount:prod:agent";

/// A cluster that publishes its key at every path and signs with it.
struct Cluster {
    issuer: String,
    key: EcdsaKeyPair,
}

impl Cluster {
    async fn start() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let (x, y) = key.public_key().as_ref()[1..].split_at(32);
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let jwks = json!({ "keys": [{ "kty": "EC", "crv": "P-256", "kid": "k", "alg": "ES256", "x": encode(x), "y": encode(y) }] }).to_string();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await.unwrap();
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    jwks.len()
                );
                stream.write_all(format!("{head}{jwks}").as_bytes()).await.unwrap();
            }
        });
        Self { issuer, key }
    }

    #[expect(clippy::disallowed_methods, reason = "the server, a process of its own, has the system's clock")]
    fn token(&self, audience: &str, subject: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let encode = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = json!({
            "iss": self.issuer, "sub": subject, "aud": [audience], "iat": now, "exp": now + 600,
        });
        let signed =
            format!("{}.{}", encode(json!({ "alg": "ES256", "kid": "k", "typ": "JWT" })), encode(claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The quickstart's system with a client and a cluster, whose agents are members of Acme's laboratory.
fn start(cluster: &Cluster) -> (System, TempDir) {
    let folder = TempDir::new().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, SECRET).unwrap();
    let changes = json!({
        "client": [{
            "id": "agent",
            "authentication": "client_secret_post",
            "secret": { "file": secret.display().to_string() },
            "grant_types": ["client_credentials", "jwt-bearer"],
            "tenant": "acme",
            "services": ["platform"],
            "scopes": ["platform"],
        }],
        "workload_issuer": [{
            "issuer": cluster.issuer,
            "algorithms": ["ES256"],
            "jwks_uri": format!("{}/keys", cluster.issuer),
            "source_identity_prefix": "blue",
            "rule": [{
                "claims": { "/sub": "system:serviceaccount:prod:*" },
                "client_id": "agent",
                "services": ["platform"],
                "scopes": ["platform"],
                "tenant": "acme",
            }],
        }],
    });
    let configure = move |config: &mut Value| merge(config, changes);
    let mut system = System::start(Options { configure: Some(Box::new(configure)), ..Options::default() });
    let mut mapping = scenario::mapping(&format!("{}/static", system.public_url));
    let clients = format!("{}/clients", system.public_url);
    for (id, issuer, subject) in [(11, clients.as_str(), "agent"), (12, cluster.issuer.as_str(), WORKLOAD)] {
        mapping += &agent(id, issuer, subject);
    }
    let file = folder.path().join("mapping.toml");
    fs::write(&file, mapping).unwrap();
    let imported = system.connect_server(&["mapping", "import", &file.display().to_string()]);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    system.restart_connect();
    (system, folder)
}

/// A member of Acme's laboratory, as the mapping has it.
fn agent(id: u32, issuer: &str, subject: &str) -> String {
    format!(
        "\n[[subjects]]\nissuer = \"{issuer}\"\nsubject = \"{subject}\"\ntenant = \"acme\"\n\
         [[rules]]\nid = {id}\ntenant = \"acme\"\nrole = \"lab-member\"\n\
         subject = {{ issuer = \"{issuer}\", subject = \"{subject}\" }}\n"
    )
}

async fn ask(system: &System, path: &str, form: &[(&str, &str)]) -> Response {
    reqwest::Client::new().post(format!("{}{path}", system.public_url)).form(form).send().await.unwrap()
}

async fn token(system: &System, form: &[(&str, &str)]) -> String {
    let answer = ask(system, "/token", form).await;
    let status = answer.status();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(status, StatusCode::OK, "{body}");
    body["access_token"].as_str().unwrap().to_owned()
}

/// What listing a bucket gives: the answer's status, and whether the tool did it.
async fn list(system: &System, token: &str, bucket: &str) -> (StatusCode, bool) {
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "s3_object_list", "arguments": { "bucket": bucket } } });
    let request = reqwest::Client::new().post(system.mcp_url()).bearer_auth(token).json(&call);
    let request = request
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-06-18");
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let body: Value = answer.json().await.unwrap_or_default();
    (status, body["result"].is_object() && body["result"]["isError"] != true)
}

/// SEC-22: a client's own token after it was revoked -> 401 at the gateway
/// SEC-20: a workload without a rule, and one of another tenant's data -> 400 `invalid_grant`, refused by S3
#[tokio::test]
async fn agents_list_objects_under_their_own_identities() {
    let cluster = Cluster::start().await;
    let (system, _folder) = start(&cluster);
    let own = [("client_id", "agent"), ("client_secret", SECRET)];
    let client = token(&system, &[&own[..], &[("grant_type", "client_credentials")]].concat()).await;
    let assertion = cluster.token(&system.public_url, WORKLOAD);
    let form = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
    let workload = token(&system, &form).await;
    for agent in [&client, &workload] {
        assert_eq!(list(&system, agent, "acme-lab").await, (StatusCode::OK, true));
        assert_eq!(list(&system, agent, "globex-lab").await, (StatusCode::OK, false));
    }
    assert_eq!(ask(&system, "/token", &form).await.status(), StatusCode::BAD_REQUEST, "once");
    let stranger = cluster.token(&system.public_url, "system:serviceaccount:test:agent");
    let refused = ask(&system, "/token", &[("grant_type", JWT_BEARER), ("assertion", &stranger)]).await;
    assert_eq!(refused.json::<Value>().await.unwrap()["error"], "invalid_grant");

    let revoked = ask(&system, "/revoke", &[&own[..], &[("token", client.as_str())]].concat()).await;
    assert_eq!(revoked.status(), StatusCode::OK);
    assert_eq!(list(&system, &client, "acme-lab").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(list(&system, &workload, "acme-lab").await, (StatusCode::OK, true));

    let trail = reqwest::get(format!("{}/_sim/trail", system.aws_url)).await.unwrap();
    let trail: Value = trail.json().await.unwrap();
    let mut identities: Vec<&str> = trail["Records"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|record| record["eventName"] == "AssumeRole")
        .map(|record| record["sourceIdentity"].as_str().unwrap_or("nobody"))
        .collect();
    identities.sort_unstable();
    assert_eq!(identities, ["blue=.system=3Aserviceaccount=3Aprod=3Aagent", "client=.agent"]);
}
