//! Both protocol eras on one URL, by raw JSON-RPC.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::support::{Stack, decision, headers};

fn legacy(version: Option<&str>) -> HeaderMap {
    let mut headers = headers(&decision("t1", "ada"));
    if let Some(version) = version {
        headers.insert("mcp-protocol-version", HeaderValue::from_str(version).unwrap());
    }
    headers
}

fn request(method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

fn modern(method: &str, mut params: Value) -> (HeaderMap, Value) {
    let mut headers = legacy(Some("2026-07-28"));
    headers.insert("mcp-method", HeaderValue::from_str(method).unwrap());
    if let Some(name) = params.get("name").or_else(|| params.get("uri")) {
        let value = HeaderValue::from_str(name.as_str().unwrap()).unwrap();
        headers.insert(HeaderName::from_static("mcp-name"), value);
    }
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
    });
    (headers, request(method, &params))
}

#[tokio::test]
async fn legacy_clients_initialize_and_call() {
    let stack = Stack::start().await;
    for (asked, given) in [
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2024-11-05", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
    ] {
        let params = json!({
            "protocolVersion": asked,
            "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" },
        });
        let (status, answer) = stack.send(legacy(None), &request("initialize", &params)).await;
        assert_eq!((status, &answer["result"]["protocolVersion"]), (200, &json!(given)), "{asked}: {answer}");
        assert!(answer["result"]["capabilities"].get("prompts").is_none());
        let instructions = answer["result"]["instructions"].as_str().unwrap();
        assert!(instructions.contains("your own IAM role"), "{instructions}");
    }
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let (status, body) = stack.send(legacy(Some("2025-06-18")), &initialized).await;
    assert_eq!((status, body), (202, Value::String(String::new())));

    // A client of 2024-11-05 is offered another revision; if it goes on with its own, it is served.
    for version in [None, Some("2024-11-05"), Some("2025-03-26"), Some("2025-06-18"), Some("2025-11-25")] {
        let (_, pong) = stack.send(legacy(version), &request("ping", &json!({}))).await;
        assert_eq!(pong["result"], json!({}), "{version:?}");
        let (_, listed) = stack.send(legacy(version), &request("tools/list", &json!({}))).await;
        let tools = listed["result"]["tools"].as_array().unwrap();
        assert_eq!(tools.len(), 4, "{listed}");
        assert!(tools.iter().all(|tool| tool["title"].is_string()), "{listed}");
        let call = json!({ "name": "object_read", "arguments": { "uri": "s3://t1-data/who.txt" } });
        let (_, read) = stack.send(legacy(version), &request("tools/call", &call)).await;
        assert_eq!(read["result"]["structuredContent"]["text"], "data of t1", "{read}");
        assert!(read["result"].get("resultType").is_none(), "{read}");
        let (_, prompts) = stack.send(legacy(version), &request("prompts/list", &json!({}))).await;
        assert_eq!(prompts["error"]["code"], -32601);
    }
}

#[tokio::test]
async fn modern_clients_discover_and_call() {
    let stack = Stack::start().await;
    let (headers, body) = modern("server/discover", json!({}));
    let (status, answer) = stack.send(headers, &body).await;
    assert_eq!(status, 200, "{answer}");
    let versions = json!(["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"]);
    assert_eq!(answer["result"]["supportedVersions"], versions, "{answer}");

    let (headers, body) = modern("tools/list", json!({}));
    let (_, listed) = stack.send(headers, &body).await;
    assert_eq!((&listed["result"]["cacheScope"], &listed["result"]["ttlMs"]), (&json!("private"), &json!(0)));
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), 4, "{listed}");

    let call = json!({ "name": "object_read", "arguments": { "uri": "s3://t1-data/who.txt" } });
    let (headers, body) = modern("tools/call", call);
    let (_, read) = stack.send(headers, &body).await;
    assert_eq!(read["result"]["structuredContent"]["text"], "data of t1", "{read}");
    assert_eq!(read["result"]["resultType"], "complete");

    let (headers, body) = modern("resources/read", json!({ "uri": "quilt-platform://me" }));
    let (_, me) = stack.send(headers, &body).await;
    assert_eq!(me["result"]["cacheScope"], "private", "{me}");
    let status: Value = serde_json::from_str(me["result"]["contents"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!((&status["source_identity"], &status["mode"]), (&json!("ada"), &json!("gateway")));

    for method in ["ping", "prompts/list", "subscriptions/listen"] {
        let params =
            if method == "subscriptions/listen" { json!({ "notifications": {} }) } else { json!({}) };
        let (headers, body) = modern(method, params);
        let (_, answer) = stack.send(headers, &body).await;
        assert_eq!(answer["error"]["code"], -32601, "{method}: {answer}");
    }
}

#[tokio::test]
async fn headers_that_contradict_the_body_are_refused() {
    let stack = Stack::start().await;
    let call = json!({ "name": "bucket_list", "arguments": {} });
    for (name, value) in [("mcp-method", "tools/list"), ("mcp-name", "auth_status")] {
        let (mut headers, body) = modern("tools/call", call.clone());
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        let (status, answer) = stack.send(headers, &body).await;
        assert_eq!((status, &answer["error"]["code"]), (400, &json!(-32020)), "{name}: {answer}");
    }
}

#[tokio::test]
async fn versions_that_are_not_tested_are_refused() {
    let stack = Stack::start().await;
    let (status, _) = stack.send(legacy(Some("1999-01-01")), &request("tools/list", &json!({}))).await;
    assert_eq!(status, 400);
    let (mut headers, mut body) = modern("tools/list", json!({}));
    headers.insert("mcp-protocol-version", HeaderValue::from_static("2027-01-01"));
    body["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2027-01-01");
    let (status, answer) = stack.send(headers, &body).await;
    assert_eq!((status, &answer["error"]["code"]), (400, &json!(-32022)), "{answer}");
}

#[tokio::test]
async fn batches_and_nonsense_are_refused() {
    let stack = Stack::start().await;
    let ping = request("ping", &json!({}));
    for body in [json!([ping.clone(), ping]), json!("x"), json!({ "jsonrpc": "2.0" })] {
        let (status, answer) = stack.send(legacy(None), &body).await;
        assert_eq!((status, &answer["error"]["code"]), (400, &json!(-32700)), "{body}: {answer}");
    }
}
