//! What is read of a message, and what is refused (SEC-51).

use serde_json::Value;

use crate::support::{Service, World, call, echo, post};

#[tokio::test]
async fn headers_must_agree_with_the_body() {
    let world = World::new().await;
    let mut service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let token = world.token("ada");
    let body = r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"read"}}"#;
    let cases: &[(&str, u16)] = &[
        ("", 200),
        ("MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: read\r\n", 200),
        ("Mcp-Method: tools/list\r\n", 400),
        ("Mcp-Method: tools/call\r\nMcp-Name: write\r\n", 400),
        ("Mcp-Method: tools/call\r\nMcp-Method: tools/list\r\n", 400),
    ];
    for (lines, status) in cases {
        let answer = call(served.address, post(&token, lines, body)).await;
        assert_eq!(answer.status, *status, "{lines}");
        if *status == 200 {
            let request = service.request().await;
            assert!(request.ends_with(body), "{request}");
            assert_eq!(request.contains("mcp-name: read\r\n"), lines.contains("Mcp-Name"), "{request}");
        } else {
            assert_eq!(answer.json()["error"]["code"], -32020, "{lines}");
            assert_eq!(answer.json()["id"], 3, "{lines}");
            assert!(service.is_untouched(), "{lines}");
        }
    }
}

#[tokio::test]
async fn only_post_carries_a_message() {
    let world = World::new().await;
    let mut service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let token = world.token("ada");
    let body = r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"read"}}"#;
    for method in ["GET", "DELETE"] {
        let answer =
            call(served.address, post(&token, "", body).replace("POST /", &format!("{method} /"))).await;
        assert_eq!(answer.status, 400, "{method}");
        assert_eq!(answer.json()["error"]["data"]["reason"], "body_unexpected", "{method}");
        assert!(service.is_untouched(), "{method}");
        let answer =
            call(served.address, post(&token, "", "").replace("POST /", &format!("{method} /"))).await;
        assert_eq!(answer.status, 200, "{method} without a body");
        service.request().await;
    }
}

#[tokio::test]
async fn batches_and_ambiguous_messages_are_refused() {
    let world = World::new().await;
    let mut service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let token = world.token("ada");
    let cases: &[(&str, i64, &str)] = &[
        (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600, "batch"),
        ("[]", -32600, "batch"),
        ("", -32700, "not_a_message"),
        ("access_token=x", -32700, "not_a_message"),
        (r#"{"method":"a""#, -32700, "not_a_message"),
        (r#"{"method":"a","method":"b"}"#, -32600, "ambiguous_message"),
        (r#"{"method":"a","METHOD":"b"}"#, -32600, "ambiguous_message"),
    ];
    for (body, code, reason) in cases {
        let answer = call(served.address, post(&token, "", body)).await;
        assert_eq!(answer.status, 400, "{body}");
        let error = &answer.json()["error"];
        assert_eq!(
            (&error["code"], &error["data"]["reason"]),
            (&Value::from(*code), &Value::from(*reason)),
            "{body}"
        );
        assert_eq!(answer.json()["id"], Value::Null, "{body}");
        assert!(service.is_untouched(), "{body}");
    }
}

#[tokio::test]
async fn a_contradiction_late_in_a_long_message_still_stops_it() {
    let world = World::new().await;
    let service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let token = world.token("ada");
    let long = |end: &str| {
        format!(
            r#"{{"id":9,"method":"tools/call","params":{{"name":"read","arguments":{{"x":"{}"}}{end}"#,
            "x".repeat(300_000)
        )
    };
    let lines = "Mcp-Method: tools/call\r\nMcp-Name: read\r\n";
    let good = long("}}");
    let answer = call(served.address, post(&token, lines, &good)).await;
    assert_eq!((answer.status, answer.body.len()), (200, good.len()));
    let answer = call(served.address, post(&token, lines, &long(r#","name":"write"}}"#))).await;
    assert_eq!((answer.status, answer.json()["id"].as_i64()), (400, Some(9)));
    assert_eq!(answer.json()["error"]["data"]["reason"], "ambiguous_message");
}

#[tokio::test]
async fn a_name_beyond_the_prefix_cannot_be_vouched_for() {
    let world = World::new().await;
    let service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let token = world.token("ada");
    let body = format!(
        r#"{{"id":9,"method":"tools/call","params":{{"arguments":{{"x":"{}"}},"name":"read"}}}}"#,
        "x".repeat(300_000)
    );
    assert_eq!(
        call(served.address, post(&token, "", &body)).await.status,
        200,
        "legacy clients send no header"
    );
    let answer =
        call(served.address, post(&token, "Mcp-Method: tools/call\r\nMcp-Name: read\r\n", &body)).await;
    assert_eq!((answer.status, answer.json()["error"]["code"].as_i64()), (400, Some(-32020)));
}

#[tokio::test]
async fn bodies_have_a_limit() {
    let world = World::new().await;
    let mut service = Service::start(echo).await;
    let served = world.serve_with(service.address, |config| config.services[0].max_body = 100).await;
    let token = world.token("ada");
    let body = format!(r#"{{"id":1,"method":"{}"}}"#, "m".repeat(100));
    let answer = call(served.address, post(&token, "", &body)).await;
    assert_eq!(
        (answer.status, answer.json()["error"]["data"]["reason"].as_str()),
        (413, Some("body_too_long"))
    );
    let chunked = format!(
        "POST /mcp/platform/mcp HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    assert_eq!(call(served.address, chunked).await.status, 413);
    assert!(service.is_untouched());
}

#[tokio::test]
async fn an_opaque_service_gets_any_body() {
    let world = World::new().await;
    let service = Service::start(echo).await;
    let served = world
        .serve_with(service.address, |config| config.services[0].protocol = gateway::Protocol::Opaque)
        .await;
    let answer = call(served.address, post(&world.token("ada"), "Mcp-Method: x\r\n", "[1, 2]")).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "[1, 2]"));
}

#[tokio::test]
async fn the_tool_is_in_the_audit_event() {
    let world = World::new().await;
    let service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let body = r#"{"id":1,"method":"tools/call","params":{"name":"bucket\n_list"}}"#;
    assert_eq!(call(served.address, post(&world.token("ada"), "", body)).await.status, 200);
    let lines = world.audited();
    let event: Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(event["target"], "platform tools/call bucket\n_list");
    assert_eq!((event["subject"].as_str(), event["policy_id"].as_str()), (Some("ada"), Some("1")));
}
