//! A redirect that was checked.

use url::form_urlencoded::byte_serialize;

/// A redirect URI that the policy allows. Only [`RedirectPolicy::check`](crate::RedirectPolicy::check) makes one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AllowedRedirect {
    raw: String,
    scheme: String,
    host: Option<String>,
    /// The raw string without its port, for a loopback redirect only.
    without_port: Option<String>,
}

impl AllowedRedirect {
    pub(crate) fn new(raw: &str, scheme: String, host: Option<String>, without_port: Option<String>) -> Self {
        Self { raw: raw.to_owned(), scheme, host, without_port }
    }

    /// The redirect byte for byte as it came: what to store, compare and send.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.raw
    }

    /// The scheme in lower case.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The host in lower case and without a port, to show to a person. A redirect such as
    /// `com.example.app:/callback` has none: show its scheme.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// Whether it leads to a program on the person's own machine, which no name identifies.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.without_port.is_some()
    }

    /// Whether `requested` may be used where `self` is registered: it is the same string, except that the port of a
    /// loopback redirect may be another one, or absent (RFC 8252 section 7.3, RFC 9700 section 4.1.3).
    ///
    /// `localhost` and `127.0.0.1` are different strings, thus different redirects.
    #[must_use]
    pub fn matches(&self, requested: &Self) -> bool {
        match (&self.without_port, &requested.without_port) {
            (Some(registered), Some(requested)) => registered == requested,
            _ => self.raw == requested.raw,
        }
    }

    /// The redirect with parameters added to its query, form-encoded as RFC 6749 appendix B says. What was there
    /// stays as it was.
    #[must_use]
    pub fn with_query(&self, parameters: &[(&str, &str)]) -> String {
        let mut uri = self.raw.clone();
        for (name, value) in parameters {
            match uri.split_once('?') {
                None => uri.push('?'),
                Some((_, query)) if query.is_empty() || query.ends_with('&') => {}
                Some(_) => uri.push('&'),
            }
            uri.extend(byte_serialize(name.as_bytes()));
            uri.push('=');
            uri.extend(byte_serialize(value.as_bytes()));
        }
        uri
    }
}
