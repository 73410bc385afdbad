//! The check.

use crate::{
    AllowedHosts, AllowedRedirect,
    agreement::both_agree,
    grammar::{self, ends_in_number},
};

/// The longest redirect, in bytes.
pub const MAX_REDIRECT: usize = 2048;

/// Decides which redirect URIs may receive a code.
#[derive(Clone, Debug, Default)]
pub struct RedirectPolicy {
    hosts: AllowedHosts,
}

impl RedirectPolicy {
    /// A policy that allows what `hosts` lists.
    #[must_use]
    pub fn new(hosts: AllowedHosts) -> Self {
        Self { hosts }
    }

    /// Whether `redirect` may receive a code.
    ///
    /// # Errors
    /// [`RedirectDenied`] with the first rule that it breaks. Show an error page then, never redirect (SEC-2).
    pub fn check(&self, redirect: &str) -> Result<AllowedRedirect, RedirectDenied> {
        let parts = grammar::split(redirect)?;
        let scheme = parts.scheme.to_ascii_lowercase();
        let host = parts.authority.map(|authority| authority.host.to_ascii_lowercase());
        let port = parts.authority.and_then(|authority| authority.port);
        match (scheme.as_str(), host.as_deref()) {
            ("https", Some(host)) => self.check_https(host, port)?,
            ("http", Some(host)) => self.check_loopback(host)?,
            ("https" | "http", None) => return Err(RedirectDenied::Shape),
            (custom, _) => self.check_custom(custom, port)?,
        }
        if !both_agree(redirect, &parts) {
            return Err(RedirectDenied::Ambiguous);
        }
        let without_port = (scheme == "http").then(|| parts.without_port());
        Ok(AllowedRedirect::new(redirect, scheme, host, without_port))
    }

    /// A hostname entry means https and its default port.
    fn check_https(&self, host: &str, port: Option<&str>) -> Result<(), RedirectDenied> {
        if host.starts_with('[') || ends_in_number(host) {
            return Err(RedirectDenied::Host);
        }
        if !matches!(port, None | Some("443")) {
            return Err(RedirectDenied::Port);
        }
        if self.hosts.lists_name(host) { Ok(()) } else { Err(RedirectDenied::NotListed) }
    }

    /// A loopback entry means http and any port.
    fn check_loopback(&self, host: &str) -> Result<(), RedirectDenied> {
        if self.hosts.lists_loopback(host) { Ok(()) } else { Err(RedirectDenied::NotListed) }
    }

    /// A scheme entry means any host. It names no service on a network, so there is no port.
    fn check_custom(&self, scheme: &str, port: Option<&str>) -> Result<(), RedirectDenied> {
        if port.is_some() {
            return Err(RedirectDenied::Port);
        }
        if self.hosts.lists_scheme(scheme) { Ok(()) } else { Err(RedirectDenied::NotListed) }
    }
}

/// Why a redirect URI may not receive a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectDenied {
    /// It is longer than [`MAX_REDIRECT`].
    #[error("a redirect URI has at most {MAX_REDIRECT} bytes")]
    TooLong,
    /// It has a character that no URI has, such as a backslash, a space or one beyond ASCII.
    #[error("a redirect URI has only the ASCII characters of RFC 3986, others percent-encoded")]
    Character,
    /// It has an encoded control character, such as `%0d`.
    #[error("a redirect URI has no encoded control character")]
    EncodedControl,
    /// It is not of the form `scheme://host/…` or, for a custom scheme, `scheme:/…`.
    #[error("a redirect URI has the form scheme://host/path, or scheme:/path for a custom scheme")]
    Shape,
    /// It has a user name before the host.
    #[error("a redirect URI has no user name or password")]
    Userinfo,
    /// Its host is no host name, or one that some read as an IP address.
    #[error("the host of a redirect URI is a plain host name, localhost, 127.0.0.1 or [::1]")]
    Host,
    /// Its port is not one it may have, or written in an unusual way.
    #[error("a redirect URI names a port for a loopback host only, 1 to 65535")]
    Port,
    /// It has a fragment.
    #[error("a redirect URI has no fragment")]
    Fragment,
    /// Its path has `.` or `..` segments.
    #[error("the path of a redirect URI has no dot segments")]
    DotSegment,
    /// Its query already has a parameter of the authorization response.
    #[error("the query of a redirect URI has no code, state, iss or error parameter")]
    ResponseParameter,
    /// No entry of the list covers it.
    #[error("the redirect URI is not covered by the allowed hosts")]
    NotListed,
    /// Two parsers read it differently.
    #[error("the redirect URI is read differently by different parsers")]
    Ambiguous,
}

impl RedirectDenied {
    /// A stable machine-readable word, for logs.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Character => "character",
            Self::EncodedControl => "encoded_control",
            Self::Shape => "shape",
            Self::Userinfo => "userinfo",
            Self::Host => "host",
            Self::Port => "port",
            Self::Fragment => "fragment",
            Self::DotSegment => "dot_segment",
            Self::ResponseParameter => "response_parameter",
            Self::NotListed => "not_listed",
            Self::Ambiguous => "ambiguous",
        }
    }
}
