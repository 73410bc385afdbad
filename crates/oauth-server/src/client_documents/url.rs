//! Client identifiers that are the URL of a document.

use std::fmt;

use url::{Host, Url};

/// A longer identifier is refused: it is kept with every grant.
const MAX_URL: usize = 512;

/// A client identifier that names a document, in the one spelling that every parser reads alike.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct DocumentUrl(Url);

/// Why an identifier does not name a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum UrlProblem {
    #[error("client_id is longer than 512 bytes")]
    TooLong,
    #[error(
        "client_id is not a URL in its canonical spelling: lower-case host, no default port, no dot segments"
    )]
    Spelling,
    #[error("client_id has a user name or password")]
    Userinfo,
    #[error("client_id has a fragment")]
    Fragment,
    #[error("client_id has no path: it must name a document, not a site")]
    NoPath,
    #[error("the host of client_id is not a name")]
    Host,
}

impl DocumentUrl {
    /// Whether an identifier is meant as the URL of a document. No identifier that this server makes is.
    pub(crate) fn is_meant_by(client_id: &str, allows_loopback: bool) -> bool {
        client_id.starts_with("https://") || (allows_loopback && client_id.starts_with("http://"))
    }

    /// Reads an identifier for which [`is_meant_by`](Self::is_meant_by) holds. On loopback (`allows_loopback`) plain
    /// http and addresses are taken too, for documents on the same computer; the fetching looks at them again.
    pub(crate) fn parse(client_id: &str, allows_loopback: bool) -> Result<Self, UrlProblem> {
        if client_id.len() > MAX_URL {
            return Err(UrlProblem::TooLong);
        }
        let url = Url::parse(client_id).map_err(|_| UrlProblem::Spelling)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlProblem::Userinfo);
        }
        if url.fragment().is_some() {
            return Err(UrlProblem::Fragment);
        }
        if url.path() == "/" {
            return Err(UrlProblem::NoPath);
        }
        // What a parser would mend (dot segments, also encoded ones, an encoded host, a backslash, a tab) is not mended.
        if url.as_str() != client_id {
            return Err(UrlProblem::Spelling);
        }
        match url.host() {
            Some(Host::Domain(name)) if !name.ends_with('.') => Ok(Self(url)),
            Some(Host::Ipv4(_) | Host::Ipv6(_)) if allows_loopback => Ok(Self(url)),
            _ => Err(UrlProblem::Host),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The host, in lower case.
    pub(crate) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    pub(super) fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for DocumentUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{DocumentUrl, UrlProblem};
    use proptest::prelude::*;
    use url::Url;

    /// SEC-40: an identifier without a path, with dot segments, a fragment, a user, another spelling, an address -> refused
    #[test]
    fn an_identifier_has_one_spelling_and_a_path() {
        let spelling = Err(UrlProblem::Spelling);
        let long = format!("https://client.example/{}", "x".repeat(512));
        let cases = [
            ("https://client.example/metadata", Ok(())),
            ("https://client.example:8443/a/b.json", Ok(())),
            ("https://client.example/a?version=1", Ok(())),
            ("https://client.example/a/", Ok(())),
            ("https://client.example/a%20b", Ok(())),
            ("https://client.example/a..b/...", Ok(())),
            ("https://xn--bcher-kva.example/a", Ok(())),
            ("https://client.example/", Err(UrlProblem::NoPath)),
            ("https://client.example", Err(UrlProblem::NoPath)),
            ("https://client.example?a", Err(UrlProblem::NoPath)),
            ("https://client.example/a#", Err(UrlProblem::Fragment)),
            ("https://client.example/a#b", Err(UrlProblem::Fragment)),
            ("https://user@client.example/a", Err(UrlProblem::Userinfo)),
            ("https://:password@client.example/a", Err(UrlProblem::Userinfo)),
            ("https://@client.example/a", spelling),
            ("https://client.example/./a", spelling),
            ("https://client.example/a/../b", spelling),
            ("https://client.example/a/..", Err(UrlProblem::NoPath)),
            ("https://client.example/a/%2e%2E/b", spelling),
            ("https://client.example/.%2e/b", spelling),
            ("https://client.example/a/.", spelling),
            ("https://Client.example/a", spelling),
            ("https://client.example:443/a", spelling),
            ("https://client.example:0443/a", spelling),
            ("https://client.example:/a", spelling),
            ("https://client.example\\a", spelling),
            ("https://client.example/a\\b", spelling),
            ("https:///client.example/a", spelling),
            ("https://client.exam\tple/a", spelling),
            (" https://client.example/a", spelling),
            ("https://client.example/a b", spelling),
            ("https://client%2eexample/a", spelling),
            ("https://b\u{fc}cher.example/a", spelling),
            ("https://client\u{3002}example/a", spelling),
            ("https://client.example/\u{e9}", spelling),
            ("https://client.example./a", Err(UrlProblem::Host)),
            ("https://127.0.0.1/a", Err(UrlProblem::Host)),
            ("https://2130706433/a", spelling),
            ("https://[::1]/a", Err(UrlProblem::Host)),
            ("https://", spelling),
            (long.as_str(), Err(UrlProblem::TooLong)),
        ];
        for (identifier, expected) in cases {
            assert_eq!(DocumentUrl::parse(identifier, false).map(drop), expected, "{identifier}");
        }
    }

    #[test]
    fn a_server_on_loopback_takes_its_own_addresses() {
        for identifier in ["http://127.0.0.1:3000/a", "http://localhost:3000/a", "http://[::1]:3000/a"] {
            assert!(!DocumentUrl::is_meant_by(identifier, false), "{identifier}");
            assert!(DocumentUrl::is_meant_by(identifier, true), "{identifier}");
            assert!(DocumentUrl::parse(identifier, true).is_ok(), "{identifier}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_is_taken_as_it_came(rest in "[ -~\u{80}-\u{ff}]{0,40}") {
            let identifier = format!("https://client.example{rest}");
            if let Ok(found) = DocumentUrl::parse(&identifier, false) {
                prop_assert_eq!(found.as_str(), &identifier);
                let url = Url::parse(&identifier)?;
                prop_assert!(url.path_segments().unwrap().all(|part| part != "." && part != ".."));
                prop_assert!(url.path().len() > 1 && url.fragment().is_none() && url.username().is_empty());
            }
        }
    }
}
