//! Real MCP clients, from discovery to the last tool call, through the built programs.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed set-up fails the test"
)]

#[path = "clients/inspector.rs"]
mod inspector;
#[path = "clients/typescript.rs"]
mod typescript;

use std::process::{Command, Output};

use e2e::System;
use serde_json::Value;

/// The tools, in the order in which they are listed.
const TOOLS: [&str; 4] = ["auth_status", "bucket_list", "object_read", "s3_object_list"];

/// An object of Ada's, and what is in it.
const ALLOWED: &str = "s3://acme-lab/projects/apollo/assay.csv";
const CONTENT: &str = "plate,well,signal\n1,A1,0.82\n1,A2,0.79\n";

/// An object of another tenant.
const REFUSED: &str = "s3://globex-lab/readme.txt";

/// Runs a program to its end.
fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// The names of listed tools.
fn names(tools: &Value) -> Vec<&str> {
    tools.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

/// Checks the results of reading [`ALLOWED`], reading [`REFUSED`] and asking who one is, all as Ada.
fn assert_what_ada_may(allowed: &Value, refused: &Value, me: &Value) {
    assert_ne!(allowed["isError"], true, "{allowed}");
    assert_eq!(allowed["structuredContent"]["text"], CONTENT);
    assert_eq!(allowed["structuredContent"]["uri"], ALLOWED);
    assert_eq!(refused["isError"], true, "{refused}");
    let words = refused["content"][0]["text"].as_str().unwrap();
    assert!(words.contains(" may not s3:GetObject"), "{words}");
    let me: Value = serde_json::from_str(me["contents"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(me["mode"], "gateway");
    assert_eq!(me["source_identity"], "ada");
    assert_eq!(me["tenant"], "acme");
    assert_eq!(me["role_arn"], "arn:aws:iam::111122223333:role/data/lab-member");
    assert_eq!(me["tags"], serde_json::json!({ "tenant": "acme" }));
    assert_eq!(me["credentials_available"], true);
}

/// How often Connect Server, which is stopped, recorded an event of this kind.
fn recorded(system: &System, action: &str, outcome: &str) -> usize {
    let events = system.audit("connect-audit.jsonl");
    events.iter().filter(|event| event["action"] == action && event["outcome"] == outcome).count()
}
