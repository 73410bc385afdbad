//! What a host may answer.

use std::time::{Duration, SystemTime};

use http::StatusCode;
use public_fetch::{Document, FetchError, FetchLimits, PublicFetch};
use url::Url;

use crate::host::{Answer, Host};

const JSON: &str = "Content-Type: application/json\r\n";
const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";

pub(crate) fn limits() -> FetchLimits {
    FetchLimits {
        max_bytes: 1000,
        total: Duration::from_mins(1),
        idle: Duration::from_mins(1),
        lifetime: Duration::from_mins(1)..=Duration::from_hours(1),
    }
}

/// As a server on loopback does.
pub(crate) async fn fetch(host: &Host, limits: &FetchLimits) -> Result<Document, FetchError> {
    let fetch = PublicFetch::builder().dangerous_loopback_http().build().unwrap();
    let url: Url = format!("http://{}/client?a=b", host.address).parse().unwrap();
    fetch.fetch(&url, limits, SystemTime::UNIX_EPOCH).await
}

async fn fetch_answer(answer: &str) -> Result<Document, FetchError> {
    fetch(&Host::start(Answer::Bytes(answer.into())).await, &limits()).await
}

#[tokio::test]
async fn a_document_is_asked_for_once_and_plainly() {
    let host = Host::answering(&format!("{JSON}Cache-Control: max-age=600\r\n"), r#"{"a":1}"#).await;
    let document = fetch(&host, &limits()).await;
    let expected = Document { body: br#"{"a":1}"#.to_vec(), lifetime: Duration::from_mins(10) };
    assert_eq!(document, Ok(expected));
    let requests = host.requests();
    assert_eq!(requests.len(), 1);
    let request = requests[0].to_ascii_lowercase();
    assert!(request.starts_with("get /client?a=b http/1.1\r\n"), "{request}");
    for expected in [
        "\r\naccept: application/json\r\n",
        "\r\naccept-encoding: identity\r\n",
        "\r\nuser-agent: public-fetch\r\n",
    ] {
        assert!(request.contains(expected), "{request}");
    }
    for unexpected in ["cookie:", "authorization:", "referer:"] {
        assert!(!request.contains(unexpected), "{request}");
    }
}

/// SEC-40: an answer other than 200 -> refused by its status, a redirect is not followed
#[tokio::test]
async fn only_200_is_an_answer() {
    let elsewhere = Host::answering(JSON, "{}").await;
    for status in [300, 301, 302, 303, 304, 307, 308] {
        let location = format!("http://{}/", elsewhere.address);
        let answer =
            format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\n{JSON}Content-Length: 0\r\n\r\n");
        assert_eq!(fetch_answer(&answer).await, Err(FetchError::Redirect), "{status}");
    }
    assert_eq!(elsewhere.requests(), [""; 0]);
    for status in [201, 202, 203, 204, 206, 226, 400, 401, 404, 410, 429, 500, 503] {
        let answer = format!("HTTP/1.1 {status} Other\r\n{JSON}Content-Length: 2\r\n\r\n{{}}");
        let expected = FetchError::Status(StatusCode::from_u16(status).unwrap());
        assert_eq!(fetch_answer(&answer).await, Err(expected), "{status}");
        assert_eq!(expected.is_transient(), matches!(status, 429 | 500 | 503), "{status}");
    }
}

/// SEC-40: an answer that is not said to be JSON, or is said twice -> refused
#[tokio::test]
async fn only_json_is_a_document() {
    for good in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=utf-8",
        "application/client-metadata+json",
        "application/jwk-set+json",
    ] {
        let host = Host::answering(&format!("Content-Type: {good}\r\n"), "{}").await;
        assert!(fetch(&host, &limits()).await.is_ok(), "{good}");
    }
    for bad in [
        "",
        "Content-Type:\r\n",
        "Content-Type: text/html\r\n",
        "Content-Type: text/json\r\n",
        "Content-Type: image/svg+json\r\n",
        "Content-Type: application/jsonp\r\n",
        "Content-Type: application/json-seq\r\n",
        "Content-Type: text/html; application/json\r\n",
        "Content-Type: application/json\r\nContent-Type: text/html\r\n",
        "Content-Type: application/json\u{e9}\r\n",
    ] {
        let host = Host::answering(bad, "{}").await;
        assert_eq!(fetch(&host, &limits()).await, Err(FetchError::ContentType), "{bad}");
    }
}

/// SEC-41: a compressed body -> refused before it is read
#[tokio::test]
async fn a_compressed_answer_is_refused() {
    for coding in ["gzip", "br", "zstd", "deflate", "x-unknown", "identity, gzip"] {
        let headers = format!("{JSON}Content-Encoding: {coding}\r\n");
        let host = Host::answering(&headers, "{}").await;
        assert_eq!(fetch(&host, &limits()).await, Err(FetchError::ContentEncoding), "{coding}");
    }
    let host = Host::answering(&format!("{JSON}Content-Encoding: identity\r\n"), "{}").await;
    assert!(fetch(&host, &limits()).await.is_ok());
}

/// SEC-40: a document one byte too long, announced or not -> refused
#[tokio::test]
async fn the_longest_document_is_as_long_as_allowed() {
    for (length, expected) in [(1000, Ok(1000)), (1001, Err(FetchError::TooLarge))] {
        let body = "x".repeat(length);
        let announced = Host::answering(JSON, &body).await;
        let found = fetch(&announced, &limits()).await.map(|document| document.body.len());
        assert_eq!(found, expected);
        let unannounced = fetch_answer(&format!("{HEAD}Connection: close\r\n\r\n{body}")).await;
        assert_eq!(unannounced.map(|document| document.body.len()), expected);
        let chunked = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n");
        assert_eq!(fetch_answer(&chunked).await.map(|document| document.body.len()), expected);
    }
}

/// SEC-41: a body without end -> given up at the limit
/// SEC-41: a length of exabytes -> refused before the first byte
#[tokio::test]
async fn a_flood_is_given_up() {
    let endless = Answer::Endless(format!("{HEAD}\r\n").into(), vec![b'x'; 4096]);
    assert_eq!(fetch(&Host::start(endless).await, &limits()).await, Err(FetchError::TooLarge));
    let announced = Answer::Hang(format!("{HEAD}Content-Length: 9223372036854775807\r\n\r\n").into());
    assert_eq!(fetch(&Host::start(announced).await, &limits()).await, Err(FetchError::TooLarge));
    let headers = Answer::Endless(HEAD.into(), b"X-Header: something\r\n".to_vec());
    assert_eq!(fetch(&Host::start(headers).await, &limits()).await, Err(FetchError::Unreachable));
}

/// SEC-41: a host that says nothing, or stops within head or body -> given up after the wait that is allowed
#[tokio::test]
async fn a_silent_host_is_given_up() {
    let impatient = FetchLimits { idle: Duration::from_millis(20), ..limits() };
    let hurried = FetchLimits { total: Duration::from_millis(20), ..limits() };
    for said in ["", "HTTP/1.1 200 OK\r\nContent-Ty", &format!("{HEAD}Content-Length: 10\r\n\r\n{{")] {
        let host = Host::start(Answer::Hang(said.into())).await;
        assert_eq!(fetch(&host, &impatient).await, Err(FetchError::Stalled), "{said}");
        assert_eq!(fetch(&host, &hurried).await, Err(FetchError::TooSlow), "{said}");
    }
}

/// SEC-41: a host that sends a byte at a time and never pauses -> given up when the whole took too long
#[tokio::test]
async fn a_dripping_host_is_given_up() {
    let drip =
        Answer::Endless(format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n").into(), b"1\r\nx\r\n".to_vec());
    let limits = FetchLimits { total: Duration::from_millis(50), max_bytes: usize::MAX, ..limits() };
    assert_eq!(fetch(&Host::start(drip).await, &limits).await, Err(FetchError::TooSlow));
}

/// SEC-41: an answer that is no HTTP, or breaks off -> not a document
#[tokio::test]
async fn a_broken_answer_is_no_document() {
    for broken in ["", "{}", "SSH-2.0-OpenSSH_9.6\r\n", &format!("{HEAD}Content-Length: 10\r\n\r\n{{}}")] {
        assert_eq!(fetch_answer(broken).await, Err(FetchError::Unreachable), "{broken}");
    }
}
