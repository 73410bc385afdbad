//! Two providers, and the one that a person belongs to.

use e2e::{IdentityProvider, Options, System, free_port, merge};
use quickstart::Page;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use url::Url;

use crate::{
    attempt::{Attempt, REDIRECT, call, stopped},
    setting::{PASSWORD, mapping, secret, trust, trusted},
};

/// Two providers, of people of acme.example and of globex.example. The second one sends its logout tokens to the endpoint of
/// the first.
struct Realms {
    system: System,
    acme: IdentityProvider,
    globex: IdentityProvider,
    _secret: NamedTempFile,
}

impl Realms {
    fn start() -> Self {
        let (acme_port, globex_port) = (free_port(), free_port());
        let secret = secret();
        let tables = [("acme", acme_port), ("globex", globex_port)].map(|(id, port)| {
            let mut table = trusted(id, &IdentityProvider::issuer_on(port), &secret);
            let domains = [format!("{id}.example")];
            merge(&mut table, json!({ "label": id, "domains": domains, "source_identity_prefix": id }));
            table
        });
        let system = System::start(Options {
            configure: Some(Box::new(move |config| trust(config, &tables))),
            mapping: Some(mapping(&IdentityProvider::issuer_on(acme_port), &[])),
            ..Options::default()
        });
        let claims = json!({ "ada": { "org": "acme" }, "cleo": { "org": "globex" } });
        let [acme, globex] = [("acme", acme_port), ("globex", globex_port)].map(|(id, port)| {
            let callback = format!("{}/callback/{id}", system.public_url);
            IdentityProvider::new(port, &callback, &claims)
        });
        let mut realms = Self {
            acme,
            globex: globex.strict("ES256", &format!("{}/backchannel-logout/acme", system.public_url)),
            system,
            _secret: secret,
        };
        realms.acme.start();
        realms.globex.start();
        realms
    }

    /// Consents, and gives the page that asks where to sign in.
    async fn chooser(&self, attempt: &mut Attempt) -> Page {
        let consent = attempt.browser.open(&attempt.start).await.unwrap();
        let sign_in = format!("{}/sign-in?", self.system.public_url);
        let arrived = attempt.browser.press(&consent, ("decision", "allow"), &sign_in).await.unwrap();
        attempt.browser.open(&arrived).await.unwrap()
    }

    /// The tokens of a sign-in with an address, at the provider that it belongs to.
    async fn tokens(&self, attempt: &mut Attempt, subject: &str, address: &str) -> Value {
        let chooser = self.chooser(attempt).await;
        let login = "http://localhost:";
        let arrived = attempt.browser.fill(&chooser, &[("email", address)], login).await.unwrap();
        let arrived = attempt.browser.sign_in(&arrived, REDIRECT, subject, PASSWORD).await.unwrap();
        attempt.redeem(&self.system, &arrived).await
    }
}

#[tokio::test]
async fn an_address_leads_to_the_provider_of_its_domain() {
    let realms = Realms::start();
    let cases = [
        ("ada", "ada@acme.example", &realms.acme, &realms.globex),
        ("cleo", " Cleo@GLOBEX.example ", &realms.globex, &realms.acme),
    ];
    for (subject, address, home, other) in cases {
        let others = other.requests().await;
        let mut attempt = Attempt::new(&realms.system, "s").await;
        let chooser = realms.chooser(&mut attempt).await;
        let login = format!("{}/interaction/", home.issuer);
        let arrived = attempt.browser.fill(&chooser, &[("email", address)], &login).await.unwrap();
        assert_eq!(other.requests().await, others, "the other provider was asked nothing");
        let arrived = attempt.browser.sign_in(&arrived, REDIRECT, subject, PASSWORD).await.unwrap();
        attempt.redeem(&realms.system, &arrived).await;
    }
}

/// SEC-16: an address of an unknown domain, one that only ends like a known one, or one that is none -> 403 page, no provider is asked
#[tokio::test]
async fn an_address_of_nobody_leads_nowhere() {
    let realms = Realms::start();
    let mut attempt = Attempt::new(&realms.system, "s").await;
    let chooser = realms.chooser(&mut attempt).await;
    for address in
        ["ada@evil.example", "ada@evilacme.example", "ada@acme.example.evil.example", "acme.example"]
    {
        match attempt.browser.fill(&chooser, &[("email", address)], REDIRECT).await {
            Err(quickstart::BrowserError::Stopped { status, text, .. }) => {
                assert_eq!(status, StatusCode::FORBIDDEN, "{address}");
                assert!(text.contains("No organisation is known for this address"), "{address}: {text}");
            }
            other => panic!("{address} led to {other:?}"),
        }
    }
    for provider in [&realms.acme, &realms.globex] {
        assert_eq!(provider.requests().await, Vec::<String>::new());
    }
}

/// SEC-14: the answer of one provider opened at the callback of another -> 400 page, no code is redeemed at either
#[tokio::test]
async fn an_answer_is_worth_nothing_at_the_callback_of_another_provider() {
    let realms = Realms::start();
    let mut attempt = Attempt::new(&realms.system, "s").await;
    let chooser = realms.chooser(&mut attempt).await;
    let login = format!("{}/interaction/", realms.acme.issuer);
    let email = [("email", "ada@acme.example")];
    let arrived = attempt.browser.fill(&chooser, &email, &login).await.unwrap();
    let callback = format!("{}/callback/acme", realms.system.public_url);
    let callback = attempt.browser.sign_in(&arrived, &callback, "ada", PASSWORD).await.unwrap();
    let mixed: Url = callback.as_str().replace("/callback/acme", "/callback/globex").parse().unwrap();
    stopped(&mut attempt.browser, &mixed, StatusCode::BAD_REQUEST).await;
    for provider in [&realms.acme, &realms.globex] {
        assert!(!provider.requests().await.contains(&"POST /token".to_owned()));
    }
    let arrived = attempt.follow(&callback, "ada").await.unwrap();
    attempt.redeem(&realms.system, &arrived).await;
}

/// SEC-13: a genuine logout token of one provider, sent to the endpoint of another that has a person of that name -> 400, she works on
#[tokio::test]
async fn a_logout_token_of_another_provider_ends_nothing() {
    let realms = Realms::start();
    let mut ada = Attempt::new(&realms.system, "s").await;
    let tokens = realms.tokens(&mut ada, "ada", "ada@acme.example").await;
    let mut namesake = Attempt::new(&realms.system, "t").await;
    realms.tokens(&mut namesake, "ada", "ada@globex.example").await;
    namesake.sign_out(&realms.globex).await;
    let answers = realms.globex.logouts().await;
    assert!(answers.len() == 1 && answers[0].ends_with("got: 400 Bad Request"), "{answers:?}");
    assert_eq!(call(&realms.system, &tokens).await, StatusCode::OK);
    assert_eq!(ada.refresh(&realms.system, &tokens).await.0, StatusCode::OK);
}
