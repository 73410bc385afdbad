//! What the operator's list may hold.

use connect_hosts::{AllowedHosts, IgnoredEntry, IgnoredReason, RedirectPolicy};

const IN_USE: &str = "localhost,.benchling.com,.cloud.databricks.com,chat.openai.com,chatgpt.com,claude.ai,claude.com,\
    cursor://,gemini.google.com,vscode.dev,windsurf://";

#[test]
fn the_list_in_use_is_taken_whole() {
    let (hosts, ignored) = AllowedHosts::parse(IN_USE);
    assert_eq!(ignored, []);
    assert!(!hosts.is_empty());
}

/// SEC-5: an empty list, or one of forbidden schemes -> no redirect is allowed
#[test]
fn nothing_listed_is_nothing_allowed() {
    for list in ["", " ", "\n\t", ",", "http://", "*", "javascript://, https://claude.ai"] {
        let (hosts, _) = AllowedHosts::parse(list);
        assert!(hosts.is_empty(), "{list}");
        let policy = RedirectPolicy::new(hosts);
        for redirect in
            ["https://claude.ai/", "http://localhost/", "cursor://x/", "http://[::1]/", "javascript://x/"]
        {
            assert!(policy.check(redirect).is_err(), "{list} {redirect}");
        }
    }
    assert!(AllowedHosts::parse(" \t").1.is_empty());
}

#[test]
fn case_spaces_and_one_dot_do_not_matter() {
    let (plain, _) = AllowedHosts::parse("claude.ai,.benchling.com,cursor://,localhost,[::1]");
    for list in [
        "CLAUDE.AI,.Benchling.COM,Cursor://,LocalHost,[::1]",
        " claude.ai ,\t.benchling.com\n, cursor:// , localhost , [::1] ",
        "claude.ai.,.benchling.com.,cursor://.,localhost.,[::1].",
        "claude.ai,claude.ai,.benchling.com,cursor://,127.0.0.1,localhost,[::1]",
    ] {
        assert_eq!(AllowedHosts::parse(list), (plain.clone(), vec![]), "{list}");
    }
}

const UNUSABLE: &[(&[&str], IgnoredReason)] = &[
    (&[".", " . "], IgnoredReason::Empty),
    (
        &[
            "http://", "https://", "HTTP://", "http://.", "http.://", "ws://", "wss://", "ftp://", "ldap://",
            "ssh://",
        ],
        IgnoredReason::NetworkScheme,
    ),
    (
        &[
            "javascript://",
            "JavaScript://",
            "javascript://.",
            "javascript.://",
            "javascript ://",
            "data://",
            "blob://",
            "file://",
            "intent://",
            "view-source://",
            "vbscript://",
            "about://",
            "ms-word://",
            "MS-Settings://",
            "ms-://",
            "mailto://",
            "chrome-extension://",
        ],
        IgnoredReason::ForbiddenScheme,
    ),
    (
        &[
            "https://claude.ai",
            "cursor://x",
            "claude.ai:443",
            "claude.ai/cb",
            "user@claude.ai",
            "cursor:",
            "javascript:",
            "localhost:3000",
            "http://localhost:*",
            ".benchling.com/",
            "a?b",
            "a#b",
        ],
        IgnoredReason::Url,
    ),
    (
        &[
            "127.1",
            "0x7f.1",
            "2130706433",
            "0177.0.0.1",
            "127.000.000.001",
            "10.0.0.1",
            "169.254.169.254",
            "127.0.0.2",
            "0.0.0.0",
            "::1",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::1%25lo]",
            ".0.0.1",
        ],
        IgnoredReason::IpAddress,
    ),
    (&[".com", ".localhost", ".COM."], IgnoredReason::WildcardTooBroad),
    (
        &[
            "*",
            "*.benchling.com",
            "a..b",
            "..benchling.com",
            "claude.ai..",
            "..",
            "a_b.com",
            "-a.com",
            "a-.com",
            "cla ude.ai",
            "cl\u{e1}ude.ai",
            "claude\u{3002}ai",
            "cl%61ude.ai",
            "xn--a",
            "c://",
            "://",
            "1a://",
            "a_b://",
            "claude.ai;claude.com",
            "evil\\.com",
        ],
        IgnoredReason::Malformed,
    ),
];

/// SEC-5: a scheme that runs or fetches something, listed by the operator -> ignored and reported
#[test]
fn what_cannot_be_an_entry_is_reported_with_its_reason() {
    for (entries, reason) in UNUSABLE {
        for entry in *entries {
            assert_ignored(entry, *reason);
        }
    }
    assert_ignored(&format!("{}.example.com", "a".repeat(64)), IgnoredReason::Malformed);
    assert_ignored(&format!("{}com", "abcdefg.".repeat(40)), IgnoredReason::Malformed);
}

/// The entry is left out and reported; those around it count.
fn assert_ignored(entry: &str, reason: IgnoredReason) {
    let (hosts, ignored) = AllowedHosts::parse(&format!("claude.ai,{entry},localhost"));
    assert_eq!(hosts, AllowedHosts::parse("claude.ai,localhost").0, "{entry}");
    assert_eq!(ignored, [IgnoredEntry { position: 2, entry: entry.trim().to_owned(), reason }]);
}

#[test]
fn a_report_is_one_harmless_line() {
    let (_, ignored) = AllowedHosts::parse("claude.ai,,http://,a\r\nb\u{1b}[31m\u{202e}");
    let lines: Vec<_> = ignored.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "entry 2 \"\" is ignored: it is empty; remove the comma",
            "entry 3 \"http://\" is ignored: a network scheme cannot be allowed; list the hostname, or localhost",
            "entry 4 \"a\\r\\nb\\u{1b}[31m\\u{202e}\" is ignored: expected a hostname, .suffix, scheme://, localhost or [::1]",
        ]
    );
}
