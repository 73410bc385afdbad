//! What the programs leave behind: no secret in any log, file or database, and after the quickstart nothing at all.

use std::{fs, path::PathBuf, process::Command};

use e2e::{Options, Program, System, binary, merge};
use quickstart::{McpClient, ToolAnswer, scenario::PEOPLE};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

/// Everything that a person, a client or AWS keeps secret, looked for in everything that is written.
/// SEC-23: everything that is logged, recorded or kept is read by a stranger -> no token, code, secret or password
#[tokio::test]
async fn no_secret_is_written_anywhere() {
    let mut system = System::start(Options {
        configure: Some(Box::new(|config| merge(config, json!({ "log": { "filter": "debug" } })))),
        ..Options::default()
    });
    let mut secrets: Vec<String> = Vec::new();
    for person in PEOPLE {
        let client = McpClient::sign_in(&system.mcp_url(), person.username, person.password).await.unwrap();
        let answer = client.call_tool("bucket_list", json!({})).await.unwrap();
        assert!(
            matches!(answer, ToolAnswer::Done(_) | ToolAnswer::Refused(StatusCode::FORBIDDEN, _)),
            "{answer:?}"
        );
        let tokens = client.tokens();
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", tokens.refresh_token.as_str()),
            ("client_id", tokens.client_id.as_str()),
        ];
        let refreshed = Client::new().post(&tokens.token_endpoint).form(&form).send().await.unwrap();
        assert_eq!(refreshed.status(), StatusCode::OK);
        let refreshed: Value = refreshed.json().await.unwrap();
        let text = |name: &str| refreshed.get(name).and_then(Value::as_str).unwrap().to_owned();
        secrets.extend([text("access_token"), text("refresh_token"), tokens.access_token.clone()]);
        secrets.extend([tokens.refresh_token.clone(), person.password.to_owned()]);
    }
    // Refusals are where careless programs repeat what they were sent.
    let marker = "canary-4f1d2c9b";
    for request in [
        Client::new().post(system.mcp_url()).bearer_auth(marker),
        Client::new()
            .post(format!("{}/token", system.public_url))
            .form(&[("refresh_token", marker), ("code", marker)]),
        Client::new().post(format!("{}/revoke", system.public_url)).form(&[("token", marker)]),
        Client::new().get(format!("{}/callback/static?code={marker}&state={marker}", system.public_url)),
    ] {
        let answer = request.send().await.unwrap();
        let location = answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        assert!(!location.unwrap_or_default().contains(marker));
        assert!(!answer.text().await.unwrap().contains(marker));
    }
    secrets.push(marker.to_owned());
    system.stop();
    let mut places = vec![
        ("the log of connect-server".to_owned(), system.connect.log().into_bytes()),
        ("the log of mcp-server".to_owned(), system.tools.log().into_bytes()),
    ];
    for name in ["connect.db", "connect.db-wal", "connect-audit.jsonl", "tools-audit.jsonl"] {
        if let Ok(bytes) = fs::read(system.file(name)) {
            places.push((name.to_owned(), bytes));
        }
    }
    assert!(places.len() >= 5);
    for (place, bytes) in &places {
        for secret in &secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(
                !found,
                "{place} holds a secret that ends with {}",
                secret.chars().skip(secret.len() - 4).collect::<String>()
            );
        }
    }
}

#[tokio::test]
async fn the_quickstart_describes_itself_and_leaves_nothing() {
    let (mut program, line) = Program::start(Command::new(binary("quickstart")).arg("--json"), "mcp_url");
    let described: Value = serde_json::from_str(&line).unwrap();
    let text = |name: &str| described.get(name).and_then(Value::as_str).unwrap().to_owned();
    let person = described.pointer("/people/0").unwrap();
    let field = |name: &str| person.get(name).and_then(Value::as_str).unwrap();
    let client = McpClient::sign_in(&text("mcp_url"), field("username"), field("password")).await.unwrap();
    let answer = client.call_tool("auth_status", json!({})).await.unwrap();
    assert!(matches!(answer, ToolAnswer::Done(_)), "{answer:?}");
    let folder = PathBuf::from(text("config")).parent().unwrap().to_owned();
    assert!(folder.join("connect.db").exists());
    assert!(program.terminate().success());
    assert!(!folder.exists(), "{} is left", folder.display());
}

#[test]
fn the_quickstart_names_a_port_that_is_taken() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = Command::new(binary("quickstart")).args(["--tour", "--port", &port]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains(&port) && words.contains("--port"), "{words}");
}
