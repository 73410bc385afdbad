//! Requests as bytes on a socket: what no well-behaved client sends.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{ROLE, Stack, decision, headers, tool_call};

/// For the last request of a connection.
const CLOSE: &str = "connection: close\r\n";

/// The head of a request of a person, with further lines and without its end.
fn head(person: Option<&str>, lines: &str) -> String {
    let mut head = "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                    accept: application/json, text/event-stream\r\n"
        .to_owned();
    if let Some(person) = person {
        head += &decision_lines(person);
    }
    head + lines
}

fn decision_lines(person: &str) -> String {
    let headers = headers(&decision("t1", person));
    let lines: Vec<String> =
        headers.iter().map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap())).collect();
    lines.concat()
}

fn request(person: Option<&str>, lines: &str, body: &str) -> String {
    format!("{}content-length: {}\r\n\r\n{body}", head(person, lines), body.len())
}

fn chunked(person: Option<&str>, lines: &str, body: &str, trailers: &str) -> String {
    let head = head(person, lines);
    format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n{trailers}\r\n", body.len())
}

async fn exchange(stack: &Stack, bytes: &str) -> String {
    let mut stream = TcpStream::connect(stack.server.public_addr).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A server that closes with unread input resets the connection, after its answer.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

fn statuses(answers: &str) -> Vec<u16> {
    let after = answers.split("HTTP/1.1 ").skip(1);
    after.map(|answer| answer.split_once(' ').unwrap().0.parse().unwrap()).collect()
}

fn who() -> String {
    tool_call("auth_status", &json!({})).to_string()
}

/// A connection has no memory: each request stands by its own headers.
#[tokio::test]
async fn pipelined_requests_are_decided_one_by_one() {
    let stack = Stack::start().await;
    let requests = [(Some("ada"), ""), (None, ""), (Some("ben"), ""), (None, CLOSE)];
    let requests = requests.map(|(person, lines)| request(person, lines, &who()));
    let answers = exchange(&stack, &requests.concat()).await;
    assert_eq!(statuses(&answers), [200, 403, 200, 403], "{answers}");
    let (ada, ben) = (answers.find("You are ada").unwrap(), answers.find("You are ben").unwrap());
    assert!(ada < ben, "{answers}");
}

/// The body of a refused request is not read, and is not taken for the next request either.
#[tokio::test]
async fn a_request_within_a_refused_body_is_not_answered() {
    let stack = Stack::start().await;
    let within = request(Some("ada"), "", &who());
    for outer in [request(None, "", &within), chunked(None, "", &within, "")] {
        let answers = exchange(&stack, &(outer + &request(Some("ben"), CLOSE, &who()))).await;
        assert_eq!(statuses(&answers), [403, 200], "{answers}");
        assert!(answers.contains("You are ben") && !answers.contains("ada"), "{answers}");
    }
}

/// The coding counts and the length does not (RFC 9112 section 6.3); the connection ends with the answer, so that what
/// another reader would take for the next request is none.
#[tokio::test]
async fn a_length_beside_a_coding_is_the_last_request() {
    let stack = Stack::start().await;
    let next = request(Some("ben"), CLOSE, &who());
    for lines in ["content-length: 5\r\n", "content-length: 100000\r\n"] {
        let answers = exchange(&stack, &(chunked(Some("ada"), lines, &who(), "") + &next)).await;
        assert_eq!(statuses(&answers), [200], "{answers}");
        assert!(answers.contains("You are ada") && answers.contains("connection: close"), "{answers}");
    }
}

/// SEC-44: a decision in the trailers -> it decides nothing
#[tokio::test]
async fn trailers_decide_nothing() {
    let stack = Stack::start().await;
    let admin = "x-decided-role: arn:aws:iam::111122223333:role/admin\r\n";
    let lines = format!("{CLOSE}trailer: x-decided-role\r\n");
    let answer = exchange(&stack, &chunked(Some("ada"), &lines, &who(), admin)).await;
    assert!(answer.contains(ROLE) && !answer.contains("role/admin"), "{answer}");
    let all = decision_lines("ada");
    assert_eq!(statuses(&exchange(&stack, &chunked(None, CLOSE, &who(), &all)).await), [403]);
}

/// SEC-46: a request that two parsers read differently -> 400
#[tokio::test]
async fn ambiguous_requests_are_refused() {
    let stack = Stack::start().await;
    let body = who();
    let good = |lines: &str| request(Some("ada"), &format!("{CLOSE}{lines}"), &body);
    let cases = [
        ("folded", good("x-a: b\r\n c\r\n")),
        ("bare CR", good("x-a: b\rx-decided-role: c\r\n")),
        ("NUL", good("x-a: b\0c\r\n")),
        ("space before the colon", good("x-decided-role : c\r\n")),
        ("two lengths", good("content-length: 5\r\n")),
        ("signed length", good("").replace("content-length: ", "content-length: +")),
        ("unknown coding", good("transfer-encoding: xchunked\r\n")),
        ("two codings", good("transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n")),
        ("two hosts", good("host: evil.test\r\n")),
        ("another host in the target", good("").replace("POST /mcp", "POST http://evil.test/mcp")),
        ("no host", good("").replace("host: localhost\r\n", "")),
        ("HTTP/0.9", "GET /mcp\r\n\r\n".to_owned()),
    ];
    for (case, bytes) in cases {
        let answer = exchange(&stack, &bytes).await;
        assert_eq!(statuses(&answer).first().copied(), Some(400), "{case}: {answer}");
        assert!(!answer.contains("You are"), "{case}: {answer}");
    }
    for (case, lines) in [
        ("a long header", format!("x-a: {}\r\n", "a".repeat(40_000))),
        ("many headers", "x-a: b\r\n".repeat(200)),
    ] {
        // Closing with unread input may reset the connection before the answer is read.
        let answers = statuses(&exchange(&stack, &good(&lines)).await);
        assert!(matches!(answers.as_slice(), [] | [431]), "{case}: {answers:?}");
    }
}

/// A line end without CR is permitted (RFC 9112 section 2.2): what follows is a header like any other.
#[tokio::test]
async fn a_header_after_a_bare_line_feed_counts() {
    let stack = Stack::start().await;
    let second = request(Some("ada"), &format!("{CLOSE}x-a: b\nx-decided-role: {ROLE}\r\n"), &who());
    let answer = exchange(&stack, &second).await;
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("repeated"), "{answer}");
}

#[tokio::test]
async fn bodies_that_are_no_message_are_said_to_be_none() {
    let stack = Stack::start().await;
    let deep = "[".repeat(100_000);
    let object = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let nested = tool_call("auth_status", &json!({})).to_string().replace("{}", &object);
    let twice = r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{}}"#;
    for body in ["", "{", "nonsense", &deep, &nested, twice] {
        let answer = exchange(&stack, &request(Some("ada"), CLOSE, body)).await;
        assert_eq!(statuses(&answer), [400], "{answer}");
        let (_, json) = answer.split_once("\r\n\r\n").unwrap();
        let answer: Value = serde_json::from_str(json).unwrap();
        assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(-32700), &Value::Null));
    }
}

/// Nothing lets a page of another origin in: no CORS, and not without the gateway's headers.
#[tokio::test]
async fn browsers_are_told_nothing() {
    let stack = Stack::start().await;
    let preflight = format!("{CLOSE}origin: https://evil.test\r\naccess-control-request-method: POST\r\n");
    for (person, status) in [(None, 403), (Some("ada"), 405)] {
        let bytes = request(person, &preflight, "").replacen("POST", "OPTIONS", 1);
        let answer = exchange(&stack, &bytes).await;
        assert_eq!(statuses(&answer), [status]);
        assert!(!answer.to_lowercase().contains("access-control"), "{answer}");
    }
}
