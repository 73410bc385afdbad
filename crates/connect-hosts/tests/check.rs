//! Which redirects pass, and which rule stops the others (SEC-1, 3, 4, 5).
#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test")]

use connect_hosts::{AllowedHosts, AllowedRedirect, MAX_REDIRECT, RedirectDenied, RedirectPolicy};

const LIST: &str = "localhost,.benchling.com,.cloud.databricks.com,chatgpt.com,claude.ai,claude.com,cursor://,vscode.dev,\
    windsurf://,quilt://,com.example.app://";

fn policy(list: &str) -> RedirectPolicy {
    let (hosts, ignored) = AllowedHosts::parse(list);
    assert_eq!(ignored, []);
    RedirectPolicy::new(hosts)
}

fn allowed(redirect: &str) -> AllowedRedirect {
    policy(LIST).check(redirect).unwrap()
}

#[test]
fn what_clients_register_passes() {
    let cases: &[(&str, &str, Option<&str>, bool)] = &[
        ("https://claude.ai/api/mcp/auth_callback", "https", Some("claude.ai"), false),
        ("https://claude.com/api/mcp/auth_callback", "https", Some("claude.com"), false),
        ("https://chatgpt.com/connector/oauth/aB3-_x", "https", Some("chatgpt.com"), false),
        ("https://vscode.dev/redirect", "https", Some("vscode.dev"), false),
        (
            "https://us-east-1.cloud.databricks.com/api/2.0/http/oauth/redirect",
            "https",
            Some("us-east-1.cloud.databricks.com"),
            false,
        ),
        ("https://a.b.c.benchling.com/cb", "https", Some("a.b.c.benchling.com"), false),
        ("http://127.0.0.1:33418/", "http", Some("127.0.0.1"), true),
        ("http://127.0.0.1:6276/oauth/callback", "http", Some("127.0.0.1"), true),
        ("http://localhost/callback", "http", Some("localhost"), true),
        ("http://localhost:65535/callback", "http", Some("localhost"), true),
        ("cursor://anysphere.cursor-mcp/oauth/callback", "cursor", Some("anysphere.cursor-mcp"), false),
        ("windsurf://codeium.windsurf", "windsurf", Some("codeium.windsurf"), false),
        ("quilt://auth/callback?host=open.quilt.bio", "quilt", Some("auth"), false),
        ("quilt://auth/callback?host=https%3A%2F%2Fopen.quilt.bio", "quilt", Some("auth"), false),
        ("com.example.app:/oauth2redirect/provider", "com.example.app", None, false),
        ("com.example.app://callback", "com.example.app", Some("callback"), false),
    ];
    for (redirect, scheme, host, is_loopback) in cases {
        let allowed = allowed(redirect);
        assert_eq!(allowed.as_str(), *redirect);
        assert_eq!(allowed.scheme(), *scheme, "{redirect}");
        assert_eq!(allowed.host(), *host, "{redirect}");
        assert_eq!(allowed.is_loopback(), *is_loopback, "{redirect}");
    }
}

#[test]
fn unusual_but_unambiguous_spellings_pass_and_are_kept() {
    for redirect in [
        "HTTPS://Claude.AI/Cb",
        "https://claude.ai",
        "https://claude.ai?x=1",
        "https://claude.ai:443/cb",
        "https://claude.ai/cb?",
        "https://claude.ai/a//b/..c/%7Euser;v=1",
        "https://claude.ai/cb?decode=1&statement=2&next=https://claude.ai/?",
        "http://LOCALHOST:8080",
        "http://localhost:80/cb",
        "Cursor://Host/cb",
    ] {
        assert_eq!(allowed(redirect).as_str(), redirect);
    }
    assert_eq!(allowed("HTTPS://Claude.AI/Cb").host(), Some("claude.ai"));
}

/// SEC-3: fifty spellings of a host that one parser takes for a listed one -> refused
#[test]
fn hosts_that_only_look_listed_are_refused() {
    use RedirectDenied::{Character, Host, NotListed, Port, Shape, Userinfo};
    let cases: &[(&str, RedirectDenied)] = &[
        (r"https://evil.com\@claude.ai", Character),
        (r"https://claude.ai\@evil.com", Character),
        (r"https:\\claude.ai/", Character),
        ("https://claude.ai%2eevil.com", Host),
        ("https://claude.ai%00.evil.com", RedirectDenied::EncodedControl),
        ("https://claude%2eai/", Host),
        ("https://claude\u{3002}ai/", Character),
        ("https://\u{24d2}laude.ai/", Character),
        ("https://cl\u{430}ude.ai/", Character),
        ("https://xn--a.benchling.com/", RedirectDenied::Ambiguous),
        ("https:claude.ai", Shape),
        ("https:/claude.ai", Shape),
        ("https:///claude.ai", Host),
        ("https:////claude.ai", Host),
        ("https://", Host),
        ("//claude.ai/", Shape),
        ("claude.ai", Shape),
        ("https://cla\tude.ai/", Character),
        ("https://claude.ai\n/", Character),
        (" https://claude.ai/", Character),
        ("https://claude.ai/ ", Character),
        ("https://claude.ai./", Host),
        ("https://.benchling.com/", Host),
        ("https://a..benchling.com/", Host),
        ("https://-a.benchling.com/", Host),
        ("https://a_b.benchling.com/", Host),
        ("https://u@claude.ai/", Userinfo),
        ("https://u:p@claude.ai/", Userinfo),
        ("https://@claude.ai/", Userinfo),
        ("https://claude.ai@evil.com/", Userinfo),
        ("https://claude.ai:443@evil.com/", Userinfo),
        ("https://benchling.com/", NotListed),
        ("https://evilbenchling.com/", NotListed),
        ("https://x.benchling.com.evil.com/", NotListed),
        ("https://claude.ai.evil.com/", NotListed),
        ("https://evil-claude.ai/", NotListed),
        ("https://www.claude.ai/", NotListed),
        ("https://claude.aievil.com/", NotListed),
        ("https://evil.com/claude.ai", NotListed),
        ("https://evil.com?claude.ai", NotListed),
        ("https://evil.com/?@claude.ai", NotListed),
        ("https://evil.com;claude.ai/", Host),
        ("https://claude.ai,evil.com/", Host),
        ("http://claude.ai/", NotListed),
        ("https://claude.ai:0443/", Port),
        ("https://claude.ai:65536/", Port),
        ("https://claude.ai:8443/", Port),
        ("https://claude.ai:80/", Port),
        ("https://claude.ai:/", Port),
        ("https://claude.ai:443:443/", Port),
        ("ftp://claude.ai/", NotListed),
        ("wss://claude.ai/", NotListed),
        ("", Shape),
        (":", Shape),
    ];
    for (redirect, expected) in cases {
        assert_eq!(policy(LIST).check(redirect).unwrap_err(), *expected, "{redirect:?}");
    }
}

/// SEC-3: `2130706433`, `0177.0.0.1`, `localhost.` and other spellings of loopback -> refused
#[test]
fn loopback_is_three_spellings_of_http_and_nothing_else() {
    use RedirectDenied::{Host, NotListed, Port, Userinfo};
    let cases: &[(&str, RedirectDenied)] = &[
        ("https://localhost/cb", NotListed),
        ("https://127.0.0.1/cb", Host),
        ("https://[::1]/cb", Host),
        ("http://[::1]:3000/cb", NotListed),
        ("http://2130706433/", NotListed),
        ("http://0x7f000001/", NotListed),
        ("http://0177.0.0.1/", NotListed),
        ("http://127.000.000.001/", NotListed),
        ("http://127.1/", NotListed),
        ("http://127.0.0.2/", NotListed),
        ("http://0.0.0.0/", NotListed),
        ("http://localhost.:3000/", Host),
        ("http://127.0.0.1./", Host),
        ("http://localhost@evil.com/", Userinfo),
        ("http://localhost.evil.com/", NotListed),
        ("http://app.localhost/", NotListed),
        ("http://[::1%25lo]/", Host),
        ("http://[::1]evil.com/", Host),
        ("http://[0:0:0:0:0:0:0:1]/", Host),
        ("http://[::ffff:127.0.0.1]/", Host),
        ("http://[localhost]/", Host),
        ("http://localhost:0/", Port),
        ("http://localhost:/", Port),
        ("http://localhost:080/", Port),
        ("http://localhost:65536/", Port),
        ("http://localhost:+80/", Port),
        ("http://localhost:-1/", Port),
        ("http://localhost:3000:80/", Port),
        ("http://localhost:3e3/", Port),
    ];
    for (redirect, expected) in cases {
        assert_eq!(policy(LIST).check(redirect).unwrap_err(), *expected, "{redirect:?}");
    }
}

#[test]
fn each_loopback_family_has_its_own_entry() {
    for (list, ipv4, ipv6) in [
        ("localhost", true, false),
        ("127.0.0.1", true, false),
        ("[::1]", false, true),
        ("claude.ai", false, false),
    ] {
        let policy = policy(list);
        for redirect in ["http://localhost:1/", "http://127.0.0.1:1/", "http://localhost/"] {
            assert_eq!(policy.check(redirect).is_ok(), ipv4, "{list} {redirect}");
        }
        for redirect in ["http://[::1]:1/", "http://[::1]"] {
            assert_eq!(policy.check(redirect).is_ok(), ipv6, "{list} {redirect}");
        }
        assert!(policy.check("http://[::1]x/").is_err());
    }
}

/// SEC-5: `javascript:`, `data:`, `file:`, a longer or shorter scheme, a port -> refused
#[test]
fn custom_schemes_are_taken_whole_and_name_no_port() {
    use RedirectDenied::{Character, EncodedControl, Host, NotListed, Port, Shape, Userinfo};
    let cases: &[(&str, RedirectDenied)] = &[
        ("cursor:", Shape),
        ("cursor:callback", Shape),
        ("cursor:?x", Shape),
        ("cursor://", Host),
        ("cursor:///callback", Host),
        ("cursor://host:80/", Port),
        ("cursor://user@host/", Userinfo),
        ("cursor://ho%73t/", Host),
        ("cursors://host/", NotListed),
        ("cursor.evil://host/", NotListed),
        ("x+cursor://host/", NotListed),
        ("example.app:/callback", NotListed),
        ("javascript:alert(1)", Shape),
        ("javascript://claude.ai/%0aalert(1)", EncodedControl),
        ("javascript://claude.ai/", NotListed),
        ("java\tscript://claude.ai/", Character),
        ("data:text/html,x", Shape),
        ("data:/text/html,x", NotListed),
        ("file:///etc/passwd", Host),
        ("ms-settings:/x", NotListed),
    ];
    for (redirect, expected) in cases {
        assert_eq!(policy(LIST).check(redirect).unwrap_err(), *expected, "{redirect:?}");
    }
}

/// SEC-4: a fragment, dot segments, control characters, `code`, `state`, `iss` or `error` in a redirect -> refused
#[test]
fn paths_and_queries_cannot_be_read_in_two_ways() {
    use RedirectDenied::{Ambiguous, Character, DotSegment, EncodedControl, Fragment, ResponseParameter};
    let cases: &[(&str, RedirectDenied)] = &[
        ("/#", Fragment),
        ("/cb#x", Fragment),
        ("/?x#y", Fragment),
        ("/..", DotSegment),
        ("/.", DotSegment),
        ("/a/../b", DotSegment),
        ("/a/./b", DotSegment),
        ("/a/%2e%2E/b", DotSegment),
        ("/a/.%2e", DotSegment),
        ("/a/..%2fb", DotSegment),
        ("/a/..%5cb", DotSegment),
        ("/%0d%0aSet-Cookie:x", EncodedControl),
        ("/?x=%00", EncodedControl),
        ("/%7f", EncodedControl),
        ("/\r\nx", Character),
        ("/%", Character),
        ("/%2", Character),
        ("/%zz", Character),
        ("/%+1", Character),
        ("/<script>", Character),
        ("/\"", Character),
        ("/a b", Character),
        ("/{x}", Character),
        ("/a|b", Character),
        ("/a^b", Character),
        ("/`", Character),
        ("/\u{e9}", Character),
        ("/\u{0}", Character),
        ("/?code=1", ResponseParameter),
        ("/?a=1&state=2", ResponseParameter),
        ("/?iss", ResponseParameter),
        ("/?iss=", ResponseParameter),
        ("/?error=x", ResponseParameter),
        ("/?error_description=x", ResponseParameter),
        ("/?%63ode=1", ResponseParameter),
        ("/?Code=1", ResponseParameter),
        ("/?a;code=1", ResponseParameter),
        ("?code=1", ResponseParameter),
        ("/[x]", Ambiguous),
        ("/?a=[x]", Ambiguous),
        ("/?a='x'", Ambiguous),
    ];
    for (rest, expected) in cases {
        let redirect = format!("https://claude.ai{rest}");
        assert_eq!(policy(LIST).check(&redirect).unwrap_err(), *expected, "{redirect:?}");
    }
}

#[test]
fn length_is_bounded() {
    let longest = format!("https://claude.ai/{}", "a".repeat(MAX_REDIRECT - 18));
    assert!(policy(LIST).check(&longest).is_ok());
    assert_eq!(policy(LIST).check(&format!("{longest}a")).unwrap_err(), RedirectDenied::TooLong);
}

/// SEC-1: a redirect that differs in anything but a loopback port -> no match
#[test]
fn only_a_loopback_port_may_vary() {
    let cases = [
        ("http://localhost/callback", "http://localhost:51234/callback", true),
        ("http://localhost:51234/callback", "http://localhost/callback", true),
        ("http://localhost:1/callback", "http://localhost:2/callback", true),
        ("http://127.0.0.1:1/?a=1", "http://127.0.0.1:2/?a=1", true),
        ("http://localhost", "http://localhost:1", true),
        ("http://localhost/callback", "http://127.0.0.1/callback", false),
        ("http://localhost/callback", "http://LOCALHOST/callback", false),
        ("http://localhost/callback", "http://localhost:1/callback/", false),
        ("http://localhost/callback", "http://localhost:1/callback?x", false),
        ("http://localhost", "http://localhost/", false),
        ("https://claude.ai/cb", "https://claude.ai/cb", true),
        ("https://claude.ai/cb", "https://claude.ai:443/cb", false),
        ("https://claude.ai/cb", "https://claude.ai/cb/", false),
        ("https://claude.ai/cb", "https://claude.ai/CB", false),
        ("https://claude.ai/cb", "https://Claude.ai/cb", false),
        ("https://claude.ai/cb", "https://claude.ai/cb?x", false),
        ("cursor://a/cb", "cursor://b/cb", false),
        ("cursor://a/cb", "windsurf://a/cb", false),
    ];
    for (registered, requested, expected) in cases {
        let (registered, requested) = (allowed(registered), allowed(requested));
        assert_eq!(registered.matches(&requested), expected, "{registered:?} {requested:?}");
        assert_eq!(requested.matches(&registered), expected, "{registered:?} {requested:?}");
    }
}

#[test]
fn parameters_are_added_to_what_is_there() {
    let cases = [
        ("https://claude.ai/cb", "https://claude.ai/cb?code=a%2Bb&state=x+%26y"),
        ("https://claude.ai", "https://claude.ai?code=a%2Bb&state=x+%26y"),
        ("https://claude.ai/cb?", "https://claude.ai/cb?code=a%2Bb&state=x+%26y"),
        ("https://claude.ai/cb?a=%41", "https://claude.ai/cb?a=%41&code=a%2Bb&state=x+%26y"),
        ("https://claude.ai/cb?a=1&", "https://claude.ai/cb?a=1&code=a%2Bb&state=x+%26y"),
        ("https://claude.ai/cb?a=b?", "https://claude.ai/cb?a=b?&code=a%2Bb&state=x+%26y"),
        ("quilt://auth/callback?host=h", "quilt://auth/callback?host=h&code=a%2Bb&state=x+%26y"),
        ("com.example.app:/cb", "com.example.app:/cb?code=a%2Bb&state=x+%26y"),
    ];
    for (redirect, expected) in cases {
        assert_eq!(allowed(redirect).with_query(&[("code", "a+b"), ("state", "x &y")]), expected);
        assert_eq!(allowed(redirect).with_query(&[]), redirect);
    }
}
