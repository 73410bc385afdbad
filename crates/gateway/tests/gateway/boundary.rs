//! What passes the header boundary (SEC-42 to 46, 48, 52), shown by raw captures at the service.

use crate::support::{Connection, Service, Step, World, call, echo, post};

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

/// The lines of a captured head whose name could be taken for this one.
fn lines_like<'a>(request: &'a str, name: &str) -> Vec<&'a str> {
    let head = request.split_once("\r\n\r\n").unwrap().0;
    head.split("\r\n")
        .filter(|line| {
            let found = line.split(':').next().unwrap();
            found.to_ascii_lowercase().replace('_', "-") == name
        })
        .collect()
}

const DECISION: [&str; 6] = [
    "x-decided-role",
    "x-source-identity",
    "x-session-tags",
    "x-policy-context",
    "x-request-id",
    "x-decision-signature",
];

#[tokio::test]
async fn no_spelling_of_a_decision_header_gets_through() {
    let world = World::new().await;
    let mut service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let token = world.token("ada");
    for name in DECISION {
        let title =
            name.split('-').map(|part| part[..1].to_uppercase() + &part[1..]).collect::<Vec<_>>().join("-");
        for spelling in
            [name, &name.to_uppercase(), &title, &name.replace('-', "_"), &name.replacen('-', "_", 1)]
        {
            let lines = format!("{spelling}: evil\r\n{spelling}: evil2\r\n");
            let answer = call(served.address, post(&token, &lines, PING)).await;
            assert_eq!(answer.status, 200, "{spelling}");
            let request = service.request().await;
            assert!(!request.contains("evil"), "{spelling}: {request}");
            for name in DECISION.iter().take(5) {
                assert_eq!(lines_like(&request, name).len(), 1, "{name} after {spelling}: {request}");
            }
        }
    }
}

#[tokio::test]
async fn the_service_gets_the_decision_and_the_client_its_request_id() {
    let world = World::new().await;
    let mut service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let answer = call(served.address, post(&world.token("auth0|ada"), "X-Request-Id: mine\r\n", PING)).await;
    let request = service.request().await;
    assert!(request.starts_with("POST /mcp HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("x-decided-role: arn:aws:iam::111122223333:role/acme-reader\r\n"), "{request}");
    assert!(request.contains("x-source-identity: auth0=7Cada\r\n"), "{request}");
    assert!(request.contains("x-session-tags: {\"tenant\":\"acme\"}\r\n"), "{request}");
    assert!(request.contains(&format!("host: {}\r\n", service.address)), "{request}");
    let id = answer.header("x-request-id");
    assert!(request.contains(&format!("x-request-id: {id}\r\n")), "{request}");
    assert!(request.ends_with(PING), "the body is unchanged: {request}");
    let lines = world.audited();
    assert!(lines[0].contains("\"action\":\"allow\"") && lines[0].contains(id), "{lines:?}");
    assert!(lines[0].contains("\"target\":\"platform ping\""), "{lines:?}");
}

#[tokio::test]
async fn connection_cannot_remove_a_decision_header() {
    let world = World::new().await;
    let mut service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let lines = "Connection: keep-alive, x-decided-role, X_Session_Tags, accept\r\nAccept: text/html\r\n";
    assert_eq!(call(served.address, post(&world.token("ada"), lines, PING)).await.status, 200);
    let request = service.request().await;
    assert_eq!(lines_like(&request, "x-decided-role").len(), 1, "{request}");
    assert!(
        lines_like(&request, "connection").is_empty() && lines_like(&request, "accept").is_empty(),
        "{request}"
    );
}

#[tokio::test]
async fn trailers_are_dropped() {
    let world = World::new().await;
    let mut service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let request = format!(
        "POST /mcp/platform/mcp HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {}\r\nTrailer: x-decided-role\r\n\
         Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{PING}\r\n0\r\nx-decided-role: evil\r\n\r\n",
        world.token("ada"),
        PING.len()
    );
    assert_eq!(call(served.address, request).await.status, 200);
    let request = service.request().await;
    assert!(!request.contains("evil") && lines_like(&request, "trailer").is_empty(), "{request}");
    assert!(request.contains(PING), "{request}");
}

#[tokio::test]
async fn credentials_and_claims_about_the_way_stay_here() {
    let world = World::new().await;
    let mut service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let token = world.token("ada");
    let lines = "Cookie: secret\r\nDPoP: secret\r\nProxy-Authorization: Basic secret\r\nForwarded: for=spoof\r\n\
                 X-Forwarded-For: spoof\r\nX-Forwarded-Proto: spoof\r\nX-Real-IP: spoof\r\nTE: trailers\r\n\
                 Upgrade: websocket\r\nKeep-Alive: spoof\r\nMcp-Param-Region: eu\r\n";
    let request = post(&token, lines, PING).replace("/mcp HTTP", "/mcp?access_token=secret HTTP");
    assert_eq!(call(served.address, request).await.status, 200);
    let request = service.request().await;
    for never in ["secret", "spoof", &token, "authorization", "websocket"] {
        assert!(!request.to_ascii_lowercase().contains(&never.to_ascii_lowercase()), "{never}: {request}");
    }
    assert!(request.contains("mcp-param-region: eu\r\n"), "{request}");
}

#[tokio::test]
async fn a_token_in_query_or_body_is_none() {
    let world = World::new().await;
    let mut service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let token = world.token("ada");
    let body = format!("access_token={token}");
    let request = format!(
        "POST /mcp/platform/mcp?access_token={token} HTTP/1.1\r\nHost: h\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(call(served.address, request).await.status, 401);
    assert!(service.is_untouched());
}

#[tokio::test]
async fn malformed_requests_are_refused_before_the_service() {
    let world = World::new().await;
    let mut service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let token = world.token("ada");
    let start = format!("POST /mcp/platform/mcp HTTP/1.1\r\nAuthorization: Bearer {token}\r\n");
    let host = "Host: h\r\n";
    let cases: &[(&str, String)] = &[
        ("obs-fold", format!("{start}{host}X-A: b\r\n c: d\r\nContent-Length: 2\r\n\r\n{{}}")),
        ("bare CR", format!("{start}{host}X-A: b\rx-decided-role: evil\r\nContent-Length: 2\r\n\r\n{{}}")),
        ("NUL", format!("{start}{host}X-A: b\0c\r\nContent-Length: 2\r\n\r\n{{}}")),
        ("space before the colon", format!("{start}{host}X-A : b\r\nContent-Length: 2\r\n\r\n{{}}")),
        ("no Host", format!("{start}Content-Length: 2\r\n\r\n{{}}")),
        ("two Hosts", format!("{start}{host}{host}Content-Length: 2\r\n\r\n{{}}")),
        ("two different Hosts", format!("{start}{host}Host: evil\r\nContent-Length: 2\r\n\r\n{{}}")),
        ("two lengths", format!("{start}{host}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}} ")),
        ("length with sign", format!("{start}{host}Content-Length: +2\r\n\r\n{{}}")),
        ("length in hex", format!("{start}{host}Content-Length: 0x2\r\n\r\n{{}}")),
        ("length list", format!("{start}{host}Content-Length: 2, 3\r\n\r\n{{}}")),
        ("negative length", format!("{start}{host}Content-Length: -2\r\n\r\n{{}}")),
        ("unknown coding", format!("{start}{host}Transfer-Encoding: xchunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n")),
        (
            "chunked not last",
            format!("{start}{host}Transfer-Encoding: chunked, gzip\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"),
        ),
        ("coding in HTTP/1.0", {
            let start = start.replace("HTTP/1.1", "HTTP/1.0");
            format!("{start}{host}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n")
        }),
        (
            "space in the path",
            format!("{start}{host}\r\n").replace("platform/mcp HTTP", "platform/mcp x HTTP"),
        ),
    ];
    for (what, request) in cases {
        assert_eq!(call(served.address, request).await.status, 400, "{what}");
        assert!(service.is_untouched(), "{what}");
    }
}

#[tokio::test]
async fn what_the_standard_permits_is_written_anew_in_one_form() {
    let world = World::new().await;
    let mut service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let token = world.token("ada");
    let authorization = format!("Authorization: Bearer {token}\r\nHost: h\r\n");
    let chunked = format!("{:x}\r\n{PING}\r\n0\r\n\r\n", PING.len());
    let cases: &[(&str, String)] = &[
        (
            "length, then coding",
            format!(
                "POST /mcp/platform/mcp HTTP/1.1\r\n{authorization}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}"
            ),
        ),
        (
            "coding, then length",
            format!(
                "POST /mcp/platform/mcp HTTP/1.1\r\n{authorization}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n{chunked}"
            ),
        ),
        ("bare LF", post(&token, "", PING).replace("\r\n", "\n")),
        ("fragment", post(&token, "", PING).replace("/mcp HTTP", "/mcp#/admin HTTP")),
        ("absolute form", post(&token, "", PING).replace("POST /mcp", "POST http://evil.test/mcp")),
        ("the same length twice", post(&token, &format!("Content-Length: {}\r\n", PING.len()), PING)),
    ];
    for (what, request) in cases {
        let mut connection = Connection::open(served.address).await;
        connection.send(request).await;
        let status = connection.answer().await.status;
        if *what == "fragment" && status == 400 {
            continue;
        }
        assert_eq!(status, 200, "{what}");
        let request = service.request().await;
        assert!(request.starts_with("POST /mcp HTTP/1.1\r\n"), "{what}: {request}");
        let framings =
            lines_like(&request, "content-length").len() + lines_like(&request, "transfer-encoding").len();
        assert_eq!(framings, 1, "{what}: {request}");
        assert_eq!(request.matches('\n').count(), request.matches("\r\n").count(), "{what}: {request}");
        assert!(!request.contains("evil") && !request.contains("admin"), "{what}: {request}");
    }
}

#[tokio::test]
async fn answers_carry_neither_decision_nor_cookie() {
    let world = World::new().await;
    let service = Service::start(|_| {
        vec![Step::Send(
            b"HTTP/1.1 200 OK\r\nX-Decided-Role: leak\r\nx_session_tags: leak\r\nSet-Cookie: leak=1\r\n\
              Connection: x-internal\r\nX-Internal: leak\r\nAccess-Control-Allow-Origin: *\r\n\
              Mcp-Session-Id: s1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx-decided-role: leak\r\n\r\n"
                .to_vec(),
        )]
    })
    .await;
    let served = world.serve(service.address).await;
    let mut connection = Connection::open(served.address).await;
    connection.send(post(&world.token("ada"), "TE: trailers\r\n", PING)).await;
    let raw = connection.until("0\r\n\r\n").await;
    assert!(!raw.contains("leak") && !raw.contains("access-control"), "{raw}");
    assert!(raw.contains("mcp-session-id: s1\r\n") && raw.contains("{}"), "{raw}");
}

#[tokio::test]
async fn a_service_cannot_challenge_the_client() {
    let world = World::new().await;
    for status in ["401 Unauthorized", "407 Proxy Authentication Required"] {
        let service = Service::start(move |_| {
            let answer = format!(
                "HTTP/1.1 {status}\r\nWWW-Authenticate: Bearer resource_metadata=\"https://evil.test/\"\r\n\
                 Content-Length: 0\r\n\r\n"
            );
            vec![Step::Send(answer.into_bytes())]
        })
        .await;
        let served = world.serve(service.address).await;
        let answer = call(served.address, post(&world.token("ada"), "", PING)).await;
        assert_eq!((answer.status, answer.header("www-authenticate")), (502, ""), "{status}");
        assert_eq!(answer.json()["error"]["data"]["reason"], "upstream_challenged", "{status}");
        assert_eq!(answer.json()["id"], 1, "{status}");
    }
}

#[tokio::test]
async fn an_answer_is_framed_anew() {
    let world = World::new().await;
    let cases: &[(&str, &str)] = &[
        (
            "a length that the coding contradicts",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        ),
        ("an old version", "HTTP/1.0 200 OK\r\n\r\n{}"),
    ];
    for (what, answer) in cases {
        let bytes = answer.as_bytes().to_vec();
        let service = Service::start(move |_| vec![Step::Send(bytes.clone()), Step::Close]).await;
        let served = world.serve(service.address).await;
        let mut connection = Connection::open(served.address).await;
        connection.send(post(&world.token("ada"), "", PING)).await;
        let head = connection.until("\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{what}: {head}");
        assert!(!head.contains("content-length"), "{what}: {head}");
        assert_eq!(connection.until("0\r\n\r\n").await, "2\r\n{}\r\n0\r\n\r\n", "{what}");
    }
}

#[tokio::test]
async fn nothing_but_the_exact_paths_is_routed() {
    let world = World::new().await;
    let mut service = Service::start(echo).await;
    let served = world.serve(service.address).await;
    let token = world.token("ada");
    for path in [
        "/mcp/platform/",
        "/mcp/platform/mcp/",
        "/mcp/platform//mcp",
        "/mcp/platform/./mcp",
        "/mcp/%70latform/mcp",
        "/MCP/platform/mcp",
        "/mcp/platform/mcp/../admin",
        "/mcp/platform/mcp;x",
        "/mcp",
        "/",
        "*",
    ] {
        let request = post(&token, "X-Original-URL: /mcp/platform/mcp\r\n", PING)
            .replace("/mcp/platform/mcp HTTP", &format!("{path} HTTP"));
        assert!(matches!(call(served.address, request).await.status, 404 | 400), "{path}");
        assert!(service.is_untouched(), "{path}");
    }
    let bare = post(&token, "", PING).replace("/mcp/platform/mcp HTTP", "/mcp/platform HTTP");
    assert_eq!(call(served.address, bare).await.status, 200);
    assert!(service.request().await.starts_with("POST /mcp HTTP"));
}
