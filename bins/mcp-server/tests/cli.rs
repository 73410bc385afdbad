//! The program as an operator and a desktop client run it.

#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test")]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Output, Stdio},
};

use aws_sim::{AwsSim, BucketConfig, PolicyDocument, RoleConfig, SimConfig, UserConfig};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";
const KEY: &str = "AKIAADAADAADAADAADAA";

/// The program with nothing of this machine's environment.
fn program(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-server"));
    command.env_clear().env("HOME", home).env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A user who may read one bucket, and whose keys are also in `~/.aws` of `home`.
async fn sim(home: &Path) -> aws_sim::Running {
    let mut world = SimConfig::new(ACCOUNT);
    let allow = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "*", "Resource": "*" }] });
    world.users.push(UserConfig {
        name: "ada".to_owned(),
        account: None,
        access_key_id: KEY.to_owned(),
        secret_access_key: "canary-secret".to_owned(),
        tags: [].into(),
        policies: vec![PolicyDocument::from(allow)],
    });
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": "ecs-tasks.amazonaws.com" },
            "Action": "sts:AssumeRole",
        }],
    });
    let role = format!("arn:aws:iam::{ACCOUNT}:role/task");
    world.roles.push(RoleConfig::new(&role, PolicyDocument::from(trust)));
    world.task_role = Some(role);
    world.buckets.push(BucketConfig::new("acme-data"));
    std::fs::create_dir(home.join(".aws")).unwrap();
    let keys = format!("[default]\naws_access_key_id = {KEY}\naws_secret_access_key = canary-secret\n");
    std::fs::write(home.join(".aws/credentials"), keys).unwrap();
    AwsSim::start(world).await.unwrap()
}

#[test]
fn usage_is_exit_code_two_and_help_is_zero() {
    let home = tempfile::tempdir().unwrap();
    for (arguments, code) in [(vec!["--help"], 0), (vec!["--version"], 0), (vec![], 2), (vec!["dance"], 2)] {
        assert_eq!(run(program(home.path()).args(&arguments)).0, Some(code), "{arguments:?}");
    }
}

#[test]
fn every_problem_of_a_configuration_is_told_at_once() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("policy.json"), "[]").unwrap();
    let config = home.path().join("mcp.toml");
    let text = "regon = \"eu-central-1\"\nsts_endpoint = \"http://sts.example.com\"\npartition = \"mars\"\n\
                [listen]\nmcp = \"everywhere\"\n[[session_policy]]\nname = \"ro\"\nfile = \"policy.json\"\n";
    std::fs::write(&config, text).unwrap();
    let mut command = program(home.path());
    let (code, _, stderr) =
        run(command.arg("--config").arg(&config).arg("check").env("MCP_LOG_FORMAT", "xml"));
    assert_eq!(code, Some(1));
    for words in [
        "mcp.toml:1: regon: found an unknown key",
        "region: found nothing, expected a region such as \"eu-central-1\" (or the variable MCP_REGION)",
        "mcp.toml:2: sts_endpoint: found \"http://sts.example.com\", expected an https URL",
        "mcp.toml:3: partition: found \"mars\"",
        "listen.mcp: found \"everywhere\"",
        "allowed_accounts: found no account",
        "policy.json that is not a JSON object",
        "MCP_LOG_FORMAT: log.format: found \"xml\"",
    ] {
        assert!(stderr.contains(words), "{words}\n---\n{stderr}");
    }
}

#[test]
fn a_local_server_refuses_settings_that_mean_nothing_to_it() {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("mcp.toml");
    std::fs::write(&config, "allowed_accounts = [\"111122223333\"]\n").unwrap();
    let (code, _, stderr) = run(program(home.path()).arg("stdio").arg("--config").arg(config));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("allowed_accounts: found an unknown key"), "{stderr}");
}

/// The service works as its task role and never as a person whose profile lies about.
#[tokio::test(flavor = "multi_thread")]
async fn check_says_who_the_server_is() {
    let home = tempfile::tempdir().unwrap();
    let sim = sim(home.path()).await;
    let checked = |command: &mut Command| {
        run(command
            .arg("check")
            .env("MCP_REGION", "us-east-1")
            .env("MCP_ALLOWED_ACCOUNTS", "[\"111122223333\"]")
            .env("MCP_STS_ENDPOINT", sim.endpoint_url()))
    };
    let task = sim.container_credentials_url();
    let (code, stdout, stderr) =
        checked(program(home.path()).env("AWS_CONTAINER_CREDENTIALS_FULL_URI", task));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("assumed-role/task/") && stdout.contains("of account 111122223333"), "{stdout}");

    let (code, _, stderr) = checked(&mut program(home.path()));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("sts_no_base_credentials"), "{stderr}");
    let calls = sim.calls();
    assert!(calls.iter().all(|call| call.access_key_id.as_deref() != Some(KEY)), "{calls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stdio_serves_the_person_s_own_profile() {
    let home = tempfile::tempdir().unwrap();
    let sim = sim(home.path()).await;
    let mut child = program(home.path())
        .arg("stdio")
        .env("AWS_REGION", "us-east-1")
        .env("MCP_S3_ENDPOINT", sim.endpoint_url())
        .env("MCP_S3_PATH_STYLE", "true")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let client = json!({ "name": "test", "version": "1" });
    for message in [
        json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params":
            { "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client } }),
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params":
            { "name": "bucket_list", "arguments": {} } }),
    ] {
        writeln!(stdin, "{message}").unwrap();
    }
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let mut answers = stdout.lines().map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let listed = answers.find(|answer| answer.get("id") == Some(&json!(2))).unwrap();
    assert_eq!(
        listed.pointer("/result/structuredContent/buckets/0/name"),
        Some(&json!("acme-data")),
        "{listed}"
    );
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(sim.calls().iter().any(|call| call.access_key_id.as_deref() == Some(KEY)));
}

#[test]
fn the_server_is_well_until_it_is_told_to_stop() {
    let home = tempfile::tempdir().unwrap();
    // Below the ports that the system gives to outgoing connections, and this process's own.
    let private = format!("127.0.0.1:{}", 10_000 + std::process::id() % 10_000);
    let with = |command: &str| {
        let mut program = program(home.path());
        program
            .arg(command)
            .env("MCP_REGION", "us-east-1")
            .env("MCP_ALLOWED_ACCOUNTS", "[\"111122223333\"]")
            .env("MCP_LISTEN_MCP", "127.0.0.1:0")
            .env("MCP_LISTEN_PRIVATE", &private)
            .env("MCP_AUDIT_FILE", home.path().join("audit.jsonl"));
        program
    };
    let (code, _, stderr) = run(&mut with("healthcheck"));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("does not answer"), "{stderr}");

    let mut server = with("serve").stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(server.stderr.take().unwrap()).lines();
    assert!(log.any(|line| line.unwrap().contains("mcp-server serves")));
    assert_eq!(run(&mut with("healthcheck")).0, Some(0));

    kill_process(Pid::from_child(&server), Signal::TERM).unwrap();
    assert_eq!(server.wait().unwrap().code(), Some(0));
}
