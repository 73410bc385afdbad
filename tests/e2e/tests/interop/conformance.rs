//! The conformance suite of the Model Context Protocol, in the role of a client of the authorization server.

use std::{collections::BTreeSet, fs, path::Path};

use e2e::{Options, Program, System, free_port, node_script};
use pg_fixture::PgCluster;
use quickstart::{Browser, scenario::PEOPLE};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

/// The suite's program.
const SUITE: &str = "node_modules/@modelcontextprotocol/conformance/dist/index.js";

/// Every revision that the suite has scenarios of the authorization server for.
const REVISIONS: [&str; 4] = ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];

/// The scenarios.
const SCENARIOS: [&str; 2] = ["authorization-code-grant", "authorization-server-metadata-endpoint"];

/// What they check.
const CHECKS: [&str; 3] =
    ["authorization-code-grant", "authorization-server-metadata", "authorization-server-metadata-cimd"];

/// The suite with a client of its own.
struct Suite<'a> {
    system: &'a System,
    port: u16,
    client_id: String,
}

impl<'a> Suite<'a> {
    async fn new(system: &'a System) -> Self {
        let port = free_port();
        let body = json!({ "client_name": "Conformance", "redirect_uris": [Self::redirect(port)] });
        let register = format!("{}/register", system.public_url);
        let answer = Client::new().post(register).json(&body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED);
        let client: Value = answer.json().await.unwrap();
        Self { system, port, client_id: client["client_id"].as_str().unwrap().to_owned() }
    }

    fn redirect(port: u16) -> String {
        format!("http://127.0.0.1:{port}/callback")
    }

    /// Runs every scenario of a revision, is the browser that it asks for, and gives the checks of each scenario.
    async fn run(&self, revision: &str) -> Vec<(String, Vec<Value>)> {
        let folder = TempDir::new().unwrap();
        let mut command = node_script(SUITE);
        command
            .arg("authorization")
            .args(["--url", &self.system.public_url, "--client-id", &self.client_id])
            .args(["--port", &self.port.to_string(), "--resource", &self.system.mcp_url()])
            .args(["--spec-version", revision, "--output-dir", &folder.path().display().to_string()]);
        let (mut program, line) = Program::start(&mut command, "/authorize?");
        program.wait_for("Callback server started");
        let start: Url = line.trim().parse().unwrap();
        let ada = PEOPLE[0];
        let mut browser = Browser::new().unwrap();
        let target = Self::redirect(self.port);
        let arrived = browser.sign_in(&start, &target, ada.username, ada.password).await.unwrap();
        assert_eq!(browser.open(&arrived).await.unwrap().status, StatusCode::OK);
        assert!(program.wait().success(), "{revision}: {}", program.log());
        results(folder.path())
    }
}

/// The checks that were written, with the name of their scenario.
fn results(folder: &Path) -> Vec<(String, Vec<Value>)> {
    let scenarios = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    scenarios.map(|path| (name(&path), checks(&path))).collect()
}

fn checks(scenario: &Path) -> Vec<Value> {
    let text = fs::read_to_string(scenario.join("checks.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Runs every scenario of every revision: nothing may fail, and nothing may be warned of.
async fn conforms(system: &System) {
    let suite = Suite::new(system).await;
    let mut judged = BTreeSet::new();
    for revision in REVISIONS {
        for (scenario, checks) in suite.run(revision).await {
            assert!(!checks.is_empty(), "{revision} {scenario}");
            for check in checks {
                assert_eq!(check["status"], "SUCCESS", "{revision} {scenario}: {check}");
                judged.insert(check["id"].as_str().unwrap().to_owned());
            }
        }
    }
    assert_eq!(judged.iter().map(String::as_str).collect::<Vec<_>>(), CHECKS);
}

/// The suite knows no other scenario, and none for another revision.
#[test]
fn nothing_that_the_suite_offers_is_left_out() {
    let output = node_script(SUITE).args(["list", "--authorization"]).output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let revisions = format!("[{}]", REVISIONS.join(","));
    let mut lines: Vec<&str> = listed.lines().filter_map(|line| line.trim().strip_prefix("- ")).collect();
    lines.sort_unstable();
    assert_eq!(lines, SCENARIOS.map(|scenario| format!("{scenario} {revisions}")));
}

#[tokio::test]
async fn nothing_fails_and_nothing_is_warned_of_on_sqlite() {
    conforms(&System::start(Options::default())).await;
}

#[tokio::test]
async fn nothing_fails_and_nothing_is_warned_of_on_postgresql() {
    let cluster = PgCluster::start();
    let options = Options { postgres: Some(cluster.create_database()), ..Options::default() };
    conforms(&System::start(options)).await;
}
