//! Any bytes as the document of a client: what is taken is a client by every rule, with nothing secret in it.
//!
//! `cargo +nightly fuzz run document` in `crates/oauth-server`.
#![no_main]

use std::time::UNIX_EPOCH;

use libfuzzer_sys::fuzz_target;
use oauth_server::{described_client, store::ClientAuthentication};
use serde_json::Value;

const URL: &str = "https://client.example/metadata.json";

fuzz_target!(|document: &[u8]| {
    let Some(client) = described_client(URL, document, UNIX_EPOCH) else { return };
    let document: Value = serde_json::from_slice(document).expect("JSON");
    assert_eq!(document["client_id"], URL);
    assert_eq!(client.id, URL);
    assert!(
        client.name.is_some_and(|name| !name.trim().is_empty() && document["client_name"] == name.as_str())
    );
    assert!(!client.redirect_uris.is_empty());
    assert_eq!(document["redirect_uris"], Value::from(client.redirect_uris));
    assert!(document["client_secret"].is_null() && document["client_secret_expires_at"].is_null());
    match client.authentication {
        ClientAuthentication::None => assert_ne!(document["token_endpoint_auth_method"], "private_key_jwt"),
        ClientAuthentication::PrivateKeyJwt(_) => {
            assert!(document["jwks"].is_null() != document["jwks_uri"].is_null())
        }
        ClientAuthentication::Secret { .. } => panic!("a document holds no secret"),
    }
});
