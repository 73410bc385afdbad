//! What holds for any list and any redirect.

use connect_hosts::{AllowedHosts, RedirectPolicy};
use proptest::prelude::*;
use url::{Url, form_urlencoded};

const LIST: &str = "claude.ai,.benchling.com,cursor://,localhost,[::1]";

fn policy() -> RedirectPolicy {
    RedirectPolicy::new(AllowedHosts::parse(LIST).0)
}

/// Pieces of redirects, good and bad, in any order: most are refused, many only by the last rule.
fn redirects() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "https",
        "http",
        "cursor",
        "javascript",
        ":",
        "//",
        "://",
        "/",
        "\\",
        "@",
        ".",
        "..",
        "%2e",
        "%2f",
        "%40",
        "%",
        "#",
        "?",
        "&",
        "=",
        "claude.ai",
        "benchling.com",
        "x.",
        "evil.com",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "[",
        "]",
        ":443",
        ":0443",
        ":3000",
        "code=",
        "a",
        "A",
        "0",
        "\u{3002}",
        "\u{e9}",
        "\t",
        " ",
        "'",
        "xn--",
        "-",
        ";",
    ]);
    let pieces = prop::collection::vec(pieces, 0..8).prop_map(|pieces| pieces.concat());
    let starts = prop::sample::select(vec![
        "",
        "https://claude.ai",
        "https://x.benchling.com/",
        "http://localhost",
        "cursor://x",
    ]);
    prop_oneof![(starts, pieces).prop_map(|(start, rest)| format!("{start}{rest}")), any::<String>()]
}

/// Redirects that pass.
fn allowed_redirects() -> impl Strategy<Value = String> {
    let origin = prop_oneof![
        Just("https://claude.ai".to_owned()),
        "https://[a-z]{1,8}\\.benchling\\.com",
        "http://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:[1-9][0-9]{0,3})?",
        "cursor://[a-z]{1,8}",
    ];
    (
        origin,
        "(/[a-z0-9~_-]{1,8}){0,3}/?",
        prop::option::of("[a-b]{0,3}(=[a-z%]{0}[a-z0-9+]{0,4})?(&[x-z]=%2[0-9A-F])?"),
    )
        .prop_map(|(origin, path, query)| match query {
            Some(query) => format!("{origin}{path}?{query}"),
            None => format!("{origin}{path}"),
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// A browser that follows an allowed redirect ends where the list says.
    /// SEC-3: any redirect that passes, as a browser reads it -> its host or scheme is on the list
    #[test]
    fn a_browser_goes_only_where_the_list_says(redirect in redirects()) {
        let Ok(allowed) = policy().check(&redirect) else { return Ok(()) };
        prop_assert_eq!(allowed.as_str(), &redirect);
        let url = Url::parse(&redirect)?;
        let host = url.host_str();
        let is_listed = match url.scheme() {
            "https" => host.is_some_and(|host| host == "claude.ai" || host.ends_with(".benchling.com")) && url.port().is_none(),
            "http" => matches!(host, Some("localhost" | "127.0.0.1" | "[::1]")),
            scheme => scheme == "cursor",
        };
        prop_assert!(is_listed, "{}", redirect);
        let shown = host.map(str::to_ascii_lowercase);
        prop_assert_eq!(allowed.host(), shown.as_deref());
        prop_assert_eq!(allowed.is_loopback(), url.scheme() == "http");
        prop_assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
    }

    #[test]
    fn ordinary_redirects_pass(redirect in allowed_redirects()) {
        prop_assert!(policy().check(&redirect).is_ok(), "{}", redirect);
    }

    /// SEC-1: any two redirects -> they match when they are equal but for a loopback port
    #[test]
    fn matching_is_equality_but_for_loopback_ports(one in allowed_redirects(), other in allowed_redirects()) {
        let (one, other) = (policy().check(&one)?, policy().check(&other)?);
        prop_assert!(one.matches(&one));
        prop_assert_eq!(one.matches(&other), other.matches(&one));
        if one.as_str() != other.as_str() && one.matches(&other) {
            let (mut one, mut other) = (Url::parse(one.as_str())?, Url::parse(other.as_str())?);
            prop_assert_eq!(one.scheme(), "http");
            prop_assert!(one.set_port(None).is_ok() && other.set_port(None).is_ok());
            prop_assert_eq!(one, other);
        }
    }

    #[test]
    fn parameters_arrive_as_they_were_sent(
        redirect in allowed_redirects(), parameters in prop::collection::vec(any::<(String, String)>(), 0..4),
    ) {
        let allowed = policy().check(&redirect)?;
        let borrowed: Vec<_> = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let uri = allowed.with_query(&borrowed);
        prop_assert!(uri.starts_with(&redirect));
        let pairs = |uri: &str| -> Vec<(String, String)> {
            let query = uri.split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default();
            form_urlencoded::parse(query.as_bytes()).into_owned().collect()
        };
        let mut expected = pairs(&redirect);
        expected.extend(parameters);
        prop_assert_eq!(pairs(&uri), expected);
        prop_assert!(Url::parse(&uri).is_ok());
    }

    #[test]
    fn every_entry_is_used_or_reported(list in "[a-zA-Z.:/,* \\[\\]0-9_-]{0,60}") {
        let (hosts, ignored) = AllowedHosts::parse(&list);
        let entries: Vec<_> = list.split(',').map(str::trim).collect();
        for entry in &ignored {
            prop_assert_eq!(Some(&entry.entry.as_str()), entries.get(entry.position - 1));
        }
        prop_assert!(ignored.is_sorted_by_key(|entry| entry.position));
        prop_assert_eq!(hosts.is_empty(), list.trim().is_empty() || ignored.len() == entries.len());
        prop_assert_eq!(AllowedHosts::parse(&list.to_uppercase()).0, hosts);
    }

    #[test]
    fn a_listed_name_covers_itself_and_nothing_around_it(name in "[a-z]{1,6}(\\.[a-z]{2,6}){1,2}", other in "[a-z0-9.-]{1,6}") {
        let policy = RedirectPolicy::new(AllowedHosts::parse(&name).0);
        let covered = format!("https://{name}/");
        prop_assert!(policy.check(&covered).is_ok());
        for around in [format!("https://{other}{name}/"), format!("https://{name}{other}/"), format!("https://{name}.{other}/")] {
            prop_assert!(policy.check(&around).is_err(), "{}", around);
        }
    }
}
