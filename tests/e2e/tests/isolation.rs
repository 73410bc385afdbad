//! Two tenants, three people and one without a role: every cell of the committed table of who may do what, through the
//! built programs, on SQLite and on PostgreSQL (SEC-68).
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed set-up fails the test"
)]

use std::collections::BTreeMap;

use e2e::{Options, System};
use pg_fixture::PgCluster;
use quickstart::{
    McpClient, ToolAnswer,
    scenario::{Action, Cell, PEOPLE, cells},
};
use reqwest::StatusCode;
use serde_json::{Value, json};

async fn outcome(client: &McpClient, cell: &Cell) -> String {
    let answer = match cell.action {
        Action::List => {
            client.call_tool("s3_object_list", json!({ "bucket": cell.bucket, "prefix": cell.key })).await
        }
        Action::Read => {
            client
                .call_tool("object_read", json!({ "uri": format!("s3://{}/{}", cell.bucket, cell.key) }))
                .await
        }
    };
    match answer.unwrap() {
        ToolAnswer::Done(_) => "allowed".into(),
        ToolAnswer::ToolError(words) if words.contains(" may not s3:") => "s3".into(),
        ToolAnswer::Refused(StatusCode::FORBIDDEN, _) => "gateway".into(),
        other => format!("{other:?}"),
    }
}

async fn every_cell(system: &System) {
    let cells = cells().unwrap();
    let mut clients = BTreeMap::new();
    for person in PEOPLE {
        let client = McpClient::sign_in(&system.mcp_url(), person.username, person.password).await.unwrap();
        clients.insert(person.username, client);
    }
    // Round robin over the people, so that the calls of different roles follow each other closely.
    let mut differences = Vec::new();
    for round in 0.. {
        let mut called = false;
        for person in PEOPLE {
            let Some(cell) = cells.iter().filter(|cell| cell.person == person.username).nth(round) else {
                continue;
            };
            called = true;
            let found = outcome(&clients[person.username], cell).await;
            if found != cell.expected.as_str() {
                differences.push(format!("{cell:?}: {found}"));
            }
        }
        if !called {
            break;
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
}

/// Every S3 call stands in the trail under the person who made it, with that person's tags.
async fn the_trail_names_everybody(system: &System) {
    let trail: Value =
        reqwest::get(format!("{}/_sim/trail", system.aws_url)).await.unwrap().json().await.unwrap();
    let records = trail["Records"].as_array().unwrap();
    let s3: Vec<&Value> =
        records.iter().filter(|record| record["eventSource"] == "s3.amazonaws.com").collect();
    assert!(s3.len() > 30, "{}", s3.len());
    for record in s3 {
        let tags = match record["sourceIdentity"].as_str() {
            Some("ada") => json!({ "tenant": "acme" }),
            Some("ben") => json!({ "tenant": "acme", "project": "apollo" }),
            Some("cleo") => json!({ "tenant": "globex" }),
            other => panic!("a call by {other:?}: {record}"),
        };
        assert_eq!(record["principalTags"], tags, "{record}");
    }
    let assumed = records.iter().filter(|record| record["eventName"] == "AssumeRole").count();
    assert_eq!(assumed, 3, "one session a person");
}

/// One decision id joins the gateway's event, the assumption of the role and the tool call.
fn the_audit_joins(system: &System) {
    let allowed = system.audit("connect-audit.jsonl");
    let worked = system.audit("tools-audit.jsonl");
    let call = worked.iter().find(|event| event["action"] == "tool_call").unwrap();
    let request = call["request_id"].as_str().unwrap();
    let allow = allowed.iter().find(|event| event["request_id"] == request).unwrap();
    assert_eq!(allow["action"], "allow");
    for member in ["decision_id", "role_arn", "tags", "policy_id", "tenant", "source_identity"] {
        assert!(!allow[member].is_null(), "{member} is missing: {allow}");
        assert_eq!(allow[member], call[member], "{member}");
    }
    assert!(worked.iter().any(|event| {
        event["action"] == "role_assumption" && event["source_identity"] == allow["source_identity"]
    }));
    for action in ["registration", "consent", "login", "token_issue", "deny"] {
        assert!(allowed.iter().any(|event| event["action"] == action), "{action}");
    }
}

#[tokio::test]
async fn everybody_may_do_exactly_what_is_theirs_on_sqlite() {
    let mut system = System::start(Options::default());
    every_cell(&system).await;
    the_trail_names_everybody(&system).await;
    system.stop();
    the_audit_joins(&system);
}

#[tokio::test]
async fn everybody_may_do_exactly_what_is_theirs_on_postgresql() {
    let cluster = PgCluster::start();
    let system = System::start(Options { postgres: Some(cluster.create_database()), ..Options::default() });
    every_cell(&system).await;
    the_trail_names_everybody(&system).await;
}
