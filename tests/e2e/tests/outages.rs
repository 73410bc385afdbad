//! What happens when something is missing: a database, a permission, a service, a right configuration.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a failed set-up fails the test")]

use std::{
    fs,
    process::{Command, Output},
    time::Duration,
};

use e2e::{Options, Program, System, binary, free_port, merge};
use pg_fixture::PgCluster;
use quickstart::{McpClient, ToolAnswer, scenario};
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

/// How often something that must come is looked for, and how many times.
const LOOK: Duration = Duration::from_millis(200);
const LOOKS: usize = 150;

fn http() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

async fn ada(system: &System) -> McpClient {
    McpClient::sign_in(&system.mcp_url(), "ada", "ada-counts-engines").await.unwrap()
}

async fn status(client: &McpClient) -> StatusCode {
    match client.call_tool("auth_status", json!({})).await.unwrap() {
        ToolAnswer::Refused(status, _) => status,
        ToolAnswer::Done(_) | ToolAnswer::ToolError(_) => StatusCode::OK,
    }
}

async fn until(client: &McpClient, wanted: StatusCode) {
    let mut look = tokio::time::interval(LOOK);
    for _ in 0..LOOKS {
        look.tick().await;
        if status(client).await == wanted {
            return;
        }
    }
    panic!("the status never became {wanted}");
}

async fn refresh(system: &System, client: &McpClient) -> Response {
    let tokens = client.tokens();
    let form = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens.refresh_token.as_str()),
        ("client_id", tokens.client_id.as_str()),
    ];
    http().post(format!("{}/token", system.public_url)).form(&form).send().await.unwrap()
}

#[tokio::test]
async fn the_database_goes_away_and_comes_back() {
    let mut cluster = PgCluster::start();
    let system = System::start(Options {
        postgres: Some(cluster.create_database()),
        configure: Some(Box::new(|config| merge(config, json!({ "database": { "max_age": "8s" } })))),
        ..Options::default()
    });
    let client = ada(&system).await;
    assert_eq!(status(&client).await, StatusCode::OK);

    cluster.stop();
    assert_eq!(status(&client).await, StatusCode::OK, "a warm decision goes on");
    let refused = refresh(&system, &client).await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    let body = json!({ "redirect_uris": ["http://localhost/cb"] });
    let refused = http().post(format!("{}/register", system.public_url)).json(&body).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    let metadata = format!("{}/.well-known/oauth-authorization-server", system.public_url);
    assert_eq!(reqwest::get(metadata).await.unwrap().status(), StatusCode::OK);
    until(&client, StatusCode::SERVICE_UNAVAILABLE).await;
    let ready = reqwest::get(format!("{}/readyz", system.private_url)).await.unwrap();
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(ready.text().await.unwrap().contains("mapping was last confirmed"));

    cluster.restart();
    until(&client, StatusCode::OK).await;
    let refreshed = refresh(&system, &client).await;
    let (status, body) = (refreshed.status(), refreshed.text().await.unwrap());
    assert_eq!(status, StatusCode::OK, "the refresh token was not lost: {body}");
}

// Two threads: the client must notice on its own that the old server closed its connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_forgets_nothing() {
    let mut system = System::start(Options::default());
    let client = ada(&system).await;
    assert_eq!(status(&client).await, StatusCode::OK);
    system.restart_connect();
    assert_eq!(status(&client).await, StatusCode::OK, "the signing key persists");
    assert_eq!(refresh(&system, &client).await.status(), StatusCode::OK, "the grant persists");
}

#[tokio::test]
async fn a_service_that_is_down_is_a_502_with_the_requests_id() {
    let mut system = System::start(Options::default());
    let client = ada(&system).await;
    assert!(system.tools.terminate().success());
    let request = json!({ "jsonrpc": "2.0", "id": "the-id", "method": "tools/list" });
    let answer = http()
        .post(system.mcp_url())
        .bearer_auth(&client.tokens().access_token)
        .json(&request)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    let body: Value = answer.json().await.unwrap();
    assert_eq!((&body["jsonrpc"], &body["id"]), (&json!("2.0"), &json!("the-id")), "{body}");
    assert!(body["error"]["message"].is_string(), "{body}");
}

/// The scenario's AWS with the trust policy of each mapped role changed.
fn aws_trusting(change: impl Fn(&mut Vec<Value>)) -> Value {
    let mut aws: Value = serde_json::from_str(scenario::AWS).unwrap();
    let roles = aws.get_mut("roles").and_then(Value::as_array_mut).unwrap();
    let is_mapped = |role: &&mut Value| role["arn"].as_str().unwrap().contains(":role/data/");
    for role in roles.iter_mut().filter(is_mapped) {
        change(role.pointer_mut("/trust_policy/Statement").and_then(Value::as_array_mut).unwrap());
    }
    aws
}

/// The tool's result says which permission is missing on which role.
#[tokio::test]
async fn sts_refuses_and_says_what_is_missing() {
    let mut cases: Vec<(&str, Value)> = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
        .map(|missing| {
            (
                missing,
                aws_trusting(|statements| {
                    statements.retain(|one| one.get("Action") != Some(&json!(missing)));
                }),
            )
        })
        .into();
    // All conditions on all actions: a request to tag has no source identity to compare.
    let crowded = aws_trusting(|statements| {
        for statement in statements.iter_mut().take(1) {
            merge(
                statement,
                json!({ "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"] }),
            );
        }
        statements.truncate(1);
    });
    cases.push(("sts:TagSession", crowded));
    for (missing, aws) in cases {
        let mut system = System::start(Options { aws: Some(aws), ..Options::default() });
        let answer =
            ada(&system).await.call_tool("s3_object_list", json!({ "bucket": "acme-lab" })).await.unwrap();
        let ToolAnswer::ToolError(words) = answer else { panic!("{missing}: {answer:?}") };
        let role = "arn:aws:iam::111122223333:role/data/lab-member";
        assert!(words.contains(missing) && words.contains(role), "{missing}: {words}");
        system.stop();
        let events = system.audit("tools-audit.jsonl");
        let failed = |event: &Value| event["action"] == "role_assumption" && event["outcome"] != "success";
        assert!(events.iter().any(failed), "{missing}: {events:?}");
    }
}

#[tokio::test]
async fn sts_is_slow_and_throttles_and_the_call_goes_through() {
    let system = System::start(Options::default());
    let client = ada(&system).await;
    let fault = json!({ "operation": "sts:AssumeRole", "times": 2, "effect": "throttle" });
    let armed = http().post(format!("{}/_sim/fail", system.aws_url)).json(&fault).send().await.unwrap();
    assert_eq!(armed.status(), StatusCode::OK, "{}", armed.text().await.unwrap());
    let answer = client.call_tool("s3_object_list", json!({ "bucket": "acme-lab" })).await.unwrap();
    assert!(matches!(answer, ToolAnswer::Done(_)), "{answer:?}");
}

fn connect_server(config: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("connect.toml");
    fs::write(&file, config).unwrap();
    let mut command = Command::new(binary("connect-server"));
    command.arg("--config").arg(file).args(arguments).envs(variables.iter().copied());
    command.current_dir(folder.path()).output().unwrap()
}

#[test]
fn every_problem_of_a_configuration_is_reported_at_once() {
    let config = "public_url = \"http://connect.example.com\"\nallowed_host = \"claude.ai\"\nallowed_hosts = \"claude.ai\"\n\
                  [listen]\npublic = \"8080\"\n[tokens]\naccess = \"2d\"\n[database]\nurl = \"mysql://db\"\npassword = \"x\"\n";
    let output = connect_server(config, &["serve"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8(output.stderr).unwrap();
    for part in [
        "public_url",
        "allowed_host: found an unknown key",
        "listen.public",
        "tokens.access",
        "database.url",
        "database.password",
    ] {
        assert!(words.contains(part), "{part} is not named:\n{words}");
    }
    assert!(words.lines().skip(1).all(|line| line.contains("found") && line.contains("expected")), "{words}");
}

#[test]
fn a_database_that_is_down_at_the_start_is_named_without_its_password() {
    let config =
        scenario::connect_config("http://localhost:1", "http://127.0.0.1:1/mcp").map(|mut config| {
            let url = format!("postgres://connect@127.0.0.1:{}/connect", free_port());
            merge(&mut config, json!({ "database": { "url": url, "password": { "env": "DB_PASSWORD" } } }));
            toml::to_string(&config).unwrap()
        });
    let output = connect_server(&config.unwrap(), &["serve"], &[("DB_PASSWORD", "hunter2hunter2")]);
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("127.0.0.1:") && words.contains("refused"), "{words}");
    assert!(!words.contains("hunter2"), "{words}");
}

#[test]
fn what_must_not_start_does_not() {
    let cases = [
        (
            "people in the configuration of a public server",
            json!({ "public_url": "https://connect.example.com" }),
            "static_user",
        ),
        ("replicas on one file", json!({ "replicas": 2 }), "replicas"),
    ];
    for (what, change, named) in cases {
        let mut config = scenario::connect_config("http://localhost:1", "http://127.0.0.1:1/mcp").unwrap();
        merge(&mut config, change);
        let output = connect_server(&toml::to_string(&config).unwrap(), &["serve"], &[]);
        assert_eq!(output.status.code(), Some(1), "{what}");
        let words = String::from_utf8(output.stderr).unwrap();
        assert!(words.contains(named), "{what}: {words}");
    }
}

#[tokio::test]
async fn an_empty_list_of_hosts_means_disabled() {
    let folder = tempfile::tempdir().unwrap();
    let (public, private) = (free_port(), free_port());
    let mut config =
        scenario::connect_config(&format!("http://localhost:{public}"), "http://127.0.0.1:1/mcp").unwrap();
    merge(
        &mut config,
        json!({ "allowed_hosts": "", "listen": { "private": format!("127.0.0.1:{private}") } }),
    );
    let file = folder.path().join("connect.toml");
    fs::write(&file, toml::to_string(&config).unwrap()).unwrap();
    let mut serve = Command::new(binary("connect-server"));
    serve.arg("--config").arg(&file).arg("serve");
    let (mut program, _) = Program::start(&mut serve, "serving");
    assert!(program.log().contains("disabled because allowed_hosts"), "{}", program.log());
    for path in
        ["/", "/authorize", "/.well-known/oauth-authorization-server", "/mcp/platform/mcp", "/register"]
    {
        let answer = reqwest::get(format!("http://localhost:{public}{path}")).await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let health =
        Command::new(binary("connect-server")).arg("--config").arg(&file).arg("healthcheck").output();
    assert!(health.unwrap().status.success());
    assert!(!folder.path().join("connect.db").exists(), "a database was made");
    assert!(program.terminate().success());
    let health =
        Command::new(binary("connect-server")).arg("--config").arg(&file).arg("healthcheck").output();
    assert_eq!(health.unwrap().status.code(), Some(1));
}
