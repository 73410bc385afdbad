//! The policy on one page: who, with which claims, gets what. The page is `matrix.txt`, made from `matrix.toml`.
//!
//! A change of either, or of how decisions are made, is a difference of that page for a reviewer to read.
#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test")]

use std::{fmt::Write, fs, path::Path};

use role_mapper::{Mapping, Query, RoleDecision, decide};
use serde_json::{Value, json};

const PEOPLE: &[(&str, &str)] = &[
    ("https://idp.example.com", "ada"),
    ("https://idp.example.com", "bob"),
    ("https://idp.example.com", "dave"),
    ("https://idp.example.com", "erin"),
    ("https://idp.example.com", "mallory"),
    ("https://login.partner.example", "ada"),
    ("https://login.partner.example", "bob"),
];
const TENANTS: &[Option<&str>] = &[None, Some("acme"), Some("globex"), Some("initech"), Some("umbrella")];

fn claims() -> Vec<(&'static str, Value)> {
    vec![
        ("none", json!({})),
        ("readers", json!({"groups": ["readers"], "department": "lab"})),
        ("placeless", json!({"groups": ["readers"]})),
        ("both", json!({"groups": ["readers", "writers"], "department": "lab"})),
        ("writers", json!({"groups": ["writers"]})),
        ("analysts", json!({"groups": ["analysts"], "email_verified": true})),
        ("unverified", json!({"groups": ["analysts"], "email_verified": "true"})),
        ("text", json!({"groups": "readers writers analysts", "email_verified": true})),
    ]
}

fn answer(mapping: &Mapping, query: &Query<'_>) -> String {
    match decide(mapping, query) {
        RoleDecision::Deny(reason) => format!("deny {reason:?}"),
        RoleDecision::Grant(grant) => {
            let tags: Vec<_> = grant.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let mut text = format!(
                "{}/{} by #{} for {} s",
                grant.tenant,
                grant.role,
                grant.by,
                grant.duration.as_secs()
            );
            if !tags.is_empty() {
                write!(text, " with {}", tags.join(", ")).unwrap();
            }
            if let Some(policy) = grant.session_policy {
                write!(text, " within {policy}").unwrap();
            }
            if let (Some(rate), Some(burst)) = (grant.limits.requests_per_minute, grant.limits.burst) {
                write!(text, " at {rate}/min, {burst} at once").unwrap();
            }
            text
        }
    }
}

fn page(mapping: &Mapping) -> String {
    let mut page = String::from("# Made by tests/matrix.rs from tests/matrix.toml.\n\n# Claims\n");
    let claims: Vec<_> = claims();
    for (name, value) in &claims {
        writeln!(page, "{name:<12}{value}").unwrap();
    }
    for service in ["platform", "operations"] {
        for (issuer, subject) in PEOPLE {
            writeln!(page, "\n# {subject} of {issuer} calls {service}").unwrap();
            for tenant in TENANTS {
                for (names, answer) in answers(mapping, (issuer, subject), *tenant, service, &claims) {
                    let names =
                        if names.len() == claims.len() { "any claims".to_owned() } else { names.join(" ") };
                    writeln!(page, "{:<10}{names} -> {answer}", tenant.unwrap_or("-")).unwrap();
                }
            }
        }
    }
    page
}

/// The answers in the order of the claims, each with the names of the claims that lead to it.
fn answers<'n>(
    mapping: &Mapping,
    (issuer, subject): (&str, &str),
    tenant: Option<&str>,
    service: &str,
    claims: &[(&'n str, Value)],
) -> Vec<(Vec<&'n str>, String)> {
    let mut answers: Vec<(Vec<&str>, String)> = Vec::new();
    for (name, value) in claims {
        let query = Query { issuer, subject, tenant, claims: value.as_object().unwrap(), service };
        let answer = answer(mapping, &query);
        match answers.iter_mut().find(|(_, known)| *known == answer) {
            Some((names, _)) => names.push(name),
            None => answers.push((vec![name], answer)),
        }
    }
    answers
}

#[test]
fn the_page_is_what_was_reviewed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let document = toml::from_str(&fs::read_to_string(folder.join("matrix.toml")).unwrap()).unwrap();
    let now = page(&Mapping::new(&document).unwrap());
    let reviewed = fs::read_to_string(folder.join("matrix.txt")).unwrap_or_default();
    if now == reviewed {
        return;
    }
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join("matrix.txt");
    fs::write(&made, &now).unwrap();
    let (before, after) = (under_headings(&reviewed), under_headings(&now));
    for line in before.iter().filter(|line| !after.contains(line)) {
        println!("- {line}");
    }
    for line in after.iter().filter(|line| !before.contains(line)) {
        println!("+ {line}");
    }
    panic!(
        "decisions changed. If that is meant: cp {} {}",
        made.display(),
        folder.join("matrix.txt").display()
    );
}

/// Each line after its heading, so that equal lines of two people are told apart.
fn under_headings(page: &str) -> Vec<String> {
    let mut heading = "";
    let mut lines = Vec::new();
    for line in page.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("# ") {
            Some(text) => heading = text,
            None => lines.push(format!("{heading}: {line}")),
        }
    }
    lines
}
