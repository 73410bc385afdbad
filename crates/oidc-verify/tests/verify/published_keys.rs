//! Reading an issuer's keys: how often, how much, from whom, and what when it does not answer (SEC-28, SEC-29).

use axum::http::StatusCode;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use oidc_verify::{
    Algorithm, ConfigError, FetchClient, FetchProblem, JwksCache, JwksLocation, KeysUnavailable, Rejected,
    TokenVerifier, VerifiedToken, VerifyError,
};
use serde_json::json;

use crate::server::{Answer, Issuer, TestClock, cache};
use crate::signer::{Signer, claims, config, now};

/// Lives long enough for every case.
fn long_lived(signer: &Signer, key_id: &str) -> String {
    let mut claims = claims();
    claims["exp"] = json!(1_900_000_000);
    signer.sign_token(&json!({ "typ": "at+jwt", "alg": "ES256", "kid": key_id }), &claims)
}

fn verifier(cache: &JwksCache) -> TokenVerifier {
    TokenVerifier::new(config(Algorithm::Es256).build().unwrap(), cache.clone())
}

async fn verify(cache: &JwksCache, token: &str) -> Result<VerifiedToken, VerifyError> {
    verifier(cache).verify(token, now()).await
}

fn problem(error: &VerifyError) -> &FetchProblem {
    match error {
        VerifyError::KeysUnavailable(KeysUnavailable { problem, .. }) => problem,
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test]
async fn keys_are_read_once_however_many_wait() {
    let signer = Signer::es256("1");
    let issuer = Issuer::with_keys(&[&signer.jwk]).await;
    let cache = issuer.cache(&TestClock::default());
    let token = long_lived(&signer, "1");
    let results = join_all((0..200).map(|_| verify(&cache, &token))).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(issuer.reads().len(), 1);
    // Warm: nothing is waited for.
    assert!(verify(&cache, &token).now_or_never().unwrap().is_ok());
}

/// SEC-28: a storm of unknown key identifiers -> one reading in thirty seconds
#[tokio::test]
async fn a_storm_of_unknown_kids_reads_once_in_thirty_seconds() {
    let signer = Signer::es256("1");
    let issuer = Issuer::with_keys(&[&signer.jwk]).await;
    let clock = TestClock::default();
    let cache = issuer.cache(&clock);
    verify(&cache, &long_lived(&signer, "1")).await.unwrap();
    for (seconds, expected) in [(0, 1), (29, 1), (1, 2), (15, 2), (14, 2), (1, 3)] {
        clock.advance(seconds);
        let tokens: Vec<String> = (0..200).map(|n| long_lived(&signer, &format!("unknown-{n}"))).collect();
        let results = join_all(tokens.iter().map(|token| verify(&cache, token))).await;
        assert!(results.iter().all(|result| *result == Err(Rejected::UnknownKey.into())));
        assert_eq!(issuer.reads().len(), expected);
    }
}

#[tokio::test]
async fn tokens_that_are_not_for_us_read_nothing() {
    let signer = Signer::es256("1");
    let issuer = Issuer::with_keys(&[&signer.jwk]).await;
    let cache = issuer.cache(&TestClock::default());
    let mut foreign = claims();
    foreign["iss"] = json!("https://elsewhere.example.com");
    for token in [
        "garbage".to_owned(),
        signer.sign_token(&signer.header(), &foreign),
        signer.sign_token(&json!({ "typ": "at+jwt", "alg": "none", "kid": "1" }), &claims()),
        signer.sign_token(&json!({ "typ": "JWT", "alg": "ES256", "kid": "1" }), &claims()),
    ] {
        assert!(!verify(&cache, &token).await.unwrap_err().is_transient());
    }
    assert!(issuer.reads().is_empty());
}

#[tokio::test]
async fn a_new_key_is_found_and_a_removed_one_is_honoured_within_five_minutes() {
    let (old, new) = (Signer::es256("old"), Signer::es256("new"));
    let issuer = Issuer::with_keys(&[&old.jwk]).await;
    let clock = TestClock::default();
    let cache = issuer.cache(&clock);
    let (old_token, new_token) = (long_lived(&old, "old"), long_lived(&new, "new"));
    assert!(verify(&cache, &old_token).await.is_ok());

    issuer.publish(&[&old.jwk, &new.jwk]);
    clock.advance(30);
    assert!(verify(&cache, &new_token).await.is_ok());
    assert!(verify(&cache, &old_token).await.is_ok());

    issuer.publish(&[&new.jwk]);
    clock.advance(299);
    assert!(verify(&cache, &old_token).await.is_ok(), "not due yet, and nothing runs in the background here");
    clock.advance(1);
    assert_eq!(verify(&cache, &old_token).await, Err(Rejected::UnknownKey.into()));
    assert!(verify(&cache, &new_token).await.is_ok());
}

#[tokio::test]
async fn a_replaced_key_of_the_same_name_is_honoured_too() {
    let (old, new) = (Signer::es256("1"), Signer::es256("1"));
    let issuer = Issuer::with_keys(&[&old.jwk]).await;
    let clock = TestClock::default();
    let cache = issuer.cache(&clock);
    assert!(verify(&cache, &long_lived(&old, "1")).await.is_ok());
    issuer.publish(&[&new.jwk]);
    clock.advance(300);
    assert_eq!(verify(&cache, &long_lived(&old, "1")).await, Err(Rejected::Signature.into()));
    assert!(verify(&cache, &long_lived(&new, "1")).await.is_ok());
}

#[tokio::test]
async fn a_result_is_rechecked_when_its_keys_are_due() {
    let signer = Signer::es256("1");
    let issuer = Issuer::with_keys(&[&signer.jwk]).await;
    let clock = TestClock::default();
    let cache = issuer.cache(&clock);
    let token = long_lived(&signer, "1");
    let seconds = |token: VerifiedToken| token.recheck_at().duration_since(now()).unwrap().as_secs();
    assert_eq!(seconds(verify(&cache, &token).await.unwrap()), 300);
    clock.advance(200);
    assert_eq!(seconds(verify(&cache, &token).await.unwrap()), 300);
    issuer.set("/jwks", Answer::Status(StatusCode::BAD_GATEWAY));
    clock.advance(200);
    assert_eq!(seconds(verify(&cache, &token).await.unwrap()), 430, "while the issuer is down, every 30 s");
}

#[tokio::test]
async fn an_outage_is_survived_for_an_hour_and_is_transient_for_unknown_keys() {
    let signer = Signer::es256("1");
    let issuer = Issuer::with_keys(&[&signer.jwk]).await;
    let clock = TestClock::default();
    let cache = issuer.cache(&clock);
    let (known, unknown) = (long_lived(&signer, "1"), long_lived(&signer, "2"));
    assert!(verify(&cache, &known).await.is_ok());

    issuer.set("/jwks", Answer::Status(StatusCode::SERVICE_UNAVAILABLE));
    clock.advance(300);
    assert!(verify(&cache, &known).await.is_ok());
    assert!(cache.check_ready().is_ok());
    let error = verify(&cache, &unknown).await.unwrap_err();
    assert!(error.is_transient());
    assert_eq!(error.reason(), "keys_unavailable");
    assert!(matches!(problem(&error), FetchProblem::Status { status: 503, .. }));

    // Known to be down: asked again, but nobody waits for the answer.
    issuer.hold();
    clock.advance(30);
    assert!(verify(&cache, &known).now_or_never().unwrap().is_ok());
    issuer.asked().await;
    assert!(verify(&cache, &known).now_or_never().unwrap().is_ok());
    issuer.release();

    clock.advance(3269);
    assert!(verify(&cache, &known).await.is_ok());
    clock.advance(1);
    assert!(verify(&cache, &known).await.unwrap_err().is_transient());
    assert!(cache.check_ready().is_err());

    issuer.publish(&[&signer.jwk]);
    clock.advance(5);
    assert!(verify(&cache, &known).await.is_ok());
    assert_eq!(verify(&cache, &unknown).await, Err(Rejected::UnknownKey.into()));
}

#[tokio::test]
async fn without_any_keys_reading_is_tried_every_five_seconds() {
    let signer = Signer::es256("1");
    let issuer = Issuer::start().await;
    let clock = TestClock::default();
    let cache = issuer.cache(&clock);
    assert_eq!(cache.check_ready().unwrap_err().problem, FetchProblem::NotTried);
    let token = long_lived(&signer, "1");
    for (seconds, expected) in [(0, 1), (4, 1), (1, 2), (0, 2), (5, 3)] {
        clock.advance(seconds);
        let results = join_all((0..50).map(|_| verify(&cache, &token))).await;
        assert!(results.iter().all(|result| result.as_ref().is_err_and(VerifyError::is_transient)));
        assert_eq!(issuer.reads().len(), expected);
    }
}

#[tokio::test]
async fn a_caller_who_goes_away_does_not_stop_the_reading() {
    let signer = Signer::es256("1");
    let issuer = Issuer::with_keys(&[&signer.jwk]).await;
    let cache = issuer.cache(&TestClock::default());
    let token = long_lived(&signer, "1");
    issuer.hold();
    let verifying = verify(&cache, &token);
    assert!(verifying.now_or_never().is_none(), "it waits for the keys, and then goes away");
    issuer.asked().await;
    issuer.release();
    assert!(verify(&cache, &token).await.is_ok());
    assert_eq!(issuer.reads().len(), 1);
}

/// SEC-66: the clock is set back while keys are kept -> they are read again, and not trusted for ever
#[tokio::test]
async fn a_clock_set_back_neither_blocks_nor_trusts_for_ever() {
    let signer = Signer::es256("1");
    let issuer = Issuer::with_keys(&[&signer.jwk]).await;
    let clock = TestClock::default();
    let cache = issuer.cache(&clock);
    clock.advance(10_000);
    assert!(verify(&cache, &long_lived(&signer, "1")).await.is_ok());
    issuer.publish(&[]);
    clock.set_back(10_000);
    assert_eq!(verify(&cache, &long_lived(&signer, "1")).await, Err(Rejected::UnknownKey.into()));
    assert_eq!(issuer.reads().len(), 2);
}

#[tokio::test]
async fn keys_are_kept_fresh_beside_the_requests() {
    let signer = Signer::es256("1");
    let issuer = Issuer::with_keys(&[&signer.jwk]).await;
    let clock = TestClock::default();
    let cache = issuer.cache(&clock);
    let keeper = tokio::spawn({
        let cache = cache.clone();
        async move { cache.keep_fresh().await }
    });
    issuer.asked().await;
    // Joins the reading that the keeper began.
    assert_eq!(cache.refresh_if_due().await, Ok(()));
    assert!(verify(&cache, &long_lived(&signer, "1")).now_or_never().unwrap().is_ok());
    assert_eq!(issuer.reads().len(), 1);
    keeper.abort();

    for (seconds, expected) in [(239, 1), (1, 2), (239, 2), (1, 3)] {
        clock.advance(seconds);
        assert_eq!(cache.refresh_if_due().await, Ok(()));
        assert_eq!(issuer.reads().len(), expected);
    }
}

#[tokio::test]
async fn bad_answers_are_named() {
    let issuer = Issuer::start().await;
    let clock = TestClock::default();
    let url = || format!("{}/jwks", issuer.url);
    let large = vec![b' '; 600_000];
    let cases = [
        (Answer::Redirect("/elsewhere"), FetchProblem::Status { url: url(), status: 302 }),
        (Answer::Status(StatusCode::NOT_FOUND), FetchProblem::Status { url: url(), status: 404 }),
        (Answer::Status(StatusCode::NO_CONTENT), FetchProblem::Status { url: url(), status: 204 }),
        (Answer::Bytes(large), FetchProblem::TooLarge { url: url() }),
        (Answer::Flood, FetchProblem::TooLarge { url: url() }),
        (
            Answer::Bytes(b"<html>".to_vec()),
            FetchProblem::KeySet { url: url(), source: oidc_verify::KeySetError::NotAnObject },
        ),
        (
            Answer::Json(json!({ "issuer": "x" })),
            FetchProblem::KeySet { url: url(), source: oidc_verify::KeySetError::NoKeys },
        ),
    ];
    let signer = Signer::es256("1");
    issuer.set("/elsewhere", Answer::Json(json!({ "keys": [signer.jwk] })));
    for (answer, expected) in cases {
        issuer.set("/jwks", answer);
        let error = verify(&issuer.cache(&clock), &long_lived(&signer, "1")).await.unwrap_err();
        assert!(error.is_transient());
        assert_eq!(*problem(&error), expected);
    }
    assert!(!issuer.reads().contains(&"/elsewhere".to_owned()), "redirects are not followed");
}

#[tokio::test]
async fn nobody_listening_is_unreachable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    drop(listener);
    let cache = cache(JwksLocation::Uri(url.clone()), &TestClock::default());
    let error = cache.refresh_if_due().await.unwrap_err();
    assert_eq!(error, KeysUnavailable { location: url.clone(), problem: FetchProblem::Unreachable { url } });
}

#[tokio::test]
async fn discovery_follows_both_standards() {
    let signer = Signer::es256("1");
    let cases = [
        ("", "/.well-known/openid-configuration", 2),
        ("/", "/.well-known/openid-configuration", 2),
        ("/realms/a", "/realms/a/.well-known/openid-configuration", 2),
        ("/realms/a/", "/realms/a/.well-known/openid-configuration", 2),
        ("", "/.well-known/oauth-authorization-server", 3),
        ("/realms/a", "/.well-known/oauth-authorization-server/realms/a", 3),
    ];
    for (path, document, reads) in cases {
        let issuer = Issuer::with_keys(&[&signer.jwk]).await;
        issuer.describe(document, &format!("{}{path}", issuer.url), &format!("{}/jwks", issuer.url));
        assert_eq!(issuer.discovering_cache(path).refresh_if_due().await, Ok(()), "{path} {document}");
        assert_eq!(issuer.reads().len(), reads, "{:?}", issuer.reads());
    }
}

/// SEC-29: metadata that name another issuer -> refused
#[tokio::test]
async fn metadata_of_another_issuer_are_refused() {
    let signer = Signer::es256("1");
    let issuer = Issuer::with_keys(&[&signer.jwk]).await;
    let (document, jwks) = ("/.well-known/openid-configuration", format!("{}/jwks", issuer.url));
    let found = [
        "https://evil.example".to_owned(),
        format!("{}/", issuer.url),
        issuer.url.to_uppercase(),
        issuer.url.replace("127.0.0.1", "localhost"),
        String::new(),
    ];
    for found in found {
        issuer.describe(document, &found, &jwks);
        let error = issuer.discovering_cache("").refresh_if_due().await.unwrap_err();
        let url = format!("{}{document}", issuer.url);
        assert_eq!(error.problem, FetchProblem::OtherIssuer { url, found });
    }
    assert!(!issuer.reads().contains(&"/jwks".to_owned()));
}

#[tokio::test]
async fn metadata_must_name_a_key_set_that_can_be_trusted() {
    let issuer = Issuer::start().await;
    let document = "/.well-known/openid-configuration";
    let url = format!("{}{document}", issuer.url);
    for found in
        ["http://keys.example.com/jwks", "file:///etc/passwd", "/jwks", "", "https://u:p@keys.example.com/"]
    {
        issuer.describe(document, &issuer.url, found);
        let error = issuer.discovering_cache("").refresh_if_due().await.unwrap_err();
        assert_eq!(error.problem, FetchProblem::InsecureKeySet { url: url.clone(), found: found.to_owned() });
    }
    for metadata in [
        json!({}),
        json!({ "issuer": issuer.url }),
        json!({ "issuer": issuer.url, "jwks_uri": 1 }),
        json!([]),
    ] {
        issuer.set(document, Answer::Json(metadata));
        let error = issuer.discovering_cache("").refresh_if_due().await.unwrap_err();
        assert_eq!(error.problem, FetchProblem::NotMetadata { url: url.clone() });
    }
    issuer.set(document, Answer::Status(StatusCode::INTERNAL_SERVER_ERROR));
    let error = issuer.discovering_cache("").refresh_if_due().await.unwrap_err();
    assert_eq!(
        error.problem,
        FetchProblem::Status { url, status: 500 },
        "only 404 leads to the other document"
    );
}

#[test]
fn insecure_locations_cannot_be_configured() {
    let build = |location| {
        let client = FetchClient::new(reqwest::Client::builder()).unwrap();
        JwksCache::new(client, location, std::sync::Arc::new(now)).map(drop)
    };
    for address in ["http://idp.example.com/jwks", "file:///jwks", "jwks", "https://u@idp.example.com/jwks"] {
        let refused = Err(ConfigError::KeySetAddress { address: address.to_owned() });
        assert_eq!(build(JwksLocation::Uri(address.to_owned())), refused);
    }
    for issuer in ["http://idp.example.com", "idp.example.com", "https://idp.example.com?a=b"] {
        let refused = Err(ConfigError::Issuer { issuer: issuer.to_owned() });
        assert_eq!(build(JwksLocation::Discover(issuer.to_owned())), refused);
    }
    assert_eq!(build(JwksLocation::Uri("https://idp.example.com/jwks?v=1".to_owned())), Ok(()));
}
