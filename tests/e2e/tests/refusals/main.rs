//! What must be refused, through the built programs: tokens that are not good enough, people who may not, and decision
//! headers from outside in every spelling.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed set-up fails the test")]

mod issuer;
mod raw;

use e2e::{Options, System, merge};
use issuer::TestIssuer;
use quickstart::{McpClient, ToolAnswer};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

/// How often a change that another process must notice is looked for, and for how long.
const LOOK: std::time::Duration = std::time::Duration::from_millis(100);
const LOOKS: usize = 100;

fn http() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

async fn sign_in(system: &System, username: &str, password: &str) -> McpClient {
    McpClient::sign_in(&system.mcp_url(), username, password).await.unwrap()
}

async fn ada(system: &System) -> McpClient {
    sign_in(system, "ada", "ada-counts-engines").await
}

/// Status, error of the challenge and body of `auth_status` with a token, at a URL.
async fn call(url: &str, token: Option<&str>) -> (StatusCode, String, Value) {
    let body = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call",
                       "params": { "name": "auth_status", "arguments": {} } });
    let mut request = http().post(url).header("accept", "application/json, text/event-stream").json(&body);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let challenge = answer.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
    (status, challenge.unwrap_or_default(), answer.json().await.unwrap_or_default())
}

/// Asks until the answer is `wanted`; the last answer otherwise.
async fn until(client: &McpClient, wanted: StatusCode) -> (StatusCode, String) {
    let mut look = tokio::time::interval(LOOK);
    let mut last = (StatusCode::OK, String::new());
    for _ in 0..LOOKS {
        look.tick().await;
        last = match client.call_tool("auth_status", json!({})).await.unwrap() {
            ToolAnswer::Refused(status, words) => (status, words),
            ToolAnswer::Done(_) | ToolAnswer::ToolError(_) => (StatusCode::OK, String::new()),
        };
        if last.0 == wanted {
            break;
        }
    }
    last
}

#[tokio::test]
async fn tokens_that_are_not_good_enough() {
    let trusted = TestIssuer::start().await;
    let stranger = TestIssuer::start().await;
    let settings = json!({ "trusted_issuer": [{
        "issuer": trusted.url, "algorithms": ["ES256"],
        "jwks_uri": format!("{}/jwks", trusted.url), "tenant_claim": "/org", "source_identity_prefix": "agent",
    }] });
    let second = |upstream: &str| json!({ "name": "other", "path": "/mcp/other", "upstream": upstream, "scopes": ["other"] });
    let mapping = format!(
        "{}\n[[subjects]]\nissuer = \"{}\"\nsubject = \"robot\"\ntenant = \"globex\"\n",
        quickstart::scenario::mapping("http://unused.localhost/static"),
        trusted.url
    );
    let system = System::start(Options {
        mapping: Some(mapping),
        configure: Some(Box::new(move |config| {
            merge(config, settings);
            config["service"][0]["audiences"] = json!(["api://quilt-mcp"]);
            let upstream = config["service"][0]["upstream"].as_str().unwrap().to_owned();
            config["service"].as_array_mut().unwrap().push(second(&upstream));
        })),
        ..Options::default()
    });
    let url = system.mcp_url();
    let other = format!("{}/mcp/other/mcp", system.public_url);
    let robot = |change: Value| trusted.token(&json!({ "sub": "robot", "org": "globex" }), &change);

    let (status, _, body) = call(&url, Some(&robot(json!({})))).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(body["result"]["structuredContent"]["source_identity"], "agent=.robot");

    let own = ada(&system).await.tokens().access_token.clone();
    let mut parts: Vec<&str> = own.split('.').collect();
    parts[2] = "c2lnbmF0dXJlIG9mIG5vYm9keSBhdCBhbGwsIHJlYWxseSBub3QgYXQgYWxsLCBzb3JyeSBmb3IgdGhhdC4u";
    let forged = parts.join(".");
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{}.", parts[1]);
    let cases = [
        ("no token", &url, None),
        ("garbage", &url, Some("garbage".to_owned())),
        ("another signature", &url, Some(forged)),
        ("no signature", &url, Some(none)),
        ("wrong audience", &url, Some(robot(json!({ "aud": "api://someone-else" })))),
        ("another service", &other, Some(own.clone())),
        ("expired", &url, Some(robot(json!({ "exp": issuer::now() - 3600, "iat": issuer::now() - 7200 })))),
        ("not yet", &url, Some(robot(json!({ "nbf": issuer::now() + 3600 })))),
        (
            "another issuer",
            &url,
            Some(stranger.token(&json!({ "sub": "robot", "org": "globex" }), &json!({}))),
        ),
        (
            "an issuer's name, another's key",
            &url,
            Some(stranger.token(&json!({ "sub": "robot", "org": "globex" }), &json!({ "iss": trusted.url }))),
        ),
    ];
    for (what, url, token) in cases {
        let (status, challenge, body) = call(url, token.as_deref()).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{what}: {body}");
        assert!(
            challenge.starts_with("Bearer ") && challenge.contains("resource_metadata=\""),
            "{what}: {challenge}"
        );
        assert_eq!(token.is_some(), challenge.contains("error=\"invalid_token\""), "{what}: {challenge}");
    }
    let (status, _, _) = call(&url, Some(&own)).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "the token itself is good, its person is in no tenant here");
}

#[tokio::test]
async fn people_who_may_not_any_more() {
    let mut system = System::start(Options::default());
    let issuer = format!("issuer={}/static", system.public_url);

    let dan = sign_in(&system, "dan", "dan-just-arrived").await;
    let (status, words) = until(&dan, StatusCode::FORBIDDEN).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "no rule: {words}");

    let ben = sign_in(&system, "ben", "ben-flies-kites").await;
    assert_eq!(until(&ben, StatusCode::OK).await.0, StatusCode::OK);
    let changed =
        system.connect_server(&["mapping", "set", "subject", &issuer, "subject=ben", "active=false"]);
    assert!(changed.status.success(), "{changed:?}");
    assert_eq!(until(&ben, StatusCode::UNAUTHORIZED).await.0, StatusCode::UNAUTHORIZED, "deactivated");

    let ada = ada(&system).await;
    assert_eq!(until(&ada, StatusCode::OK).await.0, StatusCode::OK);
    let tokens = ada.tokens();
    let form = [("token", tokens.refresh_token.as_str()), ("client_id", tokens.client_id.as_str())];
    let revoked = http().post(format!("{}/revoke", system.public_url)).form(&form).send().await.unwrap();
    assert_eq!(revoked.status(), StatusCode::OK);
    assert_eq!(until(&ada, StatusCode::UNAUTHORIZED).await.0, StatusCode::UNAUTHORIZED, "revoked");

    system.stop();
    let events = system.audit("connect-audit.jsonl");
    for (action, reason) in [("deny", "no_rule"), ("deny", "inactive_subject"), ("deny", "revoked")] {
        assert!(
            events.iter().any(|event| event["action"] == action && event["reason"] == reason),
            "no {action} because of {reason} in the audit file"
        );
    }
    assert!(events.iter().any(|event| event["action"] == "token_revoke"));
}

/// SEC-42, SEC-43, SEC-44, SEC-45, SEC-46: decision headers in any spelling from outside -> the call runs under the caller's own role, or not at all
#[tokio::test]
async fn decision_headers_from_outside() {
    let mut system = System::start(Options::default());
    let token = ada(&system).await.tokens().access_token.clone();
    let mine = "arn:aws:iam::111122223333:role/data/lab-member";
    for (what, request) in raw::hostile_requests(&token) {
        let (status, body) = raw::send(&system.public_url, &request);
        let role = body["result"]["structuredContent"]["role_arn"].as_str();
        assert!(
            (status == 400 && role.is_none()) || (status == 200 && role == Some(mine)),
            "{what}: {status} {body}"
        );
    }
    for (what, request) in raw::smuggling_requests(&token) {
        let (status, body) = raw::send(&system.public_url, &request);
        assert_eq!(status, 400, "{what}: {body}");
    }
    system.stop();
    let events = system.audit("tools-audit.jsonl");
    assert!(!events.is_empty());
    assert!(events.iter().all(|event| event["source_identity"] == "ada"), "somebody else worked");
}

/// SEC-43, SEC-45, SEC-53: a call to the tools server without one well-formed decision -> 403
#[tokio::test]
async fn decisions_that_are_none() {
    let system = System::start(Options::default());
    for (what, headers) in raw::bad_decisions() {
        let (status, body) = raw::send(&system.upstream_url, &raw::tools_request(&headers));
        assert_eq!(status, 403, "{what}: {body}");
    }
    let (status, body) = raw::send(&system.upstream_url, &raw::tools_request(&raw::good_decision()));
    assert_eq!(status, 200, "{body}");
}
