//! The tour: every person tries everything in the table, and the audit trail tells it again.

mod report;

use std::{collections::BTreeMap, fs, path::Path};

use reqwest::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

pub use report::render;

use crate::{
    ClientError, McpClient, Stack, ToolAnswer,
    scenario::{Action, Cell, PEOPLE, Person, Verdict, cells},
};

/// What the tour saw.
#[derive(Debug, Serialize)]
pub struct Report {
    /// One entry a person.
    pub people: Vec<Visit>,
    /// What came without a token, or with a wrong one.
    pub strangers: Vec<Stranger>,
    /// Cells whose outcome was not the expected one, in words.
    pub differences: Vec<String>,
}

/// What one person could do.
#[derive(Debug, Serialize)]
pub struct Visit {
    /// Full name.
    pub name: &'static str,
    /// Username.
    pub username: &'static str,
    /// Tenant.
    pub tenant: &'static str,
    /// Identifier of the client that the person signed in with.
    pub client: String,
    /// ARN of the role, if any was decided.
    pub role: Option<String>,
    /// Session tags.
    pub tags: BTreeMap<String, String>,
    /// STS source identity.
    pub source_identity: Option<String>,
    /// Buckets that `bucket_list` gave.
    pub buckets: Vec<String>,
    /// What was tried and what happened, as in `expected.txt`.
    pub outcomes: Vec<Outcome>,
    /// Audit lines about this person: where, action, outcome, reason, and how many.
    pub audit: Vec<AuditLine>,
    /// The last decision about this person, as the audit log of Connect Server has it.
    pub decision: Option<String>,
    /// API calls that the local CloudTrail has under this source identity, and how many.
    pub trail: BTreeMap<String, usize>,
}

/// One thing that was tried.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// `list` or `read`.
    pub action: &'static str,
    /// Bucket and prefix or key.
    pub target: String,
    /// `allowed`, `s3` or `gateway`.
    pub verdict: &'static str,
    /// The words of the refusal.
    pub words: Option<String>,
}

/// A group of like audit lines.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct AuditLine {
    /// Which program recorded it.
    pub program: &'static str,
    /// What was attempted.
    pub action: String,
    /// How it ended.
    pub outcome: String,
    /// Why.
    pub reason: Option<String>,
    /// How many.
    pub count: usize,
}

/// A call by nobody in particular.
#[derive(Debug, Serialize)]
pub struct Stranger {
    /// What was sent.
    pub sent: &'static str,
    /// Status of the answer.
    pub status: u16,
}

/// The tour could not be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TourError {
    /// The client could not go on.
    #[error("{person} could not go on")]
    Client {
        /// Who.
        person: &'static str,
        /// Why.
        source: Box<ClientError>,
    },
    /// Requests failed.
    #[error("a request without a person failed")]
    Http(#[from] reqwest::Error),
    /// The table cannot be read.
    #[error("scenario/expected.txt is not a table of who may do what")]
    Table,
    /// The audit files cannot be read.
    #[error("the audit file {path} cannot be read")]
    Audit {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

/// Takes the tour.
///
/// # Errors
/// When it cannot be taken to its end. A cell that differs is no error but part of the report.
pub async fn take(stack: &Stack) -> Result<Report, TourError> {
    let cells = cells().ok_or(TourError::Table)?;
    let mut differences = Vec::new();
    let mut people = Vec::new();
    for person in &PEOPLE {
        let mine: Vec<&Cell> = cells.iter().filter(|cell| cell.person == person.username).collect();
        let visit = visit(stack, person, &mine, &mut differences).await;
        people
            .push(visit.map_err(|source| TourError::Client { person: person.name, source: source.into() })?);
    }
    let strangers = strangers(stack, &mut differences).await?;
    stack.flush_audit();
    for visit in &mut people {
        let lines = audit_lines(stack, visit)?;
        visit.decision = lines.iter().rev().find(|(_, line)| is_decision(line)).map(|(_, line)| line.clone());
        visit.audit = grouped(&lines);
        visit.trail = trail(stack, visit.source_identity.as_deref());
        check_records(visit, &mut differences);
    }
    Ok(Report { people, strangers, differences })
}

async fn visit(
    stack: &Stack,
    person: &Person,
    cells: &[&Cell],
    differences: &mut Vec<String>,
) -> Result<Visit, ClientError> {
    let client = McpClient::sign_in(&stack.mcp_url(), person.username, person.password).await?;
    let status = match client.call_tool("auth_status", json!({})).await? {
        ToolAnswer::Done(status) => status,
        ToolAnswer::ToolError(_) | ToolAnswer::Refused(..) => Value::Null,
    };
    let text = |name: &str| status.get(name).and_then(Value::as_str).map(str::to_owned);
    let tags = status.get("tags").and_then(|tags| serde_json::from_value(tags.clone()).ok());
    let buckets = match client.call_tool("bucket_list", json!({})).await? {
        ToolAnswer::Done(answer) => names(&answer),
        ToolAnswer::ToolError(_) | ToolAnswer::Refused(..) => Vec::new(),
    };
    let mut outcomes = Vec::new();
    for cell in cells {
        let outcome = attempt(&client, cell).await?;
        if outcome.verdict != cell.expected.as_str() {
            differences.push(format!(
                "{} {} {}: expected {}, found {} ({})",
                cell.person,
                outcome.action,
                outcome.target,
                cell.expected.as_str(),
                outcome.verdict,
                outcome.words.as_deref().unwrap_or("it worked"),
            ));
        }
        outcomes.push(outcome);
    }
    Ok(Visit {
        name: person.name,
        username: person.username,
        tenant: person.tenant,
        client: client.tokens().client_id.clone(),
        role: text("role_arn"),
        tags: tags.unwrap_or_default(),
        source_identity: text("source_identity"),
        buckets,
        outcomes,
        audit: Vec::new(),
        decision: None,
        trail: BTreeMap::new(),
    })
}

async fn attempt(client: &McpClient, cell: &Cell) -> Result<Outcome, ClientError> {
    let (action, answer) = match cell.action {
        Action::List => {
            let arguments = json!({ "bucket": cell.bucket, "prefix": cell.key });
            ("list", client.call_tool("s3_object_list", arguments).await?)
        }
        Action::Read => {
            let uri = format!("s3://{}/{}", cell.bucket, cell.key);
            ("read", client.call_tool("object_read", json!({ "uri": uri })).await?)
        }
    };
    let (verdict, words) = match answer {
        ToolAnswer::Done(_) => (Verdict::Allowed.as_str(), None),
        ToolAnswer::ToolError(words) if words.contains(" may not s3:") => (Verdict::S3.as_str(), Some(words)),
        ToolAnswer::ToolError(words) => ("error", Some(words)),
        ToolAnswer::Refused(StatusCode::FORBIDDEN, words) => (Verdict::Gateway.as_str(), Some(words)),
        ToolAnswer::Refused(status, words) => ("error", Some(format!("{status}: {words}"))),
    };
    Ok(Outcome { action, target: format!("{}/{}", cell.bucket, cell.key), verdict, words })
}

fn names(answer: &Value) -> Vec<String> {
    let buckets = answer.get("buckets").and_then(Value::as_array);
    let name = |bucket: &Value| bucket.get("name").and_then(Value::as_str).map(str::to_owned);
    buckets.into_iter().flatten().filter_map(name).collect()
}

async fn strangers(stack: &Stack, differences: &mut Vec<String>) -> Result<Vec<Stranger>, TourError> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let call =
        || http.post(stack.mcp_url()).json(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }));
    let forged = "arn:aws:iam::111122223333:role/data/lab-member";
    let direct =
        http.post(stack.upstream_url()).json(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }));
    let mut strangers = Vec::new();
    for (sent, request, expected) in [
        ("no token", call(), StatusCode::UNAUTHORIZED),
        ("a token that is none", call().bearer_auth("garbage"), StatusCode::UNAUTHORIZED),
        ("forged decision headers", call().header("x-decided-role", forged), StatusCode::UNAUTHORIZED),
        ("straight to the tools server", direct, StatusCode::FORBIDDEN),
    ] {
        let status = request.send().await?.status();
        if status != expected {
            differences.push(format!("{sent}: expected {expected}, found {status}"));
        }
        strangers.push(Stranger { sent, status: status.as_u16() });
    }
    Ok(strangers)
}

/// Every audit line about a person, with the program that wrote it.
fn audit_lines(stack: &Stack, visit: &Visit) -> Result<Vec<(&'static str, String)>, TourError> {
    let mut lines = Vec::new();
    for (program, path) in stack.audit_files() {
        for line in read_lines(&path)? {
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            let is = |member: &str, value: &str| event.get(member).and_then(Value::as_str) == Some(value);
            // Consent and registration happen before it is known who sits there: the client joins them.
            let names = is("subject", visit.username) || is("source_identity", visit.username);
            if names || is("client", &visit.client) {
                lines.push((program, line));
            }
        }
    }
    Ok(lines)
}

fn is_decision(line: &str) -> bool {
    [r#""action":"allow""#, r#""action":"deny""#].iter().any(|action| line.contains(action))
}

fn grouped(lines: &[(&'static str, String)]) -> Vec<AuditLine> {
    let mut groups: BTreeMap<AuditLine, usize> = BTreeMap::new();
    for (program, line) in lines {
        let event: Value = serde_json::from_str(line).unwrap_or_default();
        let text = |name: &str| event.get(name).and_then(Value::as_str).map(str::to_owned);
        let group = AuditLine {
            program,
            action: text("action").unwrap_or_default(),
            outcome: text("outcome").unwrap_or_default(),
            reason: text("reason"),
            count: 0,
        };
        *groups.entry(group).or_default() += 1;
    }
    groups.into_iter().map(|(line, count)| AuditLine { count, ..line }).collect()
}

fn read_lines(path: &Path) -> Result<Vec<String>, TourError> {
    let text = fs::read_to_string(path)
        .map_err(|source| TourError::Audit { path: path.display().to_string(), source })?;
    Ok(text.lines().map(str::to_owned).collect())
}

fn trail(stack: &Stack, source_identity: Option<&str>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for name in stack.trail(source_identity.unwrap_or_default()) {
        *counts.entry(name).or_default() += 1;
    }
    counts
}

/// Whoever was decided upon must stand in both audit files and in the trail.
fn check_records(visit: &Visit, differences: &mut Vec<String>) {
    let recorded = |action: &str| visit.audit.iter().any(|line| line.action == action);
    let expected: &[&str] = match visit.role {
        Some(_) => &["login", "consent", "token_issue", "allow", "role_assumption", "tool_call"],
        None => &["login", "consent", "token_issue", "deny"],
    };
    for action in expected.iter().filter(|action| !recorded(action)) {
        differences.push(format!("{}: no audit line says {action}", visit.username));
    }
    if visit.role.is_some() && visit.trail.is_empty() {
        differences.push(format!("{}: the trail does not name this person", visit.username));
    }
}
