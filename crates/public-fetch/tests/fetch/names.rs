//! What a URL and a resolver may lead to.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use proptest::prelude::*;
use public_fetch::{FetchError, FetchLimits, PublicFetch, Resolver, SystemResolver, WhyNot};
use url::Url;

use crate::answers::limits;
use crate::host::{Answer, Host};

const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(93, 184, 215, 14));
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Gives one answer after the other, the last one again and again.
#[derive(Clone)]
struct Scripted {
    answers: Arc<Mutex<Vec<Vec<IpAddr>>>>,
    asked: Arc<AtomicUsize>,
}

impl Scripted {
    fn new(answers: &[&[IpAddr]]) -> Self {
        let answers = answers.iter().rev().map(|answer| answer.to_vec()).collect();
        Self { answers: Arc::new(Mutex::new(answers)), asked: Arc::default() }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Resolver for Scripted {
    async fn addresses(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop() } else { answers.last().cloned() };
        answer.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

async fn get(fetch: &PublicFetch, url: &str) -> Result<Vec<u8>, FetchError> {
    let fetched = fetch.fetch(&url.parse().unwrap(), &limits(), SystemTime::UNIX_EPOCH).await;
    fetched.map(|document| document.body)
}

fn public_only(resolver: &Scripted) -> PublicFetch {
    PublicFetch::builder().resolver(resolver.clone()).build().unwrap()
}

fn with_loopback(resolver: &Scripted) -> PublicFetch {
    PublicFetch::builder().resolver(resolver.clone()).dangerous_loopback_http().build().unwrap()
}

/// SEC-41: a public name with an internal address, alone or among public ones in any place -> refused, nothing is connected to
#[tokio::test]
async fn one_internal_address_refuses_all() {
    let host = Host::answering("Content-Type: application/json\r\n", "{}").await;
    let url = format!("https://client.example:{}/metadata", host.port());
    let metadata = "169.254.170.2".parse().unwrap();
    let cases: [(&[IpAddr], WhyNot); 5] = [
        (&[HERE], WhyNot::Loopback),
        (&[HERE, PUBLIC], WhyNot::Loopback),
        (&[PUBLIC, HERE], WhyNot::Loopback),
        (&[PUBLIC, PUBLIC, metadata], WhyNot::LinkLocal),
        (&["::ffff:127.0.0.1".parse().unwrap()], WhyNot::EmbedsIpv4),
    ];
    for (answer, why) in cases {
        for fetch in [public_only(&Scripted::new(&[answer])), with_loopback(&Scripted::new(&[answer]))] {
            assert_eq!(get(&fetch, &url).await, Err(FetchError::NotPublic(why)), "{answer:?}");
        }
    }
    assert_eq!(host.requests(), [""; 0]);
}

/// SEC-41: a name that changes its answer after the check -> the connection uses what was checked, the next fetch checks anew
#[tokio::test]
async fn a_name_is_resolved_once_for_each_fetch() {
    // The host keeps its connections open: they could be used again.
    let answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    let host = Host::start(Answer::Hang(answer.to_vec())).await;
    let url = format!("http://localhost:{}/metadata", host.port());
    let resolver = Scripted::new(&[&[HERE], &["10.0.0.1".parse().unwrap()], &[HERE]]);
    let fetch = with_loopback(&resolver);
    assert_eq!(get(&fetch, &url).await, Ok(b"{}".to_vec()));
    assert_eq!(resolver.asked(), 1);
    assert_eq!(get(&fetch, &url).await, Err(FetchError::NotLoopback));
    assert_eq!(resolver.asked(), 2);
    assert_eq!(get(&fetch, &url).await, Ok(b"{}".to_vec()));
    assert_eq!(host.requests().len(), 2);
}

/// SEC-41: an internal address in the URL, in any spelling -> refused without asking a resolver
#[tokio::test]
async fn addresses_in_the_url_are_checked_too() {
    let resolver = Scripted::new(&[&[PUBLIC]]);
    let fetch = public_only(&resolver);
    let cases = [
        ("https://127.0.0.1/a", WhyNot::Loopback),
        ("https://127.1/a", WhyNot::Loopback),
        ("https://2130706433/a", WhyNot::Loopback),
        ("https://0x7f000001/a", WhyNot::Loopback),
        ("https://0177.0.0.1/a", WhyNot::Loopback),
        ("https://127.0.0.1./a", WhyNot::Loopback),
        ("https://%31%32%37.0.0.1/a", WhyNot::Loopback),
        ("https://\u{2460}\u{2461}\u{2466}.0.0.1/a", WhyNot::Loopback),
        ("https://0/a", WhyNot::Unspecified),
        ("https://169.254.169.254/latest/meta-data", WhyNot::LinkLocal),
        ("https://169.254.170.2/v2/credentials", WhyNot::LinkLocal),
        ("https://10.0.0.1/a", WhyNot::Private),
        ("https://[::1]/a", WhyNot::Loopback),
        ("https://[::]/a", WhyNot::Unspecified),
        ("https://[::ffff:10.0.0.1]/a", WhyNot::EmbedsIpv4),
        ("https://[64:ff9b::a9fe:a9fe]/a", WhyNot::EmbedsIpv4),
        ("https://[fd00:ec2::254]/a", WhyNot::Private),
        ("https://[fe80::1]/a", WhyNot::LinkLocal),
    ];
    for (url, why) in cases {
        assert_eq!(get(&fetch, url).await, Err(FetchError::NotPublic(why)), "{url}");
    }
    assert_eq!(resolver.asked(), 0);
}

/// SEC-41: a URL that is not https, or has a credential -> refused without asking a resolver
#[tokio::test]
async fn only_https_without_credentials_is_asked() {
    let resolver = Scripted::new(&[&[PUBLIC]]);
    let here = "http://127.0.0.1:1/a";
    let fetch = public_only(&resolver);
    for url in [
        "http://client.example/a",
        "ftp://client.example/a",
        "file:///etc/passwd",
        "data:,x",
        "http://localhost/a",
        here,
    ] {
        assert_eq!(get(&fetch, url).await, Err(FetchError::Scheme), "{url}");
    }
    let fetch = with_loopback(&resolver);
    for url in [
        "http://client.example/a",
        "http://localhost.example/a",
        "http://a.localhost/a",
        "http://localhost./a",
        "ws://localhost/a",
    ] {
        assert_eq!(get(&fetch, url).await, Err(FetchError::Scheme), "{url}");
    }
    for url in
        ["https://user@client.example/a", "https://:password@client.example/a", "http://user@localhost/a"]
    {
        assert_eq!(get(&fetch, url).await, Err(FetchError::Userinfo), "{url}");
    }
    assert_eq!(resolver.asked(), 0);
}

/// SEC-41: a server on loopback asks its own loopback -> only loopback, nothing else internal or public
#[tokio::test]
async fn the_option_for_loopback_opens_loopback_only() {
    for answer in [
        &[PUBLIC][..],
        &[HERE, PUBLIC],
        &["192.168.0.1".parse().unwrap()],
        &["::ffff:127.0.0.1".parse().unwrap()],
    ] {
        let fetch = with_loopback(&Scripted::new(&[answer]));
        assert_eq!(get(&fetch, "http://localhost:1/a").await, Err(FetchError::NotLoopback), "{answer:?}");
    }
    let fetch = with_loopback(&Scripted::new(&[]));
    for url in
        ["http://10.0.0.1/a", "http://93.184.215.14/a", "http://[fe80::1]/a", "http://169.254.169.254/a"]
    {
        assert_eq!(get(&fetch, url).await, Err(FetchError::NotLoopback), "{url}");
    }
    assert_eq!(get(&fetch, "https://127.0.0.1/a").await, Err(FetchError::NotPublic(WhyNot::Loopback)));
}

#[tokio::test]
async fn a_name_without_addresses_is_told_apart() {
    for resolver in [Scripted::new(&[]), Scripted::new(&[&[]])] {
        let refused = get(&public_only(&resolver), "https://client.example/a").await.unwrap_err();
        assert_eq!(refused, FetchError::Unresolvable);
        assert!(refused.is_transient());
    }
}

/// SEC-41: a name server that never answers -> given up after the wait that is allowed
#[tokio::test]
async fn a_silent_resolver_is_given_up() {
    struct Silent;

    #[async_trait]
    impl Resolver for Silent {
        async fn addresses(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
            std::future::pending().await
        }
    }

    let fetch = PublicFetch::builder().resolver(Silent).build().unwrap();
    let url = "https://client.example/a".parse().unwrap();
    let limits = FetchLimits { idle: Duration::from_millis(1), ..limits() };
    let fetched = fetch.fetch(&url, &limits, SystemTime::UNIX_EPOCH).await;
    assert_eq!(fetched, Err(FetchError::Stalled));
}

#[tokio::test]
async fn the_system_knows_localhost() {
    let found = SystemResolver::default().addresses("localhost").await.unwrap();
    assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");
}

proptest! {
    /// A host that is not checked as an address is not connected to as an address.
    #[test]
    fn a_name_in_a_url_is_no_address(host in "[0-9a-fx.%:\\[\\]]{1,16}") {
        let Ok(url) = Url::parse(&format!("https://{host}/")) else { return Ok(()) };
        if let Some(url::Host::Domain(name)) = url.host() {
            prop_assert!(name.parse::<IpAddr>().is_err(), "{name}");
        }
    }
}
