//! Which schemes an operator may list.

/// Schemes that reach a network, run or show something in the browser, or start something on the machine, whatever
/// an operator lists (SEC-5). Sorted.
const FORBIDDEN: &[&str] = &[
    "about",
    "android-app",
    "blob",
    "chrome",
    "chrome-extension",
    "content",
    "data",
    "edge",
    "file",
    "filesystem",
    "intent",
    "itms-services",
    "jar",
    "javascript",
    "mailto",
    "mhtml",
    "mk",
    "moz-extension",
    "res",
    "resource",
    "search-ms",
    "sms",
    "tel",
    "urn",
    "vbscript",
    "view-source",
    "wyciwyg",
];

/// Schemes of network protocols: an entry with one of them is a mistake, not an attack. Sorted.
const NETWORK: &[&str] = &[
    "dns", "ftp", "ftps", "git", "gopher", "http", "https", "imap", "imaps", "ldap", "ldaps", "nfs", "nntp",
    "pop", "rtsp", "sftp", "smb", "smtp", "ssh", "telnet", "ws", "wss",
];

/// `ALPHA *( ALPHA / DIGIT / "+" / "-" / "." )` (RFC 3986 section 3.1), narrowed: at least two characters, because
/// one is a drive letter, and a letter or digit at the end, because some drop a dot there.
pub(crate) fn is_scheme(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 2
        && bytes.first().is_some_and(u8::is_ascii_alphabetic)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
}

/// Whether a lower-case scheme belongs to a network protocol.
pub(crate) fn is_network(scheme: &str) -> bool {
    NETWORK.binary_search(&scheme).is_ok()
}

/// Whether a lower-case scheme can never be listed.
pub(crate) fn is_forbidden(scheme: &str) -> bool {
    FORBIDDEN.binary_search(&scheme).is_ok() || scheme.starts_with("ms-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted() {
        assert!(FORBIDDEN.is_sorted() && NETWORK.is_sorted());
    }

    #[test]
    fn schemes_follow_the_narrowed_grammar() {
        for scheme in ["cursor", "com.example.app", "a1", "web+quilt", "Cursor"] {
            assert!(is_scheme(scheme), "{scheme}");
        }
        for other in ["", "c", "1a", "-a", "javascript.", "a b", "a_b", "é", "a:", "cursor/", "a+"] {
            assert!(!is_scheme(other), "{other}");
        }
    }
}
