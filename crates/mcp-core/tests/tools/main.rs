//! The tools against an S3 that answers as told.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed set-up fails the test"
)]

mod support;

use aws_credential_types::provider::{
    ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future,
};
use axum::{body::Body, extract::Request, http::Response};
use mcp_core::{Ending, Platform, PlatformConfig, PlatformServer};
use serde_json::{Value, json};
use support::{Asked, Records, Session, status};

const DENIED: &str = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";

fn two_buckets(_: &Request) -> Response<Body> {
    status(
        200,
        "<ListAllMyBucketsResult><Buckets>
        <Bucket><Name>acme-data</Name><CreationDate>2026-01-02T03:04:05.000Z</CreationDate></Bucket>
        <Bucket><Name>acme-logs</Name></Bucket></Buckets></ListAllMyBucketsResult>",
    )
}

/// Only `acme-data` may be listed, and the account's buckets may not.
fn one_visible(request: &Request) -> Response<Body> {
    match request.uri().path() {
        "/acme-data" | "/acme-data/" => status(200, ""),
        "/gone" | "/gone/" => status(404, ""),
        "/" => status(403, DENIED),
        "/elsewhere" | "/elsewhere/" => {
            let moved = Response::builder().status(301).header("x-amz-bucket-region", "us-east-1");
            moved.body(Body::empty()).unwrap()
        }
        _ => status(403, ""),
    }
}

fn listing(request: &Request) -> Response<Body> {
    let query = request.uri().query().unwrap();
    assert!(query.contains("delimiter=%2F") && query.contains("prefix=a%2F"), "{query}");
    assert!(query.contains("max-keys=2"), "{query}");
    status(
        200,
        "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>next</NextContinuationToken>
        <Contents><Key>a/100% b.csv</Key><Size>7</Size><ETag>\"e1\"</ETag>
        <LastModified>2026-01-02T03:04:05.000Z</LastModified><StorageClass>STANDARD</StorageClass></Contents>
        <CommonPrefixes><Prefix>a/sub/</Prefix></CommonPrefixes></ListBucketResult>",
    )
}

fn object(content_type: &str, range: &'static str, body: impl Into<Body>) -> Response<Body> {
    let builder = Response::builder().status(206).header("content-type", content_type);
    builder.header("content-range", range).header("etag", "\"e1\"").body(body.into()).unwrap()
}

#[tokio::test]
async fn buckets_of_the_account_are_listed() {
    let mut session = Session::with(two_buckets).await;
    let result = session.call("bucket_list", json!({})).await;
    let expected = json!({
        "buckets": [{ "name": "acme-data", "created_at": "2026-01-02T03:04:05Z" }, { "name": "acme-logs" }],
        "source": "account",
        "truncated": false,
    });
    assert_eq!(result["structuredContent"], expected);
    assert_eq!(result["content"][0]["text"], "2 buckets:\nacme-data\nacme-logs");
    assert_eq!(
        session.records.endings.lock().unwrap().as_slice(),
        [("bucket_list".to_owned(), Ending::Done)]
    );
    let asked = session.asked.lock().unwrap().clone();
    assert!(asked.iter().all(|(_, _, key)| key == "ASIATEST"), "{asked:?}");
}

#[tokio::test]
async fn configured_buckets_are_asked_for_one_by_one() {
    let buckets = ["acme-data", "globex-data", "elsewhere", "gone"];
    let mut session = Session::start(one_visible, &buckets, Records::default()).await;
    let result = session.call("bucket_list", json!({})).await;
    let expected = json!({
        "buckets": [{ "name": "acme-data" }],
        "source": "configuration",
        "truncated": false,
    });
    assert_eq!(result["structuredContent"], expected);
}

#[tokio::test]
async fn a_refusal_names_the_action_and_the_role() {
    let mut session = Session::with(one_visible).await;
    let text = session.failure("bucket_list", json!({})).await;
    assert!(text.contains("your AWS profile may not s3:ListAllMyBuckets on the buckets"), "{text}");
    let ending = ("bucket_list".to_owned(), Ending::Denied("aws_denied"));
    assert_eq!(session.records.endings.lock().unwrap().as_slice(), [ending]);
}

#[tokio::test]
async fn objects_are_listed_with_addresses_that_can_be_read() {
    let mut session = Session::with(listing).await;
    let arguments = json!({ "bucket": "acme-data", "prefix": "a/", "max_keys": 2 });
    let result = session.call("s3_object_list", arguments).await;
    let expected = json!({
        "bucket": "acme-data",
        "prefix": "a/",
        "objects": [{
            "key": "a/100% b.csv",
            "uri": "s3://acme-data/a/100%25%20b.csv",
            "size": 7,
            "last_modified": "2026-01-02T03:04:05Z",
            "etag": "e1",
            "storage_class": "STANDARD",
        }],
        "common_prefixes": ["a/sub/"],
        "truncated": true,
        "next_continuation_token": "next",
    });
    assert_eq!(result["structuredContent"], expected);
}

/// Keys may have characters that XML cannot: without the encoding the whole listing would be lost.
#[tokio::test]
async fn keys_with_control_characters_are_listed_and_forge_no_lines() {
    let answer = |request: &Request| {
        assert!(request.uri().query().unwrap().contains("encoding-type=url"), "{}", request.uri());
        status(
            200,
            "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>
            <Contents><Key>%01x+%2B%0Ab.csv+(1+bytes)</Key><Size>7</Size></Contents>
            <Contents><Key>%E2%80%AEfdp.exe</Key><Size>8</Size></Contents>
            <CommonPrefixes><Prefix>a%0D%1B%5B31m/</Prefix></CommonPrefixes></ListBucketResult>",
        )
    };
    let mut session = Session::with(answer).await;
    let arguments = json!({ "bucket": "acme-data", "prefix": "\n\u{1b}[31m" });
    let result = session.call("s3_object_list", arguments).await;
    let output = &result["structuredContent"];
    assert_eq!(output["objects"][0]["key"], "\u{1}x +\nb.csv (1 bytes)");
    assert_eq!(output["objects"][0]["uri"], "s3://acme-data/%01x%20+%0Ab.csv%20(1%20bytes)");
    assert_eq!(output["common_prefixes"], json!(["a\r\u{1b}[31m/"]));
    assert_eq!(
        result["content"][0]["text"],
        "2 objects and 1 groups in s3://acme-data/%0A%1B%5B31m\na\\u{d}\\u{1b}[31m/\n\
         \\u{1}x +\\u{a}b.csv (1 bytes) (7 bytes)\n\\u{202e}fdp.exe (8 bytes)"
    );
}

#[tokio::test]
async fn text_is_given_as_text_up_to_the_limit() {
    let answer = |request: &Request| {
        assert_eq!(request.uri().path(), "/acme-data/a%20b.csv");
        assert_eq!(request.headers()["range"], "bytes=0-3");
        object("text/csv", "bytes 0-3/6", "h\u{e9}l\u{e9}".as_bytes()[..4].to_vec())
    };
    let mut session = Session::with(answer).await;
    let arguments = json!({ "uri": "s3://acme-data/a%20b.csv", "max_bytes": 4 });
    let result = session.call("object_read", arguments).await;
    let expected = json!({
        "uri": "s3://acme-data/a%20b.csv",
        "kind": "text",
        "size": 6,
        "bytes_read": 4,
        "truncated": true,
        "content_type": "text/csv",
        "etag": "e1",
        "text": "h\u{e9}l",
    });
    assert_eq!(result["structuredContent"], expected);
    assert_eq!(result["content"][0]["text"], "h\u{e9}l");
    assert_eq!(result["content"][1]["text"], "That is the first 4 of 6 bytes of s3://acme-data/a%20b.csv.");
}

#[tokio::test]
async fn a_server_that_ignores_the_range_cannot_send_more_than_was_asked() {
    let answer = |_: &Request| Response::new(Body::from("a".repeat(3_000_000)));
    let mut session = Session::with(answer).await;
    let result = session.call("object_read", json!({ "uri": "s3://acme-data/a" })).await;
    let output = &result["structuredContent"];
    assert_eq!((&output["bytes_read"], &output["size"]), (&json!(100_000), &json!(3_000_000)));
    assert_eq!(output["text"].as_str().unwrap().len(), 100_000);
}

/// JSON writes a control character in six bytes, and an answer has the text twice.
#[tokio::test]
async fn an_answer_is_not_many_times_what_was_asked_for() {
    for byte in [b"\x01", b"\x1b", b"\"", b"\xff"] {
        let answer = match byte {
            b"\x01" => |_: &Request| object("text/plain", "bytes 0-99999/100000", vec![1; 100_000]),
            b"\x1b" => |_: &Request| object("text/plain", "bytes 0-99999/100000", vec![0x1b; 100_000]),
            b"\"" => |_: &Request| object("text/plain", "bytes 0-99999/100000", vec![b'"'; 100_000]),
            _ => |_: &Request| object("text/plain", "bytes 0-99999/100000", vec![0xff; 100_000]),
        };
        let mut session = Session::with(answer).await;
        for wanted in ["auto", "text", "binary"] {
            let arguments = json!({ "uri": "s3://acme-data/a", "type": wanted, "include_data": true });
            let length = session.call("object_read", arguments).await.to_string().len();
            assert!(length < 610_000, "{byte:?} {wanted}: {length}");
        }
    }
}

#[tokio::test]
async fn a_server_that_does_not_say_how_much_there_is_may_have_more() {
    let answer = |_: &Request| object("text/plain", "bytes 0-3/*", b"abcd".as_slice());
    let mut session = Session::with(answer).await;
    for (max_bytes, truncated) in [(4, true), (5, false)] {
        let arguments = json!({ "uri": "s3://acme-data/a", "max_bytes": max_bytes });
        let output = session.call("object_read", arguments).await["structuredContent"].clone();
        assert_eq!(output["truncated"], truncated, "{output}");
    }
}

#[tokio::test]
async fn images_come_as_images_when_asked_for() {
    let answer = |_: &Request| object("application/x", "bytes 0-8/9", b"\x89PNG\r\n\x1a\n!".as_slice());
    let mut session = Session::with(answer).await;
    let described = session.call("object_read", json!({ "uri": "s3://acme-data/a" })).await;
    assert_eq!(described["structuredContent"]["kind"], "image");
    assert!(described["structuredContent"].get("data").is_none(), "{described}");
    assert_eq!(described["content"].as_array().unwrap().len(), 1);
    let shown = session.call("object_read", json!({ "uri": "s3://acme-data/a", "include_data": true })).await;
    assert_eq!(
        shown["content"][1],
        json!({ "type": "image", "data": "iVBORw0KGgoh", "mimeType": "image/png" })
    );
}

#[tokio::test]
async fn other_bytes_are_described_and_given_on_request() {
    let answer = |_: &Request| object("application/zip", "bytes 0-3/4", b"PK\0\x04".as_slice());
    let mut session = Session::with(answer).await;
    let result =
        session.call("object_read", json!({ "uri": "s3://acme-data/a", "include_data": true })).await;
    let output = &result["structuredContent"];
    assert_eq!((&output["kind"], &output["data"]), (&json!("binary"), &json!("UEsABA==")));
    assert_eq!(result["content"][0]["text"], "s3://acme-data/a: 4 bytes, application/zip.");
}

#[tokio::test]
async fn an_empty_object_is_empty_text() {
    let answer = |request: &Request| match request.headers().get("range") {
        Some(_) => status(416, "<Error><Code>InvalidRange</Code></Error>"),
        None => Response::builder().header("content-length", "0").body(Body::empty()).unwrap(),
    };
    let mut session = Session::with(answer).await;
    let result = session.call("object_read", json!({ "uri": "s3://acme-data/a" })).await;
    assert_eq!(result["structuredContent"]["text"], "");
    assert_eq!(result["structuredContent"]["truncated"], false);
}

#[tokio::test]
async fn what_s3_refuses_is_said_in_words() {
    let cases: &[(support::Answer, &str)] = &[
        (|_| status(403, DENIED), "may not s3:GetObject on s3://acme-data/k"),
        (
            |_| {
                status(
                    403,
                    "<Error><Code>AccessDenied</Code><Message>User: x is not authorized to perform: kms:Decrypt on \
                     the resource</Message></Error>",
                )
            },
            "may not kms:Decrypt on s3://acme-data/k",
        ),
        (|_| status(404, "<Error><Code>NoSuchKey</Code></Error>"), "s3://acme-data/k does not exist"),
        (
            |_| {
                let redirect = "<Error><Code>PermanentRedirect</Code></Error>";
                let builder = Response::builder().status(301).header("x-amz-bucket-region", "us-east-1");
                builder.body(Body::from(redirect)).unwrap()
            },
            "is in region us-east-1, but this server works in eu-central-1",
        ),
        (|_| status(301, "<Error><Code>PermanentRedirect</Code></Error>"), "is in another region, but"),
        (|_| status(400, "<Error><Code>ExpiredToken</Code></Error>"), "has ended"),
        (|_| status(400, ""), "with status 400"),
        (|_| status(400, "<Error><Code>Odd</Code></Error>"), "with Odd"),
    ];
    for (answer, words) in cases {
        let mut session = Session::with(*answer).await;
        let text = session.failure("object_read", json!({ "uri": "s3://acme-data/k" })).await;
        assert!(text.contains(words), "{text}");
    }
    let mut session = Session::with(|_| status(200, "<ListBucketResult><Prefix>\u{1}</Prefix>")).await;
    let text = session.failure("s3_object_list", json!({ "bucket": "acme-data" })).await;
    assert!(text.contains("cannot be reached, or failed"), "{text}");
}

#[tokio::test]
async fn wrong_arguments_are_answered_in_words_and_reach_nobody() {
    let cases: &[(&str, Value, &str)] = &[
        ("s3_object_list", json!({}), "missing field `bucket`"),
        ("s3_object_list", json!({ "bucket": "acme-data", "x": 1 }), "unknown field `x`"),
        (
            "s3_object_list",
            json!({ "bucket": "acme-data", "max_keys": 0 }),
            "max_keys: must be from 1 to 1000",
        ),
        ("s3_object_list", json!({ "bucket": "acme-data", "max_keys": 1001 }), "max_keys"),
        ("s3_object_list", json!({ "bucket": "acme-data", "prefix": "a".repeat(1025) }), "prefix"),
        ("s3_object_list", json!({ "bucket": "acme-data", "continuation_token": "" }), "continuation_token"),
        ("s3_object_list", json!({ "bucket": "arn:aws:s3:eu-central-1:1:accesspoint/x" }), "not an ARN"),
        ("object_read", json!({ "uri": "https://x/y" }), "uri: must start with s3://"),
        ("object_read", json!({ "uri": "s3://acme-data/k", "max_bytes": 1_000_001 }), "max_bytes"),
        ("object_read", json!({ "uri": "s3://acme-data/k", "max_bytes": 0 }), "max_bytes"),
        ("object_read", json!({ "uri": "s3://acme-data/k", "max_bytes": -1 }), "invalid value: integer `-1`"),
        ("object_read", json!({ "uri": "s3://acme-data/k", "max_bytes": 1e30 }), "invalid type"),
        ("object_read", json!({ "uri": "s3://acme-data/k", "include_data": "yes" }), "invalid type"),
        ("object_read", json!({ "uri": "s3://evil.com#/k" }), "must name a bucket"),
        ("object_read", json!({ "uri": "s3://acme--use1-az4--xa-s3/k" }), "not an ARN or access point"),
        ("object_read", json!({ "uri": "s3://acme-data/k", "type": "exe" }), "unknown variant `exe`"),
        ("bucket_list", json!({ "role": "arn:aws:iam::1:role/admin" }), "unknown field `role`"),
    ];
    let mut session = Session::with(|_| panic!("asked")).await;
    for (tool, arguments, words) in cases {
        let text = session.failure(tool, arguments.clone()).await;
        assert!(text.contains(words), "{tool} {arguments}: {text}");
    }
    assert!(session.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_message_does_not_give_back_all_that_was_sent() {
    let mut session = Session::with(|_| panic!("asked")).await;
    let arguments = json!({ "uri": "s3://acme-data/k", "k".repeat(100_000): 1 });
    let text = session.failure("object_read", arguments).await;
    assert!(text.contains("unknown field `kkk") && text.len() < 500, "{} bytes", text.len());
}

/// Nothing in a key leads to another host, bucket or header.
#[tokio::test]
async fn odd_keys_stay_keys() {
    let mut session = Session::with(|_| object("text/plain", "bytes 0-0/1", b"x".as_slice())).await;
    for uri in [
        "s3://acme-data/../globex-data/x",
        "s3://acme-data/%2e%2e/x",
        "s3://acme-data//x",
        "s3://acme-data/%0d%0ax-amz-acl:%20public-read",
        "s3://acme-data/%3Facl",
        "s3://acme-data/%23",
        "s3://acme-data/%00",
        "s3://acme-data/@evil.com:80/",
    ] {
        let result = session.call("object_read", json!({ "uri": uri })).await;
        assert_eq!(result["isError"], false, "{uri}: {result}");
    }
    for (method, path, _) in session.asked.lock().unwrap().iter() {
        let (key, query) = path.strip_prefix("/acme-data/").unwrap().split_once('?').unwrap();
        assert_eq!((method.as_str(), query), ("GET", "x-id=GetObject"), "{path}");
        assert!(!key.is_empty() && !key.contains(['#', '\r', '\n']), "{path}");
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_recorded_is_withheld() {
    let records = Records { broken: true, ..Records::default() };
    let mut session = Session::start(two_buckets, &[], records).await;
    let text = session.failure("bucket_list", json!({})).await;
    assert!(text.contains("cannot be recorded") && !text.contains("acme-data"), "{text}");
}

#[derive(Debug)]
struct Refused;

impl ProvideCredentials for Refused {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let words = std::io::Error::other("sts:TagSession is missing on role x");
        future::ProvideCredentials::ready(Err(CredentialsError::provider_error(words)))
    }
}

#[tokio::test]
async fn why_there_are_no_credentials_is_said_in_their_source_s_words() {
    let credentials = SharedCredentialsProvider::new(Refused);
    let mut session = Session::start_as(|_| panic!("asked"), &[], Records::default(), credentials).await;
    let text = session.failure("bucket_list", json!({})).await;
    assert_eq!(text, "no credentials for your AWS profile: sts:TagSession is missing on role x");
    let status = session.call("auth_status", json!({})).await;
    let output = &status["structuredContent"];
    assert_eq!(output["credentials_available"], false);
    assert!(output["problem"].as_str().unwrap().contains("sts:TagSession"), "{output}");
    assert_eq!(output["mode"], "local");
}

#[tokio::test]
async fn what_is_not_offered_is_not_found() {
    let mut session = Session::with(two_buckets).await;
    for (method, params, code) in [
        ("prompts/list", json!({}), -32601),
        ("prompts/get", json!({ "name": "x" }), -32601),
        ("logging/setLevel", json!({ "level": "debug" }), -32601),
        (
            "completion/complete",
            json!({ "ref": { "type": "ref/prompt", "name": "x" }, "argument": { "name": "a", "value": "b" } }),
            -32601,
        ),
        ("tools/call", json!({ "name": "rm", "arguments": {} }), -32602),
        ("resources/read", json!({ "uri": "quilt-platform://other" }), -32002),
        ("no/such", json!({}), -32601),
        ("tools/call", json!({ "name": "bucket_list", "arguments": [] }), -32602),
        ("tools/call", json!({ "arguments": {} }), -32602),
        ("resources/read", json!({}), -32602),
        ("initialize", json!({}), -32602),
    ] {
        let answer = session.request(method, params).await;
        assert_eq!(answer["error"]["code"], code, "{method}: {answer}");
    }
}

#[tokio::test]
async fn a_request_without_a_caller_is_refused() {
    let server = PlatformServer::per_request(Platform::new(PlatformConfig::new("eu-central-1")));
    let mut session = Session::over(server, Asked::default(), Records::default()).await;
    for (method, params) in [
        ("tools/call", json!({ "name": "auth_status", "arguments": {} })),
        ("tools/call", json!({ "name": "bucket_list", "arguments": {} })),
        ("resources/read", json!({ "uri": "quilt-platform://me" })),
    ] {
        let answer = session.request(method, params).await;
        assert_eq!(answer["error"]["code"], -32603, "{method}: {answer}");
    }
    assert!(session.records.endings.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_resource_me_says_what_auth_status_says() {
    let mut session = Session::with(two_buckets).await;
    let listed = session.request("resources/list", json!({})).await;
    assert_eq!(listed["result"]["resources"][0]["uri"], "quilt-platform://me");
    let read = session.request("resources/read", json!({ "uri": "quilt-platform://me" })).await;
    let text = read["result"]["contents"][0]["text"].as_str().unwrap();
    let status = session.call("auth_status", json!({})).await;
    assert_eq!(serde_json::from_str::<Value>(text).unwrap(), status["structuredContent"]);
}
