//! Any bytes as client metadata: what is registered is allowed, what is refused is refused in the standard's words.
//!
//! `cargo +nightly fuzz run registration` in `crates/oauth-server`.
#![no_main]

mod server;

use std::sync::LazyLock;

use http::StatusCode;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

use crate::server::{Server, redirects};

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

fuzz_target!(|metadata: &[u8]| {
    let (status, _, body) = SERVER.post("/register", "application/json", metadata);
    let answer: Value = serde_json::from_slice(&body).expect("JSON");
    let answer = answer.as_object().expect("an object");
    assert!(answer.values().all(|value| !value.is_null()));
    if status == StatusCode::CREATED {
        let kept = answer["redirect_uris"].as_array().expect("redirects");
        assert!(!kept.is_empty());
        assert!(kept.iter().all(|kept| redirects().check(kept.as_str().expect("text")).is_ok()));
        let method = answer["token_endpoint_auth_method"].as_str().expect("text");
        assert_eq!(method.starts_with("client_secret_"), answer.contains_key("client_secret"));
    } else {
        assert!(status.is_client_error(), "{status}");
        let description = answer["error_description"].as_str().expect("text");
        assert!(description.bytes().all(|byte| matches!(byte, 0x20 | 0x21 | 0x23..=0x5b | 0x5d..=0x7e)));
    }
});
