//! The values of settings: parsed at the edge, trusted afterwards.

use std::{fmt, path::Path, str::FromStr, time::Duration};

use connect_hosts::AllowedHosts;
use settings::Span;
use url::{Host, Url};

/// The text is not such a value; the accessor says what would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a value of this kind")]
pub struct Invalid;

/// The origin that clients see, without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    origin: String,
    loopback: bool,
}

impl PublicUrl {
    pub(crate) const EXPECTED: &str =
        "an https origin such as \"https://connect.example.com\" (http only for localhost), without a path";

    /// The origin as written, e.g. `https://connect.example.com`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.origin
    }

    /// Whether the host is this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }
}

impl FromStr for PublicUrl {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = web_url(text).ok_or(Invalid)?;
        let origin = url.origin().ascii_serialization();
        // What clients compare is what is written here: it must be the canonical form already.
        if text.strip_suffix('/').unwrap_or(text) != origin {
            return Err(Invalid);
        }
        Ok(Self { origin, loopback: is_loopback(&url) })
    }
}

/// An https URL, or http on this machine, without userinfo.
fn web_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let secure = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    (secure && url.username().is_empty() && url.password().is_none() && url.fragment().is_none())
        .then_some(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// An issuer or another https URL, kept as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IssuerUrl(pub(crate) String);

impl IssuerUrl {
    pub(crate) const EXPECTED: &str = "an issuer such as \"https://login.example.com\" (http only for localhost), as its discovery document has it";
}

impl FromStr for IssuerUrl {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        web_url(text).map(|_| Self(text.to_owned())).ok_or(Invalid)
    }
}

/// A web origin, as browsers send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(pub(crate) String);

impl Origin {
    /// The value as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) const EXPECTED: &str = "a web origin such as \"https://app.example.com\"";
}

impl FromStr for Origin {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = web_url(text).ok_or(Invalid)?;
        let origin = url.origin().ascii_serialization();
        if origin == text { Ok(Self(origin)) } else { Err(Invalid) }
    }
}

/// The address of a service: http, inside the private network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamUrl(pub(crate) String);

impl UpstreamUrl {
    /// The value as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) const EXPECTED: &str = "an http URL such as \"http://mcp.internal:8082/mcp\"";
}

impl FromStr for UpstreamUrl {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| Invalid)?;
        let plain = url.scheme() == "http"
            && url.host().is_some()
            && url.username().is_empty()
            && url.query().is_none()
            && url.fragment().is_none();
        if plain { Ok(Self(url.into())) } else { Err(Invalid) }
    }
}

/// A lower-case name for paths, metrics and rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slug(String);

impl Slug {
    pub(crate) const EXPECTED: &str = "a name of 1 to 40 lower-case letters, digits and hyphens";

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Slug {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let ends = text.starts_with('-') || text.ends_with('-');
        if !(1..=40).contains(&text.len()) || ends || !text.bytes().all(legal) {
            return Err(Invalid);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The path of a service at the public origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePath(String);

impl ServicePath {
    pub(crate) const EXPECTED: &str =
        "a path such as \"/mcp/platform\" of lower-case letters, digits and hyphens, without a final slash";

    /// The path, with its first slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ServicePath {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let segments = text.strip_prefix('/').ok_or(Invalid)?.split('/');
        let legal = segments.clone().all(|segment| segment.parse::<Slug>().is_ok());
        // Paths that the authorization server answers itself cannot be a service's.
        let first = segments.clone().next().unwrap_or_default();
        let taken = [
            "account",
            "auth",
            "brand",
            "signed-out",
            "userinfo",
            "authorize",
            "callback",
            "connect",
            "consent",
            "device",
            "introspect",
            "portal",
            "register",
            "revoke",
            "token",
        ];
        if legal && !taken.contains(&first) { Ok(Self(text.to_owned())) } else { Err(Invalid) }
    }
}

/// Signature algorithm of our tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
    /// RSA PKCS#1 v1.5 with SHA-256.
    Rs256,
}

impl FromStr for Algorithm {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "ES256" => Ok(Self::Es256),
            "EdDSA" => Ok(Self::EdDsa),
            "RS256" => Ok(Self::Rs256),
            _ => Err(Invalid),
        }
    }
}

/// Which clients may let people sign in on another device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceClients {
    /// None.
    Off,
    /// Those that the operator registered for it.
    Operator,
    /// Also those that registered themselves.
    Any,
}

impl FromStr for DeviceClients {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            "operator" => Ok(Self::Operator),
            "any" => Ok(Self::Any),
            _ => Err(Invalid),
        }
    }
}

/// Size of an RSA key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RsaBits {
    /// 2048 bits.
    Bits2048,
    /// 3072 bits.
    Bits3072,
}

impl FromStr for RsaBits {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "2048" => Ok(Self::Bits2048),
            "3072" => Ok(Self::Bits3072),
            _ => Err(Invalid),
        }
    }
}

/// How old the signing key may become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RotateEvery(pub(crate) Option<Duration>);

impl Default for RotateEvery {
    fn default() -> Self {
        Self(Some(Duration::from_hours(90 * 24)))
    }
}

impl FromStr for RotateEvery {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "never" {
            return Ok(Self(None));
        }
        text.parse().map(|Span(every)| Self(Some(every))).map_err(|_| Invalid)
    }
}

/// Whether a text is the ARN of one key.
pub(crate) fn is_kms_key(text: &str) -> bool {
    let mut parts = text.splitn(6, ':');
    let starts = parts.next() == Some("arn") && parts.next().is_some() && parts.next() == Some("kms");
    starts && parts.nth(2).is_some_and(|key| key.strip_prefix("key/").is_some_and(|id| !id.is_empty()))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Json,
    Text,
}

impl FromStr for LogFormat {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            _ => Err(Invalid),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DpopNonce {
    Off,
    Required,
}

impl FromStr for DpopNonce {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            "required" => Ok(Self::Required),
            _ => Err(Invalid),
        }
    }
}

/// Which clients may be described by a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DocumentMode {
    Off,
    Open,
    AllowList,
}

impl FromStr for DocumentMode {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            "open" => Ok(Self::Open),
            "allow-list" => Ok(Self::AllowList),
            _ => Err(Invalid),
        }
    }
}

/// A domain, or with a leading dot every domain below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Domain(String);

impl Domain {
    pub(crate) const EXPECTED: &str =
        "a domain such as \"claude.ai\", or \".example.com\" for those below it";

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Domain {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lower = text.to_ascii_lowercase();
        // The list of redirects has the same names, but also schemes and loopback hosts.
        let (hosts, ignored) = AllowedHosts::parse(&lower);
        let covered = if lower.starts_with('.') {
            hosts.lists_name(&format!("a{lower}"))
        } else {
            hosts.lists_name(&lower)
        };
        if ignored.is_empty() && covered { Ok(Self(lower)) } else { Err(Invalid) }
    }
}

/// The domain of e-mail addresses, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MailDomain(pub(crate) String);

impl MailDomain {
    pub(crate) const EXPECTED: &str = "a domain of e-mail addresses such as \"example.com\"";
}

impl FromStr for MailDomain {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Domain(domain) = text.parse()?;
        if domain.starts_with('.') { Err(Invalid) } else { Ok(Self(domain)) }
    }
}

/// A JSON pointer (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pointer(pub(crate) String);

impl FromStr for Pointer {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > 1 && text.starts_with('/') { Ok(Self(text.to_owned())) } else { Err(Invalid) }
    }
}

/// What stands before the subject in a source identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prefix(pub(crate) String);

impl Prefix {
    pub(crate) const EXPECTED: &str = "1 to 16 lower-case letters and digits";
}

impl FromStr for Prefix {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if (1..=16).contains(&text.len()) && text.bytes().all(legal) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid)
        }
    }
}

/// The address of the database, without a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseUrl(Url);

impl DatabaseUrl {
    pub(crate) const EXPECTED: &str = "\"sqlite:connect.db\" or \"postgres://user@host/database\", \
                                       without a password: that goes to database.password";

    /// The address with a relative SQLite file starting at `folder`.
    #[must_use]
    pub(crate) fn beside(self, folder: &Path) -> Self {
        let path = self.0.path();
        if self.is_shared() || path.starts_with('/') || folder.as_os_str().is_empty() {
            return self;
        }
        let query = self.0.query().map(|query| format!("?{query}")).unwrap_or_default();
        let moved = format!("sqlite:{}{query}", folder.join(path).display());
        Url::parse(&moved).map_or(self, Self)
    }

    /// The address with which a missing SQLite file is made.
    pub(crate) fn or_created(&self) -> String {
        let url = &self.0;
        if self.is_shared() || url.query_pairs().any(|(name, _)| name == "mode") {
            return url.to_string();
        }
        format!("{url}{}mode=rwc", if url.query().is_some() { '&' } else { '?' })
    }

    /// Whether several processes on several machines can use it.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.0.scheme() == "postgres"
    }

    /// The address, safe to print.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The address with a password in it; not safe to print.
    pub(crate) fn with_password(&self, password: &str) -> Result<Url, Invalid> {
        let mut url = self.0.clone();
        url.set_password(Some(password)).map_err(|()| Invalid)?;
        Ok(url)
    }
}

impl FromStr for DatabaseUrl {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| Invalid)?;
        let known = matches!(url.scheme(), "postgres" | "sqlite");
        let hidden = url.query_pairs().any(|(name, _)| name == "password" || name == "sslpassword");
        if known && url.password().is_none() && !hidden { Ok(Self(url)) } else { Err(Invalid) }
    }
}
