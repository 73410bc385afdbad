//! The TypeScript SDK of both generations, the second one in both eras of the protocol.

use e2e::{Options, System, merge, node_script};
use quickstart::scenario::PEOPLE;
use serde_json::{Value, json};

use crate::{ALLOWED, REFUSED, TOOLS, assert_what_ada_may, names, recorded, run};

/// The newest revision of the first era, and the one of the second.
const LEGACY: &str = "2025-11-25";
const MODERN: &str = "2026-07-28";

/// What a client that knows only the server's URL asks for before it sends the person to sign in.
const DISCOVERY: [&str; 4] = [
    "POST /mcp/platform/mcp 401",
    "GET /.well-known/oauth-protected-resource/mcp/platform/mcp 200",
    "GET /.well-known/oauth-authorization-server 200",
    "POST /register 201",
];

/// Leads a client through its scenario as `username`, and gives its report.
fn lead(system: &System, script: &str, username: &str, more: Value) -> Value {
    let person = PEOPLE.into_iter().find(|person| person.username == username).unwrap();
    let mut input = json!({
        "url": system.mcp_url(), "person": { "username": username, "password": person.password },
        "allowed": ALLOWED, "refused": REFUSED,
    });
    merge(&mut input, more);
    let output = run(node_script(script).arg(input.to_string()));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} for {username}: {words}\n{}", system.connect.log());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn assert_signed_in(system: &System, report: &Value) {
    assert_eq!(report["discovery"], json!(DISCOVERY));
    assert_eq!(report["client"]["token_endpoint_auth_method"], "none");
    assert!(report["client"]["client_secret"].is_null());
    let sent_with = &report["authorization"];
    assert_eq!(sent_with["resource"], json!(system.mcp_url()));
    assert_eq!(sent_with["code_challenge_method"], "S256");
    assert_eq!(report["arrived"], json!({ "iss": system.public_url, "state": sent_with["state"] }));
    let tokens = report["tokens"].as_array().unwrap();
    for member in ["access_token", "refresh_token", "expires_in", "scope"] {
        assert!(tokens.contains(&json!(member)), "{member}: {tokens:?}");
    }
}

/// Checks the report of Ada's work, and what was recorded of it.
fn assert_worked(system: &mut System, report: &Value) {
    assert_signed_in(system, report);
    assert_eq!(report["server"]["name"], "quilt-platform");
    assert_eq!(names(&report["tools"]), TOOLS);
    assert_what_ada_may(&report["allowed"], &report["refused"], &report["me"]);
    system.stop();
    assert_eq!(recorded(system, "registration", "success"), 1);
    assert_eq!(recorded(system, "login", "success"), 1);
    assert_eq!(recorded(system, "token_issue", "success"), 1);
}

#[test]
fn the_first_generation_works() {
    let mut system = System::start(Options::default());
    let report = lead(&system, "sdk.mjs", "ada", json!({}));
    assert_worked(&mut system, &report);
    assert_eq!(report["protocol"], LEGACY);
}

#[test]
fn the_second_generation_works_in_the_older_era() {
    let mut system = System::start(Options::default());
    let report = lead(&system, "client.mjs", "ada", json!({}));
    assert_worked(&mut system, &report);
    assert_eq!((&report["protocol"], &report["era"]), (&json!(LEGACY), &json!("legacy")));
    assert_eq!(report["methods"][1], "initialize");
}

#[test]
fn the_second_generation_works_in_the_newer_era() {
    let mut system = System::start(Options::default());
    let report = lead(&system, "client.mjs", "ada", json!({ "revision": MODERN }));
    assert_worked(&mut system, &report);
    assert_eq!((&report["protocol"], &report["era"]), (&json!(MODERN), &json!("modern")));
    let discovered = &report["discovered"];
    assert!(discovered["supportedVersions"].as_array().unwrap().contains(&json!(MODERN)), "{discovered}");
    assert!(discovered["capabilities"]["tools"].is_object(), "{discovered}");
    assert_eq!(discovered["cacheScope"], "private");
    assert_eq!(report["me"]["cacheScope"], "private");
    let methods = json!([
        "server/discover",
        "server/discover",
        "tools/list",
        "tools/call",
        "tools/call",
        "resources/read",
        "server/discover",
    ]);
    assert_eq!(report["methods"], methods, "no initialize in this era");
}

#[test]
fn somebody_without_a_role_signs_in_and_is_refused() {
    let mut system = System::start(Options::default());
    let clients =
        [("sdk.mjs", json!({})), ("client.mjs", json!({})), ("client.mjs", json!({ "revision": MODERN }))];
    let expected = clients.len();
    for (script, more) in clients {
        let report = lead(&system, script, "dan", more);
        assert_signed_in(&system, &report);
        assert_eq!(report["stopped"]["status"], 403, "{report}");
        let words = report["stopped"]["words"].as_str().unwrap();
        assert!(words.contains("no role is granted to you for this service"), "{words}");
    }
    system.stop();
    let denied = system.audit("connect-audit.jsonl").into_iter().filter(|event| event["action"] == "deny");
    let reasons: Vec<Value> = denied.map(|event| event["reason"].clone()).collect();
    assert_eq!(reasons, vec![json!("no_rule"); expected]);
    assert_eq!(system.audit("tools-audit.jsonl"), Vec::<Value>::new(), "nothing went upstream");
}

/// RFC 9700 §4.14.2: a client whose access token is refused refreshes by itself and gets a new refresh token; the spent
/// one, used once more by anybody, ends everything that grew from the sign-in. The client then asks the person again.
fn assert_refreshes(script: &str, more: Value) {
    // Without a window for repetitions: the test does not wait for its end.
    let configure = |config: &mut Value| merge(config, json!({ "tokens": { "refresh_replay": "0s" } }));
    let mut system = System::start(Options { configure: Some(Box::new(configure)), ..Options::default() });
    let mut input = json!({ "refresh": true });
    merge(&mut input, more);
    let report = lead(&system, script, "ada", input);
    assert_signed_in(&system, &report);
    let requests = ["POST /mcp/platform/mcp 401", "POST /token 200", "POST /mcp/platform/mcp 200"];
    assert_eq!(report["refreshed"], json!({ "requests": requests, "rotated": true, "signIns": 1 }));
    assert_eq!(report["replayed"], "invalid_grant");
    assert_eq!(report["successor"], "invalid_grant");
    assert_eq!(report["afterwards"], "unauthorized");
    let requests = ["POST /mcp/platform/mcp 401", "POST /token 400"];
    assert_eq!(report["recovery"], json!({ "requests": requests, "invalidated": ["tokens"], "signIns": 2 }));
    assert_eq!(report["tools"], TOOLS.len());
    system.stop();
    assert_eq!(recorded(&system, "token_refresh", "success"), 1);
    assert_eq!(recorded(&system, "token_issue", "success"), 2);
    let events = system.audit("connect-audit.jsonl");
    let revoked: Vec<_> = events.iter().filter(|event| event["action"] == "token_revoke").collect();
    assert_eq!(revoked.len(), 1, "{revoked:#?}");
    assert_eq!(revoked[0]["reason"], "refresh_token_replayed");
    assert_eq!(revoked[0]["subject"], "ada");
}

#[test]
fn the_first_generation_refreshes() {
    assert_refreshes("sdk.mjs", json!({}));
}

#[test]
fn the_second_generation_refreshes_in_the_older_era() {
    assert_refreshes("client.mjs", json!({}));
}

#[test]
fn the_second_generation_refreshes_in_the_newer_era() {
    assert_refreshes("client.mjs", json!({ "revision": MODERN }));
}
