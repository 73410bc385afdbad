//! A provider that is down, wrong or hostile.

use std::error::Error;
use std::fmt::Write;

use http::StatusCode;
use oauth_server::identity::{OidcUpstream, Step, UpstreamError, UpstreamProblem};
use serde_json::json;
use tokio::net::TcpListener;

use super::provider::{
    CALLBACK, CODE, DISCOVERY, Fault, NONCE, Provider, challenge, client, complete, config,
};

#[tokio::test]
async fn a_provider_that_is_down_is_transient_and_recovers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let upstream = OidcUpstream::new(config(&format!("http://{address}")), client()).unwrap();
    let error = upstream.begin(CALLBACK, "s", NONCE, &challenge(), None).await.unwrap_err();
    assert!(error.is_transient() && error.step() == Step::Discovery, "{error}");
    assert!(
        error.source().is_some_and(|source| source.to_string().contains(&address.to_string())),
        "{error:?}"
    );
    Provider::start_at(address).await;
    assert!(complete(&upstream).await.is_ok(), "the next sign-in asks again");
}

#[tokio::test]
async fn bad_tls_is_transient() {
    let provider = Provider::start().await;
    let issuer = provider.issuer.replace("http:", "https:");
    let upstream = OidcUpstream::new(config(&issuer), client()).unwrap();
    assert!(complete(&upstream).await.unwrap_err().is_transient());
}

/// What each endpoint may do wrong, and what it means.
#[tokio::test]
async fn faults_are_told_apart() {
    let status = |code: u16| Fault::Status(StatusCode::from_u16(code).unwrap());
    let oauth =
        |code: u16, error: &str| Fault::Body(StatusCode::from_u16(code).unwrap(), json!({ "error": error }));
    for (path, fault, reason) in [
        (DISCOVERY, status(500), "upstream_unavailable"),
        (DISCOVERY, status(503), "upstream_unavailable"),
        (DISCOVERY, status(429), "upstream_unavailable"),
        (DISCOVERY, status(404), "upstream_metadata"),
        (DISCOVERY, Fault::Body(StatusCode::OK, json!([])), "upstream_metadata"),
        (DISCOVERY, Fault::Body(StatusCode::OK, json!({})), "upstream_metadata"),
        (DISCOVERY, Fault::Huge, "upstream_metadata"),
        (DISCOVERY, Fault::Redirect("/moved".into()), "upstream_redirect"),
        ("/jwks", status(500), "upstream_unavailable"),
        ("/jwks", status(404), "upstream_metadata"),
        ("/jwks", Fault::Huge, "upstream_metadata"),
        ("/jwks", Fault::Redirect("/moved".into()), "upstream_redirect"),
        ("/jwks", Fault::Body(StatusCode::OK, json!({"keys": []})), "id_token_signature"),
        ("/token", status(502), "upstream_unavailable"),
        ("/token", status(429), "upstream_unavailable"),
        ("/token", status(404), "id_token_missing"),
        ("/token", Fault::Redirect("/moved".into()), "upstream_redirect"),
        ("/token", oauth(401, "invalid_client"), "upstream_client_refused"),
        ("/token", oauth(400, "unauthorized_client"), "upstream_client_refused"),
        ("/token", oauth(400, "invalid_grant"), "upstream_refused"),
        ("/token", oauth(400, "server_error"), "upstream_unavailable"),
    ] {
        let provider = Provider::start().await;
        provider.set(|provider| drop(provider.faults.insert(path, fault.clone())));
        let error = complete(&provider.upstream()).await.unwrap_err();
        assert_eq!(error.reason(), reason, "{path} {fault:?}: {error}");
        assert_eq!(error.is_transient(), reason == "upstream_unavailable", "{path} {fault:?}");
        assert_eq!(error.is_refused(), reason == "upstream_refused", "{path} {fault:?}");
    }
}

#[tokio::test]
async fn a_redirect_counts_even_when_the_client_follows_it() {
    let provider = Provider::start().await;
    provider.set(|provider| drop(provider.faults.insert(DISCOVERY, Fault::Redirect("/moved".into()))));
    let follows = reqwest::Client::builder().no_proxy().build().unwrap();
    let upstream = OidcUpstream::new(provider.config(), follows).unwrap();
    assert_eq!(*complete(&upstream).await.unwrap_err().problem(), UpstreamProblem::Redirect);
}

/// SEC-23: a provider that fails at any step -> no code, token or secret in the error
#[tokio::test]
async fn no_secret_is_in_an_error_or_a_debug_form() {
    let provider = Provider::start().await;
    let upstream = provider.upstream();
    let mut seen = vec![format!("{upstream:?}"), format!("{:?}", provider.config())];
    let answer = json!({"access_token": "canary-access-token", "id_token": 7});
    for fault in [
        Some(Fault::Body(StatusCode::OK, answer.clone())),
        Some(Fault::Body(StatusCode::BAD_REQUEST, answer)),
        Some(Fault::Status(StatusCode::BAD_GATEWAY)),
        Some(Fault::Redirect(format!("/moved?code={CODE}"))),
        None,
    ] {
        provider.set(|provider| {
            provider.faults.clear();
            provider.faults.extend(fault.map(|fault| ("/token", fault)));
            provider.claims = json!({"nonce": "canary-nonce"});
        });
        seen.push(chain(&complete(&upstream).await.unwrap_err()));
    }
    seen.push(format!("{upstream:?}"));
    for text in seen {
        assert!(!text.contains("canary"), "{text}");
    }
}

/// The whole chain of an error, as a log shows it, and its debug form.
fn chain(error: &UpstreamError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        write!(text, " {error} {error:?}").unwrap();
        source = error.source();
    }
    text
}
