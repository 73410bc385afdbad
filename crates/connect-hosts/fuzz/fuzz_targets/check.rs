//! A list and redirects, one per line: whatever passes leads where the list says.
//!
//! `cargo +nightly fuzz run check` in `crates/connect-hosts`.
#![no_main]

use connect_hosts::{AllowedHosts, RedirectPolicy};
use libfuzzer_sys::fuzz_target;
use url::Url;

fuzz_target!(|text: &str| {
    let Some((list, redirects)) = text.split_once('\n') else { return };
    let (hosts, ignored) = AllowedHosts::parse(list);
    assert!(ignored.len() <= list.split(',').count());
    let listed = RedirectPolicy::new(hosts);
    let fixed = RedirectPolicy::new(AllowedHosts::parse("claude.ai,.benchling.com,cursor://,localhost").0);
    for redirect in redirects.split('\n') {
        if let Ok(allowed) = listed.check(redirect) {
            assert_eq!(allowed.as_str(), redirect);
            assert!(allowed.matches(&allowed));
            let url = Url::parse(redirect).expect("an allowed redirect is a URL");
            assert!(!matches!(url.scheme(), "javascript" | "data" | "file" | "ftp" | "ws" | "wss"));
            assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
            let answer = Url::parse(&allowed.with_query(&[("code", "\u{e9}&=#")])).expect("an answer is a URL");
            assert_eq!(answer.query_pairs().last(), Some(("code".into(), "\u{e9}&=#".into())));
            assert_eq!((answer.scheme(), answer.host_str(), answer.port()), (url.scheme(), url.host_str(), url.port()));
        }
        if fixed.check(redirect).is_ok() {
            let url = Url::parse(redirect).expect("an allowed redirect is a URL");
            let host = url.host_str().unwrap_or_default();
            assert!(match url.scheme() {
                "https" => (host == "claude.ai" || host.ends_with(".benchling.com")) && url.port().is_none(),
                "http" => host == "localhost" || host == "127.0.0.1",
                scheme => scheme == "cursor",
            });
        }
    }
});
