//! What is refused before any tool, and before anything reads the body.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::support::{Stack, decision, headers, tool_call};

fn with(name: &'static str, value: &str) -> HeaderMap {
    let mut headers = headers(&decision("t1", "ada"));
    headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    headers
}

fn without(name: &str) -> HeaderMap {
    let mut headers = headers(&decision("t1", "ada"));
    headers.remove(name);
    headers
}

fn twice(name: &'static str) -> HeaderMap {
    let mut headers = headers(&decision("t1", "ada"));
    let value = headers[name].clone();
    headers.append(HeaderName::from_static(name), value);
    headers
}

/// SEC-42, SEC-43, SEC-44, SEC-45, SEC-49, SEC-50: a missing, repeated, malformed or look-alike decision header -> 403
#[tokio::test]
async fn a_request_without_exactly_one_decision_is_refused() {
    let stack = Stack::start().await;
    let cases: Vec<(&str, HeaderMap, &str, &str)> = vec![
        ("nothing", HeaderMap::new(), "x-decided-role", "missing"),
        ("no role", without("x-decided-role"), "x-decided-role", "missing"),
        ("no identity", without("x-source-identity"), "x-source-identity", "missing"),
        ("no tags", without("x-session-tags"), "x-session-tags", "missing"),
        ("no context", without("x-policy-context"), "x-policy-context", "missing"),
        ("no request id", without("x-request-id"), "x-request-id", "missing"),
        ("two roles", twice("x-decided-role"), "x-decided-role", "repeated"),
        ("two contexts", twice("x-policy-context"), "x-policy-context", "repeated"),
        ("look-alike", with("x_decided_role", "x"), "x-decided-role", "look_alike"),
        ("half a look-alike", with("x-source_identity", "x"), "x-source-identity", "look_alike"),
        ("no ARN", with("x-decided-role", "admin"), "x-decided-role", "malformed"),
        (
            "another account",
            with("x-decided-role", "arn:aws:iam::999999999999:role/admin"),
            "x-decided-role",
            "account_not_allowed",
        ),
        (
            "another partition",
            with("x-decided-role", "arn:aws-cn:iam::111122223333:role/quilt-reader"),
            "x-decided-role",
            "other_partition",
        ),
        ("no JSON", with("x-session-tags", "tenant=t1"), "x-session-tags", "malformed"),
        (
            "tag twice",
            with("x-session-tags", r#"{"tenant":"t1","tenant":"t2"}"#),
            "x-session-tags",
            "duplicate_key",
        ),
        ("number as tag", with("x-session-tags", r#"{"tenant":1}"#), "x-session-tags", "not_a_string"),
        ("empty context", with("x-policy-context", "{}"), "x-policy-context", "malformed"),
        (
            "signature nobody checks",
            with("x-decision-signature", "a.b.c"),
            "x-decision-signature",
            "signature_not_supported",
        ),
    ];
    for (case, headers, header, reason) in cases {
        let (status, answer) = stack.send(headers, &tool_call("bucket_list", &json!({}))).await;
        assert_eq!(status, 403, "{case}: {answer}");
        let data = &answer["error"]["data"];
        assert_eq!((&data["header"], &data["reason"]), (&json!(header), &json!(reason)), "{case}");
        assert_eq!(answer["id"], Value::Null, "{case}");
    }
    assert!(stack.sim.calls().is_empty(), "nothing reached AWS");
    assert!(stack.audit_lines().is_empty());
    assert!(stack.metrics().await.contains(r#"reason="look_alike""#));
}

#[tokio::test]
async fn the_clients_token_decides_nothing() {
    let stack = Stack::start().await;
    let mut only_token = HeaderMap::new();
    only_token.insert("authorization", HeaderValue::from_static("Bearer eyJhbGciOiJub25lIn0.e30."));
    let (status, _) = stack.send(only_token, &tool_call("auth_status", &json!({}))).await;
    assert_eq!(status, 403);
    // Not even what gives away nothing but the tools.
    for method in ["initialize", "tools/list", "ping", "server/discover"] {
        let mut garbage = HeaderMap::new();
        garbage.insert("authorization", HeaderValue::from_static("Bearer garbage"));
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": {} });
        assert_eq!(stack.send(garbage, &body).await.0, 403, "{method}");
    }
    let garbage = with("authorization", "Bearer garbage");
    let (status, answer) = stack.send(garbage, &tool_call("auth_status", &json!({}))).await;
    assert_eq!((status, &answer["result"]["isError"]), (200, &json!(false)), "{answer}");
}

#[tokio::test]
async fn every_path_and_method_is_behind_the_door() {
    let stack = Stack::start().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let origin = format!("http://{}", stack.server.public_addr);
    for (method, path) in
        [("GET", "/mcp"), ("DELETE", "/mcp"), ("POST", "/"), ("GET", "/healthz"), ("GET", "/metrics")]
    {
        let answer = client.request(method.parse().unwrap(), format!("{origin}{path}")).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{method} {path}");
    }
    let inside = headers(&decision("t1", "ada"));
    for (method, path, status) in [("GET", "/mcp", 405), ("DELETE", "/mcp", 405), ("GET", "/metrics", 404)] {
        let request =
            client.request(method.parse().unwrap(), format!("{origin}{path}")).headers(inside.clone());
        let answer = request.header("accept", "text/event-stream").send().await.unwrap();
        assert_eq!(answer.status(), status, "{method} {path}");
    }
}

#[tokio::test]
async fn unknown_hosts_and_large_bodies_are_refused() {
    let stack = Stack::start().await;
    let (status, _) = stack.send(with("host", "evil.test"), &tool_call("auth_status", &json!({}))).await;
    assert_eq!(status, 403);
    let large = tool_call("auth_status", &json!({ "x": "a".repeat(1024 * 1024) }));
    let (status, _) = stack.send(headers(&decision("t1", "ada")), &large).await;
    assert_eq!(status, 413);
}

#[tokio::test]
async fn a_session_policy_that_is_not_here_is_refused() {
    let stack = Stack::start().await;
    let mut unknown = decision("t1", "ada");
    unknown.context.session_policy = Some("everything".to_owned());
    let (status, answer) = stack.send(headers(&unknown), &tool_call("auth_status", &json!({}))).await;
    assert_eq!((status, &answer["error"]["data"]["reason"]), (403, &json!("unknown_session_policy")));
}
