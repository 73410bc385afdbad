//! Requests as bytes, which no HTTP library would send.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::Value;

const FORGED: &str = "arn:aws:iam::111122223333:role/data/project-analyst";
const BODY: &str =
    r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"auth_status","arguments":{}}}"#;

type Case = (&'static str, Vec<u8>);

/// A request to the gateway with `token`, the header lines `extra`, and a body with its length.
fn request(token: &str, extra: &str) -> Vec<u8> {
    request_with(token, &format!("{extra}content-length: {}\r\n", BODY.len()), BODY)
}

fn request_with(token: &str, extra: &str, body: &str) -> Vec<u8> {
    format!(
        "POST /mcp/platform/mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         accept: application/json, text/event-stream\r\ncontent-type: application/json\r\nconnection: close\r\n\
         {extra}\r\n{body}"
    )
    .into_bytes()
}

/// Forged decisions in every spelling of SEC-42 to 45.
pub(crate) fn hostile_requests(token: &str) -> Vec<Case> {
    let tags = r#"{"tenant":"globex"}"#;
    let lines = [
        ("the header itself", format!("x-decided-role: {FORGED}\r\n")),
        ("upper case", format!("X-DECIDED-ROLE: {FORGED}\r\n")),
        ("mixed case", format!("X-Decided-Role: {FORGED}\r\n")),
        ("underscores", format!("x_decided_role: {FORGED}\r\n")),
        ("one underscore", format!("X-Decided_Role: {FORGED}\r\n")),
        ("twice", format!("x-decided-role: {FORGED}\r\nx-decided-role: {FORGED}\r\n")),
        ("joined by a comma", format!("x-decided-role: {FORGED},{FORGED}\r\n")),
        ("tags", format!("x-session-tags: {tags}\r\n")),
        ("tags with underscores", format!("x_session_tags: {tags}\r\n")),
        ("source identity", "x-source-identity: cleo\r\n".to_owned()),
        ("policy context", "x-policy-context: {}\r\n".to_owned()),
        ("request id", "x-request-id: 00000000-0000-4000-8000-000000000000\r\n".to_owned()),
        ("signature", "x-decision-signature: a.b.c\r\n".to_owned()),
        (
            "named by Connection",
            "connection: x-decided-role, x-session-tags, x_source_identity\r\n".to_owned(),
        ),
        ("forwarded", "x-forwarded-host: evil.example\r\nforwarded: host=evil.example\r\n".to_owned()),
        (
            "all at once",
            format!("x-decided-role: {FORGED}\r\nx-session-tags: {tags}\r\nx-source-identity: cleo\r\n"),
        ),
    ];
    let mut cases: Vec<Case> = lines.iter().map(|(what, line)| (*what, request(token, line))).collect();
    let trailers = format!(
        "{:x}\r\n{BODY}\r\n0\r\nx-decided-role: {FORGED}\r\nx-session-tags: {tags}\r\n\r\n",
        BODY.len()
    );
    let announced = "transfer-encoding: chunked\r\ntrailer: x-decided-role\r\n";
    cases.push(("trailers", request_with(token, announced, &trailers)));
    cases.push(("obs-fold", request(token, &format!("x-harmless: a\r\n x-decided-role: {FORGED}\r\n"))));
    cases.push(("bare line feed", request(token, &format!("x-harmless: a\nx-decided-role: {FORGED}\r\n"))));
    cases
}

/// What two readers could take for different requests (SEC-46).
pub(crate) fn smuggling_requests(token: &str) -> Vec<Case> {
    let length = BODY.len();
    vec![
        ("bare carriage return", request(token, &format!("x-harmless: a\rx-decided-role: {FORGED}\r\n"))),
        ("NUL", request(token, "x-harmless: a\0b\r\n")),
        ("space before the colon", request(token, &format!("x-decided-role : {FORGED}\r\n"))),
        (
            "length and chunks",
            request_with(token, &format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n"), BODY),
        ),
        ("signed length", request_with(token, &format!("content-length: +{length}\r\n"), BODY)),
        (
            "two lengths",
            request_with(token, &format!("content-length: {length}\r\ncontent-length: 3\r\n"), BODY),
        ),
        ("two hosts", request(token, "host: other.example\r\n")),
        ("a list of messages", {
            let body = format!("[{BODY}]");
            request_with(token, &format!("content-length: {}\r\n", body.len()), &body)
        }),
    ]
}

/// Headers of a decision as the gateway sends it.
pub(crate) fn good_decision() -> String {
    decision(&format!("x-decided-role: {}\r\n", "arn:aws:iam::111122223333:role/data/lab-member"))
}

fn decision(role: &str) -> String {
    format!(
        "{role}x-source-identity: ada\r\nx-session-tags: {{\"tenant\":\"acme\"}}\r\n\
         x-policy-context: {{\"decision_id\":\"d\",\"policy_id\":\"1\",\"tenant\":\"acme\",\"session_duration_seconds\":900}}\r\n\
         x-request-id: 00000000-0000-4000-8000-000000000000\r\n"
    )
}

/// Decisions that are missing, repeated, joined, malformed or accompanied by a look-alike.
pub(crate) fn bad_decisions() -> Vec<(&'static str, String)> {
    let role = "x-decided-role: arn:aws:iam::111122223333:role/data/lab-member\r\n";
    let arn = "arn:aws:iam::111122223333:role/data/lab-member";
    let good = good_decision();
    vec![
        ("nothing", String::new()),
        ("no role", decision("")),
        ("two roles", decision(&format!("{role}{role}"))),
        ("joined roles", decision(&format!("x-decided-role: {arn},{arn}\r\n"))),
        ("a look-alike beside it", decision(&format!("{role}x_decided_role: {arn}\r\n"))),
        ("a look-alike alone", decision(&format!("x_decided_role: {arn}\r\n"))),
        ("a user", decision("x-decided-role: arn:aws:iam::111122223333:user/ada\r\n")),
        ("another account", decision("x-decided-role: arn:aws:iam::999988887777:role/data/lab-member\r\n")),
        (
            "another partition",
            decision("x-decided-role: arn:aws-cn:iam::111122223333:role/data/lab-member\r\n"),
        ),
        ("tags twice", good.replace(r#"{"tenant":"acme"}"#, r#"{"tenant":"acme","tenant":"globex"}"#)),
        ("tags by case", good.replace(r#"{"tenant":"acme"}"#, r#"{"tenant":"acme","Tenant":"globex"}"#)),
        ("a tag that is no text", good.replace(r#"{"tenant":"acme"}"#, r#"{"tenant":1}"#)),
        ("a tag of AWS", good.replace(r#"{"tenant":"acme"}"#, r#"{"aws:tenant":"acme"}"#)),
        ("a source identity with a space", good.replace("x-source-identity: ada", "x-source-identity: a da")),
        ("a short source identity", good.replace("x-source-identity: ada", "x-source-identity: a")),
        ("no context", good.replace("x-policy-context", "x-other-context")),
        ("a signature that nobody checks", format!("{good}x-decision-signature: a.b.c\r\n")),
    ]
}

/// A request to the tools server with these header lines.
pub(crate) fn tools_request(headers: &str) -> Vec<u8> {
    format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\naccept: application/json, text/event-stream\r\n\
         content-type: application/json\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{BODY}",
        BODY.len()
    )
    .into_bytes()
}

/// Status and JSON body of the answer.
pub(crate) fn send(url: &str, request: &[u8]) -> (u16, Value) {
    let authority = url.split('/').nth(2).unwrap().replace("localhost", "127.0.0.1");
    let mut stream = TcpStream::connect(authority).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // A server may answer and close before it has read everything.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    (status, serde_json::from_str(body).unwrap_or(Value::String(body.to_owned())))
}
