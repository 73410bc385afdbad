//! A session with the server over a pipe, and an S3 that answers as told.

use std::sync::{Arc, Mutex};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::Response,
};
use mcp_core::{
    CallContext, CallObserver, Ending, FinishedCall, NotRecorded, Platform, PlatformConfig, PlatformServer,
};
use rmcp::ServiceExt as _;
use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf,
};

/// Answers one S3 request.
pub(crate) type Answer = fn(&Request) -> Response<Body>;

/// What S3 was asked: method, path with query, and access key id.
pub(crate) type Asked = Arc<Mutex<Vec<(String, String, String)>>>;

async fn s3(answer: Answer) -> (String, Asked) {
    let asked = Asked::default();
    let serve = move |State(asked): State<Asked>, request: Request| {
        std::future::ready(answer_recorded(answer, &asked, &request))
    };
    let router = Router::new().fallback(serve).with_state(Arc::clone(&asked));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, asked)
}

fn answer_recorded(answer: Answer, asked: &Asked, request: &Request) -> Response<Body> {
    let signature =
        request.headers().get("authorization").map_or("unsigned", |value| value.to_str().unwrap());
    let key =
        signature.split_once("Credential=").map_or(signature, |(_, rest)| rest.split_once('/').unwrap().0);
    let record = (request.method().to_string(), request.uri().to_string(), key.to_owned());
    asked.lock().unwrap().push(record);
    answer(request)
}

/// Remembers how calls ended; fails on command.
#[derive(Clone, Default)]
pub(crate) struct Records {
    pub(crate) endings: Arc<Mutex<Vec<(String, Ending)>>>,
    pub(crate) broken: bool,
}

impl CallObserver for Records {
    fn finished(&self, call: &FinishedCall<'_>) -> Result<(), NotRecorded> {
        self.endings.lock().unwrap().push((call.tool.to_owned(), call.ending));
        if self.broken { Err(NotRecorded) } else { Ok(()) }
    }
}

/// A client's end of a session.
pub(crate) struct Session {
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    writer: WriteHalf<DuplexStream>,
    pub(crate) asked: Asked,
    pub(crate) records: Records,
    next_id: u64,
}

impl Session {
    pub(crate) async fn with(answer: Answer) -> Self {
        Self::start(answer, &[], Records::default()).await
    }

    pub(crate) async fn start(answer: Answer, buckets: &[&str], records: Records) -> Self {
        let credentials =
            Credentials::new("ASIATEST", "canary-secret", Some("canary-token".into()), None, "test");
        Self::start_as(answer, buckets, records, SharedCredentialsProvider::new(credentials)).await
    }

    pub(crate) async fn start_as(
        answer: Answer,
        buckets: &[&str],
        records: Records,
        credentials: SharedCredentialsProvider,
    ) -> Self {
        let (url, asked) = s3(answer).await;
        let mut config = PlatformConfig::new("eu-central-1");
        config.s3_endpoint = Some(url);
        config.s3_path_style = true;
        config.buckets = buckets.iter().map(ToString::to_string).collect();
        let observer = Arc::new(records.clone());
        let context = CallContext { decision: None, request_id: None, credentials, observer };
        Self::over(PlatformServer::for_one_caller(Platform::new(config), context), asked, records).await
    }

    pub(crate) async fn over(server: PlatformServer, asked: Asked, records: Records) -> Self {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        tokio::spawn(async move { server.serve(theirs).await.unwrap().waiting().await });
        let (reader, writer) = tokio::io::split(ours);
        let lines = BufReader::new(reader).lines();
        let mut session = Self { lines, writer, asked, records, next_id: 0 };
        session.initialize().await;
        session
    }

    async fn initialize(&mut self) {
        let params = json!({
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": { "name": "test", "version": "1" },
        });
        let answer = self.request("initialize", params).await;
        assert_eq!(answer["result"]["protocolVersion"], "2025-06-18", "{answer}");
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await;
    }

    async fn send(&mut self, message: &Value) {
        self.writer.write_all(format!("{message}\n").as_bytes()).await.unwrap();
    }

    pub(crate) async fn request(&mut self, method: &str, params: Value) -> Value {
        self.next_id += 1;
        let id = self.next_id;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await;
        let line = self.lines.next_line().await.unwrap().unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(answer["id"], id, "{answer}");
        assert!(!line.contains("canary"), "{line}");
        answer
    }

    /// The result of a tool call.
    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.request("tools/call", json!({ "name": tool, "arguments": arguments })).await;
        answer.get("result").unwrap_or_else(|| panic!("{answer}")).clone()
    }

    /// The text of a tool call that must fail.
    pub(crate) async fn failure(&mut self, tool: &str, arguments: Value) -> String {
        let result = self.call(tool, arguments).await;
        assert_eq!(result["isError"], true, "{result}");
        assert!(result.get("structuredContent").is_none(), "{result}");
        result["content"][0]["text"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn status(status: u16, body: &'static str) -> Response<Body> {
    Response::builder()
        .status(status)
        .header("content-type", "application/xml")
        .body(Body::from(body))
        .unwrap()
}
