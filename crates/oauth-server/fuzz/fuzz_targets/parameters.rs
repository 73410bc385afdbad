//! Any query of `/authorize`, any form and any `Authorization`, one a line: nothing breaks, and a redirect goes to the client
//! or to ourselves. `CLIENT` stands for a registered client.
//!
//! `cargo +nightly fuzz run parameters` in `crates/oauth-server`.
#![no_main]

mod server;

use std::sync::LazyLock;

use axum::body::Body;
use http::{HeaderMap, Request, header};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use url::Url;

use crate::server::{ORIGIN, Server};

const REDIRECT: &str = "https://claude.ai/cb";
/// What answers clients, in JSON.
const ANSWERED: [&str; 5] = ["/token", "/revoke", "/introspect", "/device_authorization", "/par"];
const FORM: &str = "application/x-www-form-urlencoded";

static SERVER: LazyLock<(Server, String)> = LazyLock::new(|| {
    let server = Server::start();
    let metadata = format!(r#"{{"redirect_uris":["{REDIRECT}"]}}"#);
    let (_, _, body) = server.post("/register", "application/json", metadata.as_bytes());
    let answer: Value = serde_json::from_slice(&body).expect("JSON");
    let client = answer["client_id"].as_str().expect("a client").to_owned();
    (server, client)
});

fuzz_target!(|text: &str| {
    let (server, client) = &*SERVER;
    let text = text.replace("CLIENT", client);
    let Some((query, rest)) = text.split_once('\n') else { return };
    let (form, authorization) = rest.split_once('\n').unwrap_or((rest, ""));
    if let Ok(request) = Request::get(format!("/authorize?{query}")).body(Body::empty()) {
        let (status, headers, _) = server.send(request);
        assert!(!status.is_server_error(), "{status}");
        check_location(&headers);
    }
    for path in ANSWERED.into_iter().chain(["/authorize", "/consent", "/sign-in", "/device"]) {
        let request = Request::post(path).header(header::CONTENT_TYPE, FORM);
        let request = request.header(header::AUTHORIZATION, authorization);
        let Ok(request) = request.body(Body::from(form.to_owned())) else { continue };
        let (status, headers, body) = server.send(request);
        assert!(!status.is_server_error(), "{path}: {status}");
        check_location(&headers);
        if ANSWERED.contains(&path) && !status.is_success() {
            let answer: Value = serde_json::from_slice(&body).expect("JSON");
            assert!(answer["error"].is_string());
        }
    }
});

fn check_location(headers: &HeaderMap) {
    let Some(location) = headers.get(header::LOCATION) else { return };
    let location = location.to_str().expect("ASCII");
    if location.starts_with("/consent?interaction=") {
        return;
    }
    let Some(added) = location.strip_prefix(REDIRECT) else { panic!("{location}") };
    assert!(added.starts_with("?error="), "{location}");
    let url = Url::parse(location).expect("a URL");
    for (name, most) in [("error", 1), ("state", 1), ("iss", 1), ("code", 0)] {
        assert!(url.query_pairs().filter(|(found, _)| found == name).count() <= most, "{location}");
    }
    assert!(url.query_pairs().any(|(name, value)| name == "iss" && value == ORIGIN));
}
