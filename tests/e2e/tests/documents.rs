//! A client that a document describes, through the built programs.
#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test")]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use e2e::{Options, System, merge};
use quickstart::{McpClient, ToolAnswer, scenario::PEOPLE};
use reqwest::{Client, StatusCode, redirect};
use serde_json::json;

/// What clients on a computer publish: no port, because each start has another.
const PUBLISHED: &str = "http://127.0.0.1/callback";
const REDIRECT: &str = "http://127.0.0.1:33418/callback";

/// A host on loopback that publishes one document, and how often it was asked.
fn publish() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let id = format!("http://{}/client.json", listener.local_addr().unwrap());
    let document =
        json!({ "client_id": id, "client_name": "A client", "redirect_uris": [PUBLISHED] }).to_string();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            counter.fetch_add(1, Ordering::SeqCst);
            answer(connection.unwrap(), &document);
        }
    });
    (id, asked)
}

fn answer(mut connection: TcpStream, document: &str) {
    let request = BufReader::new(connection.try_clone().unwrap());
    let head: Vec<String> =
        request.lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    assert!(head.first().unwrap().starts_with("GET /client.json "), "{head:?}");
    let head =
        format!("content-type: application/json\r\ncontent-length: {}\r\nconnection: close", document.len());
    write!(connection, "HTTP/1.1 200 OK\r\n{head}\r\n\r\n{document}").unwrap();
}

async fn status_of_authorize(system: &System, client_id: &str) -> StatusCode {
    let http = Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap();
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let query = [
        ("response_type", "code"),
        ("client_id", client_id),
        ("redirect_uri", REDIRECT),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256"),
    ];
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    http.get(format!("{}/authorize?{query}", system.public_url)).send().await.unwrap().status()
}

#[tokio::test]
async fn a_client_that_publishes_a_document_signs_in_calls_and_refreshes() {
    let system = System::start(Options::default());
    let (id, asked) = publish();
    let person = PEOPLE.first().unwrap();
    let url = system.mcp_url();
    let client = McpClient::sign_in_as(Some(&id), &url, person.username, person.password).await.unwrap();
    let answer = client.call_tool("auth_status", json!({})).await.unwrap();
    assert!(matches!(answer, ToolAnswer::Done(_)), "{answer:?}");
    let tokens = client.tokens();
    let form =
        [("grant_type", "refresh_token"), ("refresh_token", &tokens.refresh_token), ("client_id", &id)];
    let refreshed = Client::new().post(&tokens.token_endpoint).form(&form).send().await.unwrap();
    assert_eq!(refreshed.status(), StatusCode::OK);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

/// SEC-40, SEC-41: a document on a host that the operator does not list, or one that is internal -> an error page, nothing is asked
#[tokio::test]
async fn a_document_is_not_read_from_elsewhere() {
    let listing = json!({ "clients": { "documents": { "mode": "allow-list", "allowed_domains": ["client.example"] } } });
    let (id, asked) = publish();
    let system = System::start(Options {
        configure: Some(Box::new(|config| merge(config, listing))),
        ..Options::default()
    });
    assert_eq!(status_of_authorize(&system, &id).await, StatusCode::BAD_REQUEST);
    drop(system);
    let system = System::start(Options::default());
    let inside =
        ["https://169.254.169.254/latest/meta-data", "http://10.0.0.1/a", &id.replace("http:", "https:")];
    for id in inside {
        assert_eq!(status_of_authorize(&system, id).await, StatusCode::BAD_REQUEST, "{id}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    assert_eq!(status_of_authorize(&system, &id).await, StatusCode::SEE_OTHER);
}
