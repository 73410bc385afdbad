//! What real clients send, each in a folder of `tests/cases/clients`: the registration, the authorization request, what they
//! are told, and the line of `allowed_hosts` that lets them in.

use std::{fs, path::Path, sync::Arc};

use http::StatusCode;
use oauth_server::store::MemoryStore;
use serde_json::Value;

use crate::support::{Browser, CHALLENGE, Harness, RESOURCE, VERIFIER, authorize_url, config, static_users};

fn read(folder: &Path, name: &str) -> Value {
    let file = folder.join(name);
    let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Registers, signs a person in and redeems the code, as the client does. Gives the redirect that the code came to.
async fn connect(folder: &Path) -> String {
    let hosts = read(folder, "allowed_hosts.json");
    let store = Arc::new(MemoryStore::default());
    let harness = Harness::listing(text(&hosts), config(), store, vec![static_users()]).await;
    let registered = harness.post_json("/register", &read(folder, "registration.json")).await;
    assert_eq!(registered.status, StatusCode::CREATED, "{}: {}", folder.display(), registered.body);
    let registered = registered.json();
    for (name, expected) in read(folder, "expected.json").as_object().unwrap() {
        assert_eq!(&registered[name], expected, "{}: {name}", folder.display());
    }
    let client_id = text(&registered["client_id"]);
    let authorize = read(folder, "authorize.json");
    let mut params = vec![
        ("response_type", "code"),
        ("client_id", client_id),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("state", "state"),
    ];
    params.extend(authorize.as_object().unwrap().iter().map(|(name, value)| (name.as_str(), text(value))));
    let redirect = text(&authorize["redirect_uri"]);
    let mut browser = Browser::default();
    let answer = browser.sign_in(&harness, &authorize_url(&params)).await;
    assert!(answer.location().starts_with(redirect), "{}: {}", folder.display(), answer.location());
    let code = answer.location_param("code").unwrap();
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("client_id", client_id),
        ("code", code.as_str()),
        ("code_verifier", VERIFIER),
        ("redirect_uri", redirect),
    ];
    form.extend(registered["client_secret"].as_str().map(|secret| ("client_secret", secret)));
    let tokens = harness.post_form("/token", &form).await;
    assert_eq!(tokens.status, StatusCode::OK, "{}: {}", folder.display(), tokens.body);
    assert!(tokens.json()["refresh_token"].is_string(), "{}: it cannot stay", folder.display());
    redirect.to_owned()
}

#[tokio::test]
async fn every_client_of_the_table_registers_signs_in_and_gets_tokens() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/clients");
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/clients.md");
    let guide = fs::read_to_string(guide).unwrap();
    let mut folders: Vec<_> = fs::read_dir(cases).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert_eq!(folders.len(), 14);
    for folder in folders {
        connect(&folder).await;
        let name = folder.file_name().unwrap().to_str().unwrap();
        assert!(guide.contains(&format!("clients/{name}/")), "{name} is not in docs/guides/clients.md");
        let hosts = read(&folder, "allowed_hosts.json");
        let entries = text(&hosts).split(", ");
        for entry in entries {
            assert!(guide.contains(&format!("`{entry}`")), "{entry} is not in docs/guides/clients.md");
        }
    }
    assert!(RESOURCE.starts_with("http://localhost"));
}

/// SEC-1: a registered client whose host the operator does not list -> 400 `invalid_redirect_uri`
#[tokio::test]
async fn no_client_of_the_table_registers_where_it_is_not_listed() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/clients");
    for folder in fs::read_dir(cases).unwrap().map(|entry| entry.unwrap().path()) {
        let store = Arc::new(MemoryStore::default());
        let harness = Harness::listing("other.example", config(), store, vec![static_users()]).await;
        let refused = harness.post_json("/register", &read(&folder, "registration.json")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", folder.display());
        assert_eq!(refused.error(), "invalid_redirect_uri");
    }
}
