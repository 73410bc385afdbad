//! What a person calls the device that a request comes from.

use crate::pages::display_text;

const MAX_WORDS: usize = 40;
const MAX_AGENT: usize = 512;

/// Browsers by a token of theirs, those that also carry another one's token first.
const BROWSERS: [(&str, &str); 10] = [
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

/// Systems by a part of the comment that browsers send, the more particular ones first.
const SYSTEMS: [(&str, &str); 8] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "Mac"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
];

/// A `User-Agent` in words such as "Firefox on Linux"; for what is no browser the name of the program, such as "curl".
/// It is what the device says of itself: to recognise it by, never to decide by.
pub(crate) fn describe(user_agent: &str) -> Option<String> {
    let agent: String = user_agent.chars().take(MAX_AGENT).collect();
    let named = |list: &[(&str, &'static str)]| {
        list.iter().find(|(token, _)| agent.contains(token)).map(|(_, name)| *name)
    };
    let browser = agent.starts_with("Mozilla/").then(|| named(&BROWSERS).unwrap_or("A browser"));
    let program = match browser {
        Some(browser) => browser.to_owned(),
        None => program(&agent)?,
    };
    Some(match named(&SYSTEMS) {
        Some(system) => format!("{program} on {system}"),
        None => program,
    })
}

/// The first product's name (RFC 9110 §10.1.5).
fn program(agent: &str) -> Option<String> {
    let name = agent.split(['/', ' ', '(']).next().unwrap_or_default();
    let safe: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
    Some(display_text(&safe, MAX_WORDS)).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::describe;

    #[test]
    fn devices_have_names() {
        let long = "x".repeat(10_000);
        let cases = [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
                Some("Firefox on Linux"),
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
                Some("Chrome on Windows"),
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0",
                Some("Edge on Windows"),
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
                Some("Safari on Mac"),
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
                Some("Safari on iPhone"),
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0 Mobile/15E148 Safari/604.1",
                Some("Chrome on iPhone"),
            ),
            (
                "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
                Some("Chrome on Android"),
            ),
            ("Mozilla/5.0 (X11; CrOS x86_64 16000) Chrome/142.0 Safari/537.36", Some("Chrome on ChromeOS")),
            ("Mozilla/5.0 (Playdate)", Some("A browser")),
            ("curl/8.14.1", Some("curl")),
            ("python-requests/2.32", Some("python-requests")),
            ("quilt-agent/1.2 (Linux; x86_64)", Some("quilt-agent on Linux")),
            ("<script>alert(1)</script>", Some("scriptalert")),
            ("<b>", Some("b")),
            ("\u{202e}", None),
            ("()", None),
            ("", None),
            (&long, Some(&format!("{}…", "x".repeat(40)))),
        ];
        for (agent, words) in cases {
            assert_eq!(describe(agent).as_deref(), words, "{agent}");
        }
    }

    proptest! {
        #[test]
        fn any_device_has_short_harmless_words(agent in ".*") {
            if let Some(words) = describe(&agent) {
                prop_assert!(words.chars().count() <= 60);
                prop_assert!(words.chars().all(|c| c.is_ascii_alphanumeric() || " -_.…".contains(c)), "{}", words);
            }
        }
    }
}
