//! Every page in a real browser: by keyboard alone, on a phone and on a desktop, light and dark, and without scripts.
//!
//! Pictures of all of them are left in `target/xtask/screens`, for a person to look at.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed set-up fails the test")]

use std::path::Path;

use e2e::{IdentityProvider, Options, System, free_port, merge, node_script};
use quickstart::scenario::PEOPLE;
use serde_json::{Value, json};

/// Devices, and whether scripts run.
const VARIANTS: [&str; 5] =
    ["phone-light", "phone-dark", "desktop-light", "desktop-dark", "phone-light-no-script"];

/// Sends a person on a walk, once in each variant. Gives where the client listened and what was seen.
fn walk(system: &System, name: &str) -> (String, Vec<Value>) {
    let people = PEOPLE.map(|person| json!({ "username": person.username, "password": person.password }));
    let screens = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/xtask/screens");
    let input = json!({
        "walk": name, "issuer": system.public_url, "resource": system.mcp_url(), "screens": screens,
        "people": people,
    });
    let output = node_script("pages.mjs").arg(input.to_string()).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {words}\n{}", system.connect.log());
    let mut report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let visits = report["visits"].as_array_mut().unwrap().drain(..).collect::<Vec<_>>();
    let variants: Vec<&str> = visits.iter().map(|visit| visit["variant"].as_str().unwrap()).collect();
    assert_eq!(variants, VARIANTS);
    (report["redirect"].as_str().unwrap().to_owned(), visits)
}

/// Checks that a walk led past these pages, with these statuses, and that nothing about any of them is wrong.
fn assert_well(system: &System, visit: &Value, expected: &[(&str, u64)]) {
    let seen = visit["seen"].as_array().unwrap();
    let found: Vec<(&str, u64)> =
        seen.iter().map(|page| (page["name"].as_str().unwrap(), page["status"].as_u64().unwrap())).collect();
    assert_eq!(found, expected, "{visit:#}");
    for page in seen {
        assert_eq!(page["invalid"], json!([]), "{page:#}");
        assert_eq!(page["wider"], false, "{page:#}");
        assert!(page["title"].as_str().unwrap().ends_with(" · Quickstart Laboratories"), "{page:#}");
        assert_eq!(page["headings"].as_array().unwrap().len(), 1, "{page:#}");
    }
    assert_eq!(visit["complaints"], json!([]), "{visit:#}");
    assert!(visit["origins"].as_array().unwrap().contains(&json!(system.public_url)), "{visit:#}");
}

/// Checks where a walk ended: at the client, with these parameters, and nobody else was asked for anything.
fn assert_arrived(system: &System, redirect: &str, visit: &Value, parameter: &str) {
    let arrived = visit["arrived"].as_str().unwrap();
    assert!(arrived.starts_with(&format!("{redirect}?{parameter}=")), "{arrived}");
    let client = redirect.strip_suffix("/callback").unwrap();
    assert_eq!(visit["origins"], json!([system.public_url, client]), "{visit:#}");
}

/// The system with a second way to sign in, at a provider that does not answer.
fn with_a_silent_provider() -> System {
    let issuer = IdentityProvider::issuer_on(free_port());
    let provider = json!({ "id": "idp", "label": "Acme staff", "issuer": issuer, "client_id": "x" });
    System::start(Options {
        configure: Some(Box::new(move |config| merge(config, json!({ "identity_provider": [provider] })))),
        ..Options::default()
    })
}

/// SEC-11: a page that runs a script or asks another origin for anything -> none does, with scripts and without
#[test]
fn consent_and_sign_in() {
    let system = System::start(Options::default());
    let (redirect, visits) = walk(&system, "signIn");
    for visit in visits {
        assert_well(&system, &visit, &[("consent", 200), ("sign-in", 200), ("sign-in-failed", 403)]);
        assert_arrived(&system, &redirect, &visit, "code");
    }
}

#[test]
fn every_page_can_be_left() {
    let system = System::start(Options::default());
    let (redirect, visits) = walk(&system, "cancel");
    for visit in visits {
        assert_well(&system, &visit, &[]);
        assert_arrived(&system, &redirect, &visit, "error");
    }
}

#[test]
fn the_choice_of_a_provider() {
    let system = with_a_silent_provider();
    let (_, visits) = walk(&system, "chooser");
    for visit in visits {
        assert_well(&system, &visit, &[("chooser", 200), ("error-provider-down", 503)]);
        assert_eq!(visit["origins"], json!([system.public_url]));
    }
}

#[test]
fn an_account() {
    let system = System::start(Options::default());
    let (redirect, visits) = walk(&system, "account");
    let expected = [
        ("account-sign-in", 200),
        ("account", 200),
        ("account-disconnected", 200),
        ("account-empty", 200),
        ("signed-out", 200),
    ];
    for visit in visits {
        assert_well(&system, &visit, &expected);
        let client = redirect.strip_suffix("/callback").unwrap();
        assert_eq!(visit["origins"], json!([system.public_url, client]));
    }
}

#[test]
fn a_token_from_the_portal() {
    let configure = |config: &mut Value| merge(config, json!({ "portal": { "enabled": true } }));
    let system = System::start(Options { configure: Some(Box::new(configure)), ..Options::default() });
    let (_, visits) = walk(&system, "portal");
    for visit in visits {
        assert_well(&system, &visit, &[("portal", 200), ("portal-token", 200)]);
        assert_eq!(visit["origins"], json!([system.public_url]));
    }
}

/// SEC-37: a link with the whole code in it -> the person is asked all the same, and may say no
#[test]
fn connecting_a_device() {
    let configure = |config: &mut Value| merge(config, json!({ "device": { "clients": "any" } }));
    let system = System::start(Options { configure: Some(Box::new(configure)), ..Options::default() });
    let (_, visits) = walk(&system, "device");
    let expected = [
        ("device", 200),
        ("device-failed", 403),
        ("device-consent", 200),
        ("device-connected", 200),
        ("device-refused", 200),
    ];
    for visit in visits {
        assert_well(&system, &visit, &expected);
        assert_eq!(visit["origins"], json!([system.public_url]));
    }
}

/// SEC-2, SEC-16: an unknown client, a redirect to another host, a sign-in that is over -> a page of ours that leads nowhere
#[test]
fn errors() {
    let system = with_a_silent_provider();
    let (_, visits) = walk(&system, "errors");
    let expected = [
        ("error-unknown-client", 400),
        ("error-redirect", 400),
        ("error-over", 400),
        ("error-no-provider", 404),
    ];
    for visit in visits {
        assert_well(&system, &visit, &expected);
        assert_eq!(visit["origins"], json!([system.public_url]));
    }
}

/// Whoever finds nothing wrong must be able to.
#[test]
fn a_page_with_every_mistake_is_not_let_pass() {
    let system = System::start(Options::default());
    let (_, visits) = walk(&system, "broken");
    for visit in visits {
        let page = &visit["seen"][0];
        assert!(page["invalid"].as_array().unwrap().len() > 5, "{page:#}");
        assert_eq!(page["wider"], true);
        assert_eq!(visit["origins"].as_array().unwrap().len(), 2, "{visit:#}");
        let complaints = visit["complaints"].to_string();
        assert!(complaints.contains("does not show it"), "{visit:#}");
        assert!(complaints.contains("Content Security Policy"), "{visit:#}");
    }
}
