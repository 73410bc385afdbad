//! Two certified client libraries, which judge every answer themselves and refuse what a standard forbids.

use std::{fs, path::Path};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use e2e::{Options, System, merge, node_script};
use quickstart::scenario::PEOPLE;
use serde_json::{Value, json};

/// One script a library.
const LIBRARIES: [&str; 2] = ["oauth4webapi.mjs", "openid-client.mjs"];

/// Leads a library through a flow, and gives its report.
fn lead(system: &System, library: &str, flow: &str, more: Value) -> Value {
    let ada = PEOPLE[0];
    let mut input = json!({
        "flow": flow, "issuer": system.public_url, "resource": system.mcp_url(), "method": "none",
        "person": { "username": ada.username, "password": ada.password },
    });
    merge(&mut input, more);
    let output = node_script(library).arg(input.to_string()).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{library} {flow}: {words}\n{}", system.connect.log());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Leads both libraries through a flow, one after the other.
fn lead_both(system: &System, flow: &str, more: &Value) -> [Value; 2] {
    LIBRARIES.map(|library| lead(system, library, flow, more.clone()))
}

#[test]
fn both_documents_are_accepted_and_say_the_same() {
    let system = System::start(Options::default());
    for mut report in lead_both(&system, "discovery", &json!({})) {
        let oauth = report["oauth2"].take();
        let openid = report["oidc"].as_object_mut().unwrap();
        assert_eq!(oauth["issuer"], json!(system.public_url));
        for only_openid in ["subject_types_supported", "id_token_signing_alg_values_supported"] {
            assert!(openid.remove(only_openid).is_some(), "{only_openid}");
            assert!(oauth[only_openid].is_null(), "{only_openid}");
        }
        assert_eq!(&oauth, &report["oidc"]);
    }
}

/// A client that authenticates like this signs a person in, refreshes and revokes.
fn code_and_refresh(method: &str) {
    let system = System::start(Options::default());
    for report in lead_both(&system, "code", &json!({ "method": method })) {
        assert_eq!(report["client"]["token_endpoint_auth_method"], method);
        let secret = method.starts_with("client_secret");
        assert_eq!(report["client"]["client_secret"].is_string(), secret, "{report}");
        assert_eq!(report["sent"]["code_challenge_method"], "S256");
        for tokens in [&report["first"], &report["second"]] {
            assert_eq!(tokens["token_type"], "bearer");
            assert_eq!(tokens["scope"], "platform");
            assert_eq!(tokens["claims"]["iss"], json!(system.public_url));
            assert_eq!(tokens["claims"]["sub"], "ada");
            assert_eq!(tokens["claims"]["client_id"], report["client"]["client_id"]);
        }
        assert_eq!(report["first"]["claims"]["sid"], report["second"]["claims"]["sid"]);
        assert_ne!(report["first"]["claims"]["jti"], report["second"]["claims"]["jti"]);
        assert!(report["second"]["refresh"].is_string());
        assert_ne!(report["first"]["refresh"], report["second"]["refresh"]);
        assert_eq!(report["second"]["refresh"], report["repeated"]["refresh"]);
        assert_eq!(report["revoked"]["error"], "invalid_grant");
    }
}

/// SEC-22: a refresh by a public client after it revoked its token -> 400 `invalid_grant`, as the libraries read it
#[test]
fn a_public_client_signs_in_refreshes_and_revokes() {
    code_and_refresh("none");
}

#[test]
fn a_client_with_a_secret_in_the_header_does_too() {
    code_and_refresh("client_secret_basic");
}

#[test]
fn a_client_with_a_secret_in_the_form_does_too() {
    code_and_refresh("client_secret_post");
}

#[test]
fn a_client_that_signs_its_assertions_does_too() {
    code_and_refresh("private_key_jwt");
}

/// SEC-7: a code with another verifier -> `invalid_grant`, as the libraries read it
/// SEC-8: a code that was used -> `invalid_grant`, and the refresh token of its first use is worth nothing
#[test]
fn refusals_reach_the_user_of_a_library() {
    let system = System::start(Options::default());
    for report in lead_both(&system, "refusals", &json!({})) {
        for (what, name, error) in [
            ("cancelled", "AuthorizationResponseError", "access_denied"),
            ("scope", "AuthorizationResponseError", "invalid_scope"),
            ("verifier", "ResponseBodyError", "invalid_grant"),
            ("replayed", "ResponseBodyError", "invalid_grant"),
            ("afterwards", "ResponseBodyError", "invalid_grant"),
        ] {
            assert_eq!(report[what]["name"], name, "{what}: {report}");
            assert_eq!(report[what]["error"], error, "{what}: {report}");
            assert!(!report[what]["description"].as_str().unwrap().is_empty(), "{what}: {report}");
        }
        assert_eq!(report["state"]["code"], "OAUTH_INVALID_RESPONSE");
    }
}

/// SEC-22: a token that was never issued, and both tokens after one was revoked -> `active: false` and nothing else
#[test]
fn introspection_tells_a_client_of_its_tokens() {
    let system = System::start(Options::default());
    for method in ["client_secret_basic", "client_secret_post"] {
        for report in lead_both(&system, "introspection", &json!({ "method": method })) {
            for token in ["access", "refresh"] {
                assert_eq!(report[token]["active"], true, "{token}: {report}");
                assert_eq!(report[token]["sub"], "ada", "{token}: {report}");
                assert_eq!(report[token]["scope"], "platform", "{token}: {report}");
            }
            assert_eq!(report["access"]["token_type"], "Bearer");
            let inactive = json!({ "active": false });
            assert_eq!(report["unknown"], inactive);
            assert_eq!(report["ended"], json!([inactive, inactive]));
        }
    }
}

/// The system with these settings added.
fn system_with(changes: Value) -> System {
    let configure = Box::new(move |config: &mut Value| merge(config, changes));
    System::start(Options { configure: Some(configure), ..Options::default() })
}

/// SEC-36: a device code asked for twice in a moment -> `slow_down`, as the libraries read it
/// SEC-36: a device code that was used -> `invalid_grant`, as the libraries read it
/// SEC-37: a device that the person refuses after opening the whole link -> `access_denied`, as the libraries read it
#[test]
fn a_person_lets_a_device_in_and_another_not() {
    let system = system_with(json!({ "device": { "clients": "any" } }));
    let grants = ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"];
    for report in lead_both(&system, "device", &json!({ "metadata": { "grant_types": grants } })) {
        let early: Vec<&Value> =
            report["early"].as_array().unwrap().iter().map(|one| &one["error"]).collect();
        assert_eq!(early, ["authorization_pending", "slow_down"]);
        assert_eq!(report["asked"]["verification_uri"], json!(format!("{}/device", system.public_url)));
        assert!(report["page"]["words"].as_str().unwrap().contains("The device is connected"), "{report:#}");
        assert_eq!(report["tokens"]["claims"]["sub"], "ada");
        assert!(report["tokens"]["refresh"].is_string(), "{report:#}");
        assert_eq!(report["again"]["error"], "invalid_grant");
        assert!(report["refusal"]["words"].as_str().unwrap().contains("was not connected"), "{report:#}");
        assert_eq!(report["refused"]["error"], "access_denied");
    }
}

/// Registers a client as an operator does, and gives its metadata.
fn operators_client(system: &System, method: &str, more: &[&str]) -> Value {
    let start = ["client", "add", "--json", "--authentication", method, "--grant-type", "client_credentials"];
    let key = (method == "private_key_jwt").then(|| key_pair(&system.file("client-jwks.json")));
    let jwks = system.file("client-jwks.json").display().to_string();
    let keys: &[&str] = if key.is_some() { &["--jwks", &jwks] } else { &[] };
    let output = system.connect_server(&[&start, more, keys].concat());
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{method}: {words}");
    let added: Value = serde_json::from_slice(&output.stdout).unwrap();
    json!({
        "client_id": added["id"], "client_secret": added["client_secret"], "token_endpoint_auth_method": method,
        "key": key,
    })
}

/// A key to authenticate with: the public half into a file, the private half for the library.
fn key_pair(file: &Path) -> Value {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    // An uncompressed point: 04, x, y.
    let [x, y] = [1..33, 33..65].map(|part| BASE64_URL_SAFE_NO_PAD.encode(&key.public_key().as_ref()[part]));
    let public =
        json!({ "kty": "EC", "crv": "P-256", "kid": "1", "alg": "ES256", "use": "sig", "x": x, "y": y });
    fs::write(file, json!({ "keys": [public] }).to_string()).unwrap();
    json!({ "kid": "1", "pkcs8": BASE64_STANDARD.encode(key.to_pkcs8v1().unwrap().as_ref()) })
}

/// SEC-19, SEC-23: a client that acts for itself asks for another resource or for more scope -> `invalid_target`, `invalid_scope`
#[test]
fn clients_of_the_operator_act_for_themselves() {
    let system = System::start(Options::default());
    for method in ["client_secret_basic", "client_secret_post", "private_key_jwt"] {
        let client = operators_client(
            &system,
            method,
            &["--tenant", "acme", "--service", "platform", "--scope", "platform"],
        );
        for report in lead_both(&system, "machine", &json!({ "client": client })) {
            let claims = &report["tokens"]["claims"];
            assert_eq!(claims["sub"], client["client_id"], "{report:#}");
            assert_eq!(claims["client_id"], client["client_id"]);
            assert_eq!(claims["tenant"], "acme");
            assert!(report["tokens"]["refresh"].is_null(), "{report:#}");
            assert_eq!(report["elsewhere"]["error"], "invalid_target");
            assert_eq!(report["more"]["error"], "invalid_scope");
        }
    }
}

/// SEC-15: the reference of a pushed request used once more -> 400 page, the browser goes nowhere
#[test]
fn a_pushed_request_counts_once() {
    let system = System::start(Options::default());
    for method in ["none", "client_secret_basic", "private_key_jwt"] {
        for report in lead_both(&system, "pushed", &json!({ "method": method })) {
            let names: Vec<&String> = report["sent"].as_object().unwrap().keys().collect();
            assert_eq!(names, ["client_id", "request_uri"], "nothing of the request is in the browser");
            assert_eq!(report["tokens"]["claims"]["sub"], "ada");
            assert_eq!(report["again"], json!({ "status": 400, "location": null }));
        }
    }
}

/// Tokens that are bound to a key, with what happens to those who have the tokens and not the key.
fn bound(system: &System, more: &Value) {
    for report in lead_both(system, "bound", more) {
        for tokens in ["first", "second", "third"] {
            assert_eq!(report[tokens]["token_type"], "dpop", "{tokens}: {report:#}");
            assert!(report[tokens]["claims"]["cnf"]["jkt"].is_string(), "{tokens}: {report:#}");
        }
        assert_eq!(report["first"]["claims"]["cnf"], report["third"]["claims"]["cnf"]);
        assert_eq!(report["called"], json!({ "status": 200, "tools": 4 }));
        for who in ["thief", "careless"] {
            assert!(report[who]["refresh"]["error"].is_string(), "{who}: {report:#}");
            assert_eq!(report[who]["refresh"]["status"], 400, "{who}: {report:#}");
            assert_eq!(report[who]["call"]["status"], 401, "{who}: {report:#}");
            let challenge = &report[who]["call"]["challenges"][0];
            assert_eq!(challenge["scheme"], "dpop", "{who}: {report:#}");
        }
    }
}

/// SEC-30: a bound token with another key or as a bearer token -> 401 with a DPoP challenge, as the libraries read it
/// SEC-18: a bound refresh token with another key or with none -> 400, and its owner goes on
#[test]
fn tokens_are_bound_to_a_key() {
    let system = System::start(Options::default());
    bound(&system, &json!({}));
    bound(&system, &json!({ "pushed": true }));
}

/// SEC-32: a proof without the nonce that is demanded -> refused with one, which the libraries then use
#[test]
fn tokens_are_bound_to_a_key_with_nonces_of_the_server() {
    let system = system_with(json!({ "tokens": { "dpop_nonce": "required" } }));
    bound(&system, &json!({}));
}
