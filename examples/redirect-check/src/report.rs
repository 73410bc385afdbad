//! The verdicts as text.

use std::fmt::Write as _;

use connect_hosts::{AllowedHosts, AllowedRedirect, RedirectPolicy};

/// One line for each entry that was left out and for each redirect, and whether all redirects are allowed.
pub(crate) fn report(list: &str, redirects: &[String]) -> (String, bool) {
    let (hosts, ignored) = AllowedHosts::parse(list);
    let mut text = String::new();
    // Writing into a `String` cannot fail.
    for entry in ignored {
        let _ = writeln!(text, "{entry}");
    }
    if hosts.is_empty() {
        text.push_str("nothing is allowed: the list has no entry that can be used\n");
    }
    let policy = RedirectPolicy::new(hosts);
    let mut all_allowed = true;
    for redirect in redirects {
        let _ = match policy.check(redirect) {
            Ok(allowed) => writeln!(text, "allowed  {}  ({})", allowed.as_str(), shown(&allowed)),
            Err(denied) => {
                all_allowed = false;
                writeln!(text, "refused  {redirect:?}  ({denied})")
            }
        };
    }
    (text, all_allowed)
}

/// What a consent page would name.
fn shown(allowed: &AllowedRedirect) -> &str {
    if allowed.is_loopback() {
        return "a program on this machine";
    }
    allowed.host().unwrap_or(allowed.scheme())
}

#[cfg(test)]
mod tests {
    use super::report;

    fn reported(list: &str, redirects: &[&str]) -> (String, bool) {
        report(list, &redirects.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn allowed_redirects_are_named_as_a_person_knows_them() {
        let (text, all_allowed) = reported(
            "claude.ai,localhost,com.example.app://",
            &["https://claude.ai/cb", "http://localhost:1/", "com.example.app:/cb"],
        );
        assert!(all_allowed);
        assert_eq!(
            text,
            "allowed  https://claude.ai/cb  (claude.ai)\n\
             allowed  http://localhost:1/  (a program on this machine)\n\
             allowed  com.example.app:/cb  (com.example.app)\n"
        );
    }

    #[test]
    fn refusals_say_why_on_one_line() {
        let (text, all_allowed) = reported("claude.ai", &["https://claude.ai/cb", "https://evil\n.example/"]);
        assert!(!all_allowed);
        assert_eq!(text.lines().count(), 2);
        assert!(text.ends_with("refused  \"https://evil\\n.example/\"  (a redirect URI has only the ASCII characters of RFC 3986, others percent-encoded)\n"));
    }

    #[test]
    fn an_empty_list_is_said_to_be_one() {
        let (text, all_allowed) = reported("http://", &["https://claude.ai/cb"]);
        assert!(!all_allowed);
        assert!(text.contains("entry 1 \"http://\" is ignored"));
        assert!(text.contains("nothing is allowed"));
    }
}
