//! The client against an endpoint that records what it is asked and answers on command.

#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test")]

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future},
};
use axum::{Router, body::Bytes, extract::State, http::StatusCode, response::IntoResponse, routing::post};
use sts_session::{AssumeRole as _, AssumeRoleRequest, StsClient};

const ROLE: &str = "arn:aws:iam::444455556666:role/acme-reader";

#[derive(Clone, Default)]
struct Fake {
    asked: Arc<Mutex<Vec<String>>>,
    answers: Arc<Mutex<VecDeque<(u16, String)>>>,
}

impl Fake {
    async fn start(answers: impl IntoIterator<Item = (u16, String)>) -> (Self, String) {
        let fake = Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), ..Self::default() };
        let router = Router::new().route("/", post(answer)).with_state(fake.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (fake, url)
    }

    fn asked(&self) -> Vec<BTreeMap<String, String>> {
        let parse = |form: &String| {
            let pairs = form.split('&').map(|pair| pair.split_once('=').unwrap());
            pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
        };
        self.asked.lock().unwrap().iter().map(parse).collect()
    }
}

async fn answer(State(fake): State<Fake>, body: Bytes) -> impl IntoResponse {
    fake.asked.lock().unwrap().push(String::from_utf8(body.to_vec()).unwrap());
    let (status, text) = fake.answers.lock().unwrap().pop_front().unwrap();
    (StatusCode::from_u16(status).unwrap(), [("x-amzn-requestid", "req-1")], text)
}

fn success(source_identity: &str) -> (u16, String) {
    let text = format!(
        r#"<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
        <SourceIdentity>{source_identity}</SourceIdentity>
        <Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>canary-secret</SecretAccessKey>
        <SessionToken>canary-token</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration></Credentials>
        </AssumeRoleResult><ResponseMetadata><RequestId>req-1</RequestId></ResponseMetadata></AssumeRoleResponse>"#
    );
    (200, text)
}

fn failure(status: u16, code: &str, message: &str) -> (u16, String) {
    let text = format!(
        r#"<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
        <Code>{code}</Code><Message>{message}</Message></Error><RequestId>req-1</RequestId></ErrorResponse>"#
    );
    (status, text)
}

fn client(url: &str) -> StsClient {
    let base = Credentials::new("AKIDBASE", "base-secret", None, None, "test");
    StsClient::builder("eu-central-1", SharedCredentialsProvider::new(base)).endpoint_url(url).build()
}

fn full_request() -> AssumeRoleRequest {
    let mut request = AssumeRoleRequest::new(ROLE, "auth0=7Cada", "eu-central-1");
    request.tags = BTreeMap::from([("team".into(), "x".into()), ("tenant".into(), "acme".into())]);
    request.transitive_tag_keys = BTreeSet::from(["tenant".into()]);
    request.policy = Some("{}".into());
    request.policy_arns = BTreeSet::from(["arn:p".into()]);
    request.external_id = Some("ext".into());
    request.duration = Duration::from_mins(15);
    request
}

#[tokio::test]
async fn everything_in_the_request_reaches_sts() {
    let (fake, url) = Fake::start([success("auth0=7Cada")]).await;
    let session = client(&url).assume_role(&full_request()).await.unwrap();
    assert_eq!((session.access_key_id(), session.expose_secret_access_key()), ("ASIA1", "canary-secret"));
    assert_eq!(session.expose_session_token(), "canary-token");
    assert_eq!(session.aws_request_id(), Some("req-1"));
    let expected = [
        ("Action", "AssumeRole"),
        ("DurationSeconds", "900"),
        ("ExternalId", "ext"),
        ("Policy", "%7B%7D"),
        ("PolicyArns.member.1.arn", "arn%3Ap"),
        ("RoleArn", "arn%3Aaws%3Aiam%3A%3A444455556666%3Arole%2Facme-reader"),
        ("RoleSessionName", "auth0%3D7Cada"),
        ("SourceIdentity", "auth0%3D7Cada"),
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", "x"),
        ("Tags.member.2.Key", "tenant"),
        ("Tags.member.2.Value", "acme"),
        ("TransitiveTagKeys.member.1", "tenant"),
        ("Version", "2011-06-15"),
    ];
    let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(fake.asked(), [BTreeMap::from(expected)]);
}

#[tokio::test]
async fn nothing_is_sent_that_was_not_asked() {
    let (fake, url) = Fake::start([success("ada")]).await;
    client(&url).assume_role(&AssumeRoleRequest::new(ROLE, "ada", "eu-central-1")).await.unwrap();
    let asked = fake.asked();
    let keys: Vec<&str> = asked[0].keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        ["Action", "DurationSeconds", "RoleArn", "RoleSessionName", "SourceIdentity", "Version"]
    );
}

#[tokio::test]
async fn a_refusal_is_asked_once_and_names_what_is_missing() {
    let message = format!("User: arn:x is not authorized to perform: sts:TagSession on resource: {ROLE}");
    let (fake, url) = Fake::start([failure(403, "AccessDenied", &message)]).await;
    let error = client(&url).assume_role(&full_request()).await.unwrap_err();
    assert_eq!(error.reason(), "sts_denied_tag_session");
    assert!(error.to_string().contains(ROLE), "{error}");
    assert_eq!(error.aws_request_id(), Some("req-1"));
    assert_eq!(fake.asked().len(), 1);
}

#[tokio::test]
async fn throttling_is_tried_a_bounded_number_of_times() {
    let (fake, url) = Fake::start(vec![failure(400, "Throttling", "Rate exceeded"); 10]).await;
    let base = SharedCredentialsProvider::new(Credentials::new("A", "s", None, None, "test"));
    let client = StsClient::builder("eu-central-1", base).endpoint_url(url).max_attempts(2).build();
    let error = client.assume_role(&full_request()).await.unwrap_err();
    assert_eq!(error.reason(), "sts_throttled");
    assert!(error.is_transient());
    assert_eq!(fake.asked().len(), 2);
}

#[tokio::test]
async fn a_session_of_somebody_else_is_not_taken() {
    let (_, url) = Fake::start([success("eve")]).await;
    let error = client(&url).assume_role(&full_request()).await.unwrap_err();
    assert_eq!(error.reason(), "sts_unexpected_answer");
}

#[tokio::test]
async fn answers_that_are_not_of_sts_are_an_outage() {
    let (_, url) = Fake::start([(200, "<html>".to_owned())]).await;
    let error = client(&url).assume_role(&full_request()).await.unwrap_err();
    assert_eq!(error.reason(), "sts_unexpected_answer");
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_an_outage() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let base = SharedCredentialsProvider::new(Credentials::new("A", "s", None, None, "test"));
    let client = StsClient::builder("eu-central-1", base).endpoint_url(url).max_attempts(1).build();
    assert_eq!(client.assume_role(&full_request()).await.unwrap_err().reason(), "sts_unreachable");
}

#[derive(Debug)]
struct NoCredentials;

impl ProvideCredentials for NoCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded("none")))
    }
}

#[tokio::test]
async fn a_server_without_credentials_of_its_own_is_told_so() {
    let base = SharedCredentialsProvider::new(NoCredentials);
    let client =
        StsClient::builder("eu-central-1", base).endpoint_url("http://127.0.0.1:9").max_attempts(1).build();
    let error = client.assume_role(&full_request()).await.unwrap_err();
    assert_eq!(error.reason(), "sts_no_base_credentials");
}

#[tokio::test]
async fn the_caller_can_be_asked_for() {
    let text = "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:me</Arn><UserId>u</UserId>
        <Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
    let (_, url) = Fake::start([(200, text.to_owned())]).await;
    let identity = client(&url).caller_identity().await.unwrap();
    assert_eq!((identity.account.as_str(), identity.arn.as_str()), ("111122223333", "arn:me"));
}
