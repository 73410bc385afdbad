//! Streams, cancellation, time limits and the connections behind the gateway.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{net::TcpListener, sync::Notify};

use crate::support::{Connection, Service, Step, World, call, echo, post};

const CALL: &str = r#"{"jsonrpc":"2.0","id":"a-1","method":"tools/call","params":{"name":"t"}}"#;
const SHORT: Duration = Duration::from_millis(50);

fn send(text: &str) -> Step {
    Step::Send(text.as_bytes().to_vec())
}

const EVENTS: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

#[tokio::test]
async fn events_pass_one_by_one() {
    let world = World::new().await;
    let go_on = Arc::new(Notify::new());
    let wait = Arc::clone(&go_on);
    let service = Service::start(move |_| {
        vec![
            send(EVENTS),
            send("9\r\ndata: 1\n\n\r\n"),
            Step::Wait(Arc::clone(&wait)),
            send("9\r\ndata: 2\n\n\r\n0\r\n\r\n"),
        ]
    })
    .await;
    let served = world.serve(service.address).await;
    let mut connection = Connection::open(served.address).await;
    connection.send(post(&world.token("ada"), "Accept: text/event-stream\r\n", CALL)).await;
    // The service sends the second event only after the first one was seen here.
    let first = connection.until("data: 1\n\n").await;
    assert!(first.contains("content-type: text/event-stream"), "{first}");
    go_on.notify_one();
    connection.until("data: 2\n\n\r\n0\r\n\r\n").await;
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_call_at_the_service() {
    let world = World::new().await;
    for started in [false, true] {
        let mut service = Service::start(move |_| {
            let mut steps = vec![];
            if started {
                steps.extend([send(EVENTS), send("9\r\ndata: 1\n\n\r\n")]);
            }
            steps.push(Step::WaitForEnd);
            steps
        })
        .await;
        let served = world.serve(service.address).await;
        let mut connection = Connection::open(served.address).await;
        connection.send(post(&world.token("ada"), "", CALL)).await;
        service.request().await;
        if started {
            connection.until("data: 1\n\n").await;
        }
        drop(connection);
        service.ended().await;
    }
}

#[tokio::test]
async fn get_and_delete_pass_too() {
    let world = World::new().await;
    let mut service = Service::start(|request| match request.split(' ').next().unwrap() {
        "GET" => vec![send(EVENTS), send("9\r\ndata: 1\n\n\r\n0\r\n\r\n")],
        "DELETE" => vec![send("HTTP/1.1 204 No Content\r\n\r\n")],
        _ => vec![Step::Close],
    })
    .await;
    let served = world.serve(service.address).await;
    let token = world.token("ada");
    for (method, status) in [("GET", 200), ("DELETE", 204)] {
        let request = format!(
            "{method} /mcp/platform/mcp HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\nMcp-Session-Id: s\r\nLast-Event-ID: 7\r\n\r\n"
        );
        assert_eq!(call(served.address, request).await.status, status, "{method}");
        let request = service.request().await;
        assert!(
            request.contains("last-event-id: 7\r\n") && request.contains("mcp-session-id: s\r\n"),
            "{request}"
        );
        assert!(!request.contains("transfer-encoding"), "{request}");
    }
    let put = format!("PUT /mcp/platform/mcp HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n\r\n");
    let answer = call(served.address, put).await;
    assert_eq!((answer.status, answer.header("allow")), (405, "POST, GET, DELETE"));
    assert!(service.is_untouched());
}

#[tokio::test]
async fn connections_are_used_again() {
    let world = World::new().await;
    let mut service = Service::start(|request| {
        vec![send(if request.contains("notify") {
            "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"
        } else {
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
        })]
    })
    .await;
    let served = world.serve(service.address).await;
    let token = world.token("ada");
    let mut connection = Connection::open(served.address).await;
    for body in [CALL, r#"{"method":"notify"}"#, CALL, r#"{"method":"notify"}"#, CALL] {
        connection.send(post(&token, "", body)).await;
        assert!(matches!(connection.answer().await.status, 200 | 202));
        service.request().await;
    }
    assert_eq!(service.connections(), 1);
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_is_replaced() {
    let world = World::new().await;
    let mut service = Service::start(|request| {
        let mut steps = echo(request);
        steps.push(Step::Close);
        steps
    })
    .await;
    let served = world.serve(service.address).await;
    let token = world.token("ada");
    for _ in 0..3 {
        assert_eq!(call(served.address, post(&token, "", CALL)).await.status, 200);
        service.request().await;
        service.ended().await;
    }
}

#[tokio::test]
async fn a_request_that_was_sent_is_not_sent_twice() {
    let world = World::new().await;
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let mut service = Service::start(move |request| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => echo(request),
        _ => vec![Step::Close],
    })
    .await;
    let served = world.serve(service.address).await;
    let token = world.token("ada");
    assert_eq!(call(served.address, post(&token, "", CALL)).await.status, 200);
    service.request().await;
    // Over the kept connection: the service reads the request and closes without an answer.
    let answer = call(served.address, post(&token, "", CALL)).await;
    assert_eq!(answer.status, 502);
    assert_eq!(answer.json()["id"], "a-1");
    assert_eq!(answer.json()["error"]["data"]["reason"], "upstream_broken");
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_service_that_is_down_is_a_json_rpc_error_with_the_id() {
    let world = World::new().await;
    let unused = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = unused.local_addr().unwrap();
    drop(unused);
    let served = world.serve(address).await;
    let token = world.token("ada");
    let long = format!(
        r#"{{"method":"tools/call","params":{{"name":"t","arguments":{{"x":"{}"}}}},"id":42}}"#,
        "x".repeat(300_000)
    );
    for (body, id) in [(CALL, serde_json::json!("a-1")), (&long, serde_json::json!(42))] {
        let answer = call(served.address, post(&token, "", body)).await;
        assert_eq!((answer.status, answer.header("content-type")), (502, "application/json"));
        assert_eq!(answer.json()["id"], id);
        assert_eq!(answer.json()["error"]["code"], -32603);
        assert_eq!(answer.json()["error"]["data"]["request_id"], answer.header("x-request-id"));
    }
    assert_eq!(served.gateway.metrics().snapshot().upstream_errors["upstream_connect"], 2);
}

#[tokio::test]
async fn a_service_that_does_not_answer_in_time() {
    let world = World::new().await;
    let mut service = Service::start(|_| vec![Step::WaitForEnd]).await;
    let served =
        world.serve_with(service.address, |config| config.services[0].timeouts.response = SHORT).await;
    let answer = call(served.address, post(&world.token("ada"), "", CALL)).await;
    assert_eq!((answer.status, answer.json()["id"].as_str()), (504, Some("a-1")));
    service.request().await;
    service.ended().await;
}

#[tokio::test]
async fn an_answer_that_stops_is_cut() {
    let world = World::new().await;
    let mut service =
        Service::start(|_| vec![send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"), Step::WaitForEnd])
            .await;
    let served = world.serve_with(service.address, |config| config.services[0].timeouts.idle = SHORT).await;
    let mut connection = Connection::open(served.address).await;
    connection.send(post(&world.token("ada"), "", CALL)).await;
    connection.until("\r\n\r\nabc").await;
    assert!(connection.is_closed().await, "cut, not ended");
    service.request().await;
    service.ended().await;
}

#[tokio::test]
async fn a_client_that_stops_sending_is_told_so() {
    let world = World::new().await;
    let service = Service::start(echo).await;
    let served = world.serve_with(service.address, |config| config.services[0].timeouts.idle = SHORT).await;
    let token = world.token("ada");
    let early = post(&token, "", CALL).replace(r#""name":"t"}}"#, "");
    let answer = call(served.address, early).await;
    assert_eq!(
        (answer.status, answer.json()["error"]["data"]["reason"].as_str()),
        (408, Some("body_stalled"))
    );
    // Long enough to be on its way to the service already.
    let body = format!(r#"{{"id":7,"method":"m","params":{{"x":"{}"#, "x".repeat(200_000));
    let late = post(&token, "", &body).replace("Content-Length: 2", "Content-Length: 9");
    let answer = call(served.address, late).await;
    assert_eq!((answer.status, answer.json()["id"].as_i64()), (408, Some(7)));
}

#[tokio::test]
async fn a_protocol_switch_nobody_asked_for_is_refused() {
    let world = World::new().await;
    let service = Service::start(|_| {
        vec![send("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n")]
    })
    .await;
    let served = world.serve(service.address).await;
    assert_eq!(call(served.address, post(&world.token("ada"), "Upgrade: x\r\n", CALL)).await.status, 502);
}
