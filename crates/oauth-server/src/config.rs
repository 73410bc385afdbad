//! What the authorization server is told by its operator.

use std::{collections::BTreeSet, fmt, num::NonZeroU32, time::Duration};

use url::{Host, Url};

use crate::{
    assertions::{self, AssertionProblem, IdentityAssertionIssuer, WorkloadIssuer},
    client_documents::DocumentTrust,
    pages::Brand,
    register::{RegistrationMode, RegistrationRate},
    replay::ReplayWindow,
    store::Client,
};

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// The longest life of an authorization code (SEC-8).
const MAX_CODE_LIFETIME: Duration = MINUTE;

/// The longest life of an access token: revocations older than this need not be remembered.
pub(crate) const MAX_ACCESS_LIFETIME: Duration = Duration::from_hours(1);

/// A busy resource server asks once for each call that it serves.
const INTROSPECTIONS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(60_000).unwrap();

/// A fleet of agents asks once for each run of each.
const MACHINE_TOKENS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(1200).unwrap();

/// The settings of an authorization server. [`OAuthConfig::new`] gives the defaults; [`validate`](Self::validate) is
/// called by [`OAuthServer::new`](crate::OAuthServer::new).
#[derive(Clone, Debug)]
pub struct OAuthConfig {
    /// The origin under which everybody reaches this server, e.g. `https://connect.example.com`: the issuer, byte for
    /// byte. No path, no trailing slash. `http` only on loopback.
    pub public_url: String,
    /// The resources that tokens are issued for.
    pub resources: Vec<Resource>,
    /// The life of an access token; 15 minutes by default, at most an hour.
    pub access_lifetime: Duration,
    /// The life of an authorization code; 60 seconds by default and at most.
    pub code_lifetime: Duration,
    /// How long a person may take for consent and sign-in; 10 minutes by default.
    pub interaction_lifetime: Duration,
    /// How long an unused refresh token lives; 30 days by default.
    pub refresh_idle_lifetime: Duration,
    /// How long a grant lives however often it is refreshed; 90 days by default.
    pub refresh_absolute_lifetime: Duration,
    /// How long after its use a refresh token may be sent again; 30 seconds by default.
    pub refresh_replay: ReplayWindow,
    /// What access tokens are signed with, and for how long one key does so.
    pub keys: KeySettings,
    /// How many clients are kept that nobody ever signed in with; 10 000 by default. Of more, those
    /// registered first give way after a minute. Clients that somebody signed in with are not counted, and stay.
    pub max_unused_clients: u64,
    /// When a client that nobody ever signed in with is forgotten; one day by default.
    pub unused_client_lifetime: Duration,
    /// How long a person stays signed in to the pages about their account without coming back; one hour by default.
    pub session_idle_lifetime: Duration,
    /// How long a person stays signed in to them at most; 12 hours by default.
    pub session_absolute_lifetime: Duration,
    /// How long a token lives that a person takes at `/portal`, at most an hour; there is no portal when absent, as by default.
    pub portal_lifetime: Option<Duration>,
    /// How many browsers may be signed in to them; 50 000 by default. Of more, those that end first give way.
    pub max_sessions: u64,
    /// How many unfinished authorizations are kept; 50 000 by default. Of more, the oldest give way.
    pub max_interactions: u64,
    /// How many pushed authorization requests are kept; 50 000 by default. Of more, the oldest give way.
    pub max_pushed_requests: u64,
    /// How long any request may take, its body included; 30 seconds by default.
    pub request_timeout: Duration,
    /// How often each client may ask about tokens a minute, and half a minute's worth at once, in this process; 60 000 by
    /// default.
    pub introspections_per_minute: NonZeroU32,
    /// Which clients may let people sign in on another device (RFC 8628); the operator's own by default.
    pub device_clients: DeviceClients,
    /// How long a person may take to type a user code and to sign in; 10 minutes by default.
    pub device_lifetime: Duration,
    /// How many device codes are kept; 10 000 by default. Of more, new ones are refused.
    pub max_device_codes: u64,
    /// Which clients may be described by a document that their identifier is the URL of; any by default.
    pub client_documents: DocumentTrust,
    /// How often each client may get a token without a person a minute, and half a minute's worth at once, in this
    /// process; 1 200 by default. A grant is kept for each.
    pub machine_tokens_per_minute: NonZeroU32,
    /// Issuers of workloads that get tokens for what they prove to be; none by default.
    pub workload_issuers: Vec<WorkloadIssuer>,
    /// Identity providers that let clients in for people; none by default.
    pub identity_assertion_issuers: Vec<IdentityAssertionIssuer>,
    /// Who may register a client by themselves; anybody by default.
    pub registration: RegistrationMode,
    /// How often one address may register, in this process.
    pub registration_rate: RegistrationRate,
    /// Clients that the operator configured; none by default. They are never written to the store.
    pub clients: Vec<Client>,
    /// Whether a DPoP proof must carry a nonce of this server (RFC 9449 §8); not by default. One that it carries must be
    /// ours in any case.
    pub dpop_nonce_required: bool,
    /// What the pages show about the operator.
    pub brand: Brand,
}

/// Which clients may use the device authorization grant. A device code needs no redirect, so the list of allowed
/// redirects does not keep a stranger's client out: only the person's attention does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceClients {
    /// None.
    Off,
    /// Those that the operator registered for it.
    #[default]
    Operator,
    /// Also those that registered themselves for it.
    Any,
}

impl OAuthConfig {
    /// A configuration with every default.
    #[must_use]
    pub fn new(public_url: impl Into<String>, resources: Vec<Resource>) -> Self {
        Self {
            public_url: public_url.into(),
            resources,
            access_lifetime: 15 * MINUTE,
            code_lifetime: MAX_CODE_LIFETIME,
            interaction_lifetime: 10 * MINUTE,
            refresh_idle_lifetime: 30 * DAY,
            refresh_absolute_lifetime: 90 * DAY,
            refresh_replay: ReplayWindow::default(),
            keys: KeySettings::default(),
            max_unused_clients: 10_000,
            unused_client_lifetime: DAY,
            session_idle_lifetime: 60 * MINUTE,
            session_absolute_lifetime: DAY / 2,
            portal_lifetime: None,
            max_sessions: 50_000,
            max_interactions: 50_000,
            max_pushed_requests: 50_000,
            request_timeout: MINUTE / 2,
            introspections_per_minute: INTROSPECTIONS_PER_MINUTE,
            device_clients: DeviceClients::default(),
            device_lifetime: 10 * MINUTE,
            max_device_codes: 10_000,
            client_documents: DocumentTrust::default(),
            machine_tokens_per_minute: MACHINE_TOKENS_PER_MINUTE,
            workload_issuers: Vec::new(),
            identity_assertion_issuers: Vec::new(),
            registration: RegistrationMode::default(),
            registration_rate: RegistrationRate::default(),
            clients: Vec::new(),
            dpop_nonce_required: false,
            brand: Brand::default(),
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`ConfigProblems`] with everything that is wrong, not just the first.
    pub fn validate(&self) -> Result<(), ConfigProblems> {
        let mut problems = Vec::new();
        if let Err(why) = check_public_url(&self.public_url) {
            problems.push(ConfigProblem::PublicUrl { found: self.public_url.clone(), why });
        }
        check_resources(&self.resources, &mut problems);
        let mut seen = BTreeSet::new();
        let twice = self.clients.iter().find(|client| !seen.insert(&client.id));
        problems.extend(twice.map(|client| ConfigProblem::DuplicateClient { id: client.id.clone() }));
        let bounds = [
            ("access_lifetime", self.access_lifetime, MAX_ACCESS_LIFETIME),
            ("code_lifetime", self.code_lifetime, MAX_CODE_LIFETIME),
            ("interaction_lifetime", self.interaction_lifetime, DAY),
            ("refresh_idle_lifetime", self.refresh_idle_lifetime, self.refresh_absolute_lifetime),
            ("refresh_absolute_lifetime", self.refresh_absolute_lifetime, 366 * DAY),
            ("unused_client_lifetime", self.unused_client_lifetime, 366 * DAY),
            ("device_lifetime", self.device_lifetime, DAY / 24),
            ("session_idle_lifetime", self.session_idle_lifetime, self.session_absolute_lifetime),
            ("session_absolute_lifetime", self.session_absolute_lifetime, 7 * DAY),
            ("request_timeout", self.request_timeout, 10 * MINUTE),
        ];
        let portal = self.portal_lifetime.map(|found| ("portal_lifetime", found, MAX_ACCESS_LIFETIME));
        for (field, found, max) in bounds.into_iter().chain(portal) {
            if found < Duration::from_secs(1) || found > max {
                problems.push(ConfigProblem::Lifetime { field, found, max });
            }
        }
        if let Some(found) = self.keys.rotate_every.filter(|every| *every < DAY) {
            problems.push(ConfigProblem::RotatedTooOften { found });
        }
        if self.unused_client_lifetime <= self.interaction_lifetime {
            problems.push(ConfigProblem::ClientForgottenTooSoon);
        }
        let numbers = [
            ("max_unused_clients", self.max_unused_clients),
            ("max_interactions", self.max_interactions),
            ("max_device_codes", self.max_device_codes),
            ("max_sessions", self.max_sessions),
            ("max_pushed_requests", self.max_pushed_requests),
        ];
        problems.extend(
            numbers.iter().filter(|(_, found)| *found == 0).map(|(field, _)| ConfigProblem::Zero { field }),
        );
        problems.extend(assertions::problems(self).into_iter().map(ConfigProblem::Assertion));
        if problems.is_empty() { Ok(()) } else { Err(ConfigProblems(problems)) }
    }

    /// Whether `public_url` is a loopback address, reachable by nobody else.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        Url::parse(&self.public_url).is_ok_and(|url| is_loopback(&url))
    }

    /// Whether cookies can carry `Secure`: everywhere but on plain http, which is for loopback only.
    pub(crate) fn is_secure(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// The issuer of the identities of clients that act for themselves: their subjects are client identifiers.
    #[must_use]
    pub fn clients_issuer(&self) -> String {
        self.url_of("/clients")
    }

    /// The absolute URL of a path of this server.
    pub(crate) fn url_of(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }

    /// The resource that an inbound `resource` parameter names: exactly, or with a trailing `/mcp`, which is the
    /// transport URL of the same resource. A single one has the root's discovery document too, which calls it by the
    /// origin; clients that keep URLs parsed write that with a slash.
    pub(crate) fn resource(&self, requested: &str) -> Option<&Resource> {
        if requested.strip_suffix('/').unwrap_or(requested) == self.public_url {
            return self.single_resource();
        }
        let canonical = requested.strip_suffix("/mcp").unwrap_or(requested);
        self.resources.iter().find(|resource| resource.uri == requested || resource.uri == canonical)
    }

    /// The only resource, if there is only one.
    pub(crate) fn single_resource(&self) -> Option<&Resource> {
        match self.resources.as_slice() {
            [resource] => Some(resource),
            _ => None,
        }
    }
}

/// A protected resource: one routed service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The canonical identifier and, byte for byte, the `aud` of its tokens, e.g.
    /// `https://connect.example.com/mcp/platform`.
    pub uri: String,
    /// The name people read on the consent page.
    pub name: String,
    /// The scopes a token for it may have. All of them are granted when a client asks for none.
    pub scopes: Vec<ScopeText>,
}

/// A scope and what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeText {
    /// The scope token (RFC 6749 §3.3).
    pub name: String,
    /// What it allows, in words for the consent page.
    pub description: Option<String>,
}

/// How signing keys are made and replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySettings {
    /// The algorithm of new keys; ES256 by default. Another one than the newest key's makes a next key, which takes over
    /// like any other.
    pub algorithm: SigningAlgorithm,
    /// The size of new RSA keys; 3072 bits by default.
    pub rsa_bits: RsaBits,
    /// The age at which the signing key is replaced; 90 days by default, at least one. `None`: only by hand.
    pub rotate_every: Option<Duration>,
}

impl Default for KeySettings {
    fn default() -> Self {
        Self {
            algorithm: SigningAlgorithm::default(),
            rsa_bits: RsaBits::default(),
            rotate_every: Some(90 * DAY),
        }
    }
}

/// The size of an RSA key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RsaBits {
    /// 2048 bits: the least that verifiers accept.
    Bits2048,
    /// 3072 bits.
    #[default]
    Bits3072,
}

/// The algorithm of a signing key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SigningAlgorithm {
    /// ECDSA on P-256 with SHA-256.
    #[default]
    Es256,
    /// Ed25519.
    EdDsa,
    /// RSA PKCS#1 v1.5 with SHA-256, for verifiers that know nothing else.
    Rs256,
}

impl SigningAlgorithm {
    /// The JOSE name (RFC 7518 §3.1, RFC 8037 §3.1).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }

    /// The algorithm with this JOSE name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Es256, Self::EdDsa, Self::Rs256].into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}

/// Everything that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigProblems(pub Vec<ConfigProblem>);

impl fmt::Display for ConfigProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigProblem {
    /// `public_url` is not an origin.
    #[error("public_url {found:?} {why}: write it like https://connect.example.com")]
    PublicUrl {
        /// The value.
        found: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// There is nothing to issue tokens for.
    #[error("no resource is configured: name at least one service")]
    NoResource,
    /// A resource identifier cannot be an audience.
    #[error("resource {found:?} {why}: write it like https://connect.example.com/mcp/platform")]
    Resource {
        /// The value.
        found: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A scope cannot be requested.
    #[error(
        "scope {found:?} of resource {resource:?} is not a scope token: use printable ASCII without space, \" and \\"
    )]
    Scope {
        /// The resource.
        resource: String,
        /// The value.
        found: String,
    },
    /// A lifetime is out of bounds.
    #[error("{field} is {found:?}: expected 1s to {max:?}")]
    Lifetime {
        /// The setting.
        field: &'static str,
        /// Its value.
        found: Duration,
        /// The greatest value.
        max: Duration,
    },
    /// Signing keys would be replaced before the last ones are gone.
    #[error("keys.rotate_every is {found:?}: expected at least a day")]
    RotatedTooOften {
        /// Its value.
        found: Duration,
    },
    /// A client would be forgotten while its first person still signs in.
    #[error("unused_client_lifetime must be longer than interaction_lifetime")]
    ClientForgottenTooSoon,
    /// The issuers of assertions.
    #[error(transparent)]
    Assertion(AssertionProblem),
    /// Two clients would be one.
    #[error("client {id:?} is configured twice: each needs its own id")]
    DuplicateClient {
        /// The identifier.
        id: String,
    },
    /// A number that must not be 0.
    #[error("{field} is 0: expected at least 1")]
    Zero {
        /// The setting.
        field: &'static str,
    },
}

fn check_public_url(text: &str) -> Result<(), &'static str> {
    let url = Url::parse(text).map_err(|_| "is not an absolute URL")?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        _ => return Err("is neither https nor http on loopback"),
    }
    // A tuple origin has one spelling, which clients compare byte for byte (RFC 8414 §3.3).
    if url.origin().ascii_serialization() == text {
        Ok(())
    } else {
        Err("is not a bare origin in its canonical spelling (lower case, no default port, no path or slash)")
    }
}

fn check_resources(resources: &[Resource], problems: &mut Vec<ConfigProblem>) {
    if resources.is_empty() {
        problems.push(ConfigProblem::NoResource);
    }
    let mut seen = BTreeSet::new();
    for resource in resources {
        let why = resource_problem(&resource.uri)
            .or_else(|| resource.scopes.is_empty().then_some("has no scope"))
            .or_else(|| (!seen.insert(&resource.uri)).then_some("is configured twice"));
        if let Some(why) = why {
            problems.push(ConfigProblem::Resource { found: resource.uri.clone(), why });
        }
        let bad = resource.scopes.iter().filter(|scope| !is_scope_token(&scope.name));
        problems.extend(
            bad.map(|scope| ConfigProblem::Scope {
                resource: resource.uri.clone(),
                found: scope.name.clone(),
            }),
        );
    }
}

fn resource_problem(uri: &str) -> Option<&'static str> {
    let Ok(url) = Url::parse(uri) else { return Some("is not an absolute URL") };
    if url.as_str() != uri && url.as_str().strip_suffix('/') != Some(uri) {
        return Some("is not in its canonical spelling");
    }
    let usable = (url.scheme() == "https" || url.scheme() == "http") && url.query().is_none();
    if !usable || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Some("is not a plain http or https URL");
    }
    (uri.ends_with('/') || uri.ends_with("/mcp"))
        .then_some("ends with / or /mcp, which inbound values may add")
}

/// RFC 6749 §3.3, `scope-token`.
pub(crate) fn is_scope_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{ConfigProblem, OAuthConfig, Resource, ScopeText};

    fn resource(uri: &str) -> Resource {
        let scope = ScopeText { name: "platform".into(), description: None };
        Resource { uri: uri.into(), name: "Platform".into(), scopes: vec![scope] }
    }

    fn config(public_url: &str) -> OAuthConfig {
        OAuthConfig::new(public_url, vec![resource("https://c.example/mcp/platform")])
    }

    #[test]
    fn a_public_url_is_an_origin_in_one_spelling() {
        let cases = [
            ("https://c.example", true),
            ("https://c.example:8443", true),
            ("http://localhost:8080", true),
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:8080", true),
            ("http://c.example", false),
            ("http://localhost.c.example", false),
            ("http://localhost@c.example", false),
            ("https://C.example", false),
            ("https://c.example/", false),
            ("https://c.example:443", false),
            ("https://c.example/connect", false),
            ("https://c.example?x", false),
            ("https://u@c.example", false),
            ("ftp://c.example", false),
            ("c.example", false),
            ("", false),
        ];
        for (url, valid) in cases {
            assert_eq!(config(url).validate().is_ok(), valid, "{url}");
        }
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let mut config = config("nonsense");
        config.resources = vec![resource("https://c.example/a#b"), resource("relative")];
        config.resources.push(Resource { scopes: vec![], ..resource("https://c.example/x") });
        config.code_lifetime = Duration::from_secs(61);
        config.max_unused_clients = 0;
        let problems = config.validate().unwrap_err();
        assert_eq!(problems.0.len(), 6, "{problems}");
        assert!(matches!(problems.0.first(), Some(ConfigProblem::PublicUrl { .. })));
    }

    #[test]
    fn the_origin_names_the_only_resource() {
        let mut config = config("https://c.example");
        for origin in ["https://c.example", "https://c.example/"] {
            let found = config.resource(origin).map(|resource| resource.uri.as_str());
            assert_eq!(found, Some("https://c.example/mcp/platform"), "{origin}");
        }
        config.resources.push(resource("https://c.example/mcp/other"));
        assert!(config.resource("https://c.example").is_none(), "it could be either");
    }

    #[test]
    fn a_resource_is_named_exactly_or_by_its_transport_url() {
        let config = config("https://c.example");
        let cases = [
            ("https://c.example//", false),
            ("https://c.example/mcp/", false),
            ("https://c.example/mcp/platform", true),
            ("https://c.example/mcp/platform/mcp", true),
            ("https://c.example/mcp/platform/mcp/mcp", false),
            ("https://c.example/mcp/platform/", false),
            ("https://c.example/mcp", false),
            ("https://c.example/mcp/platformer", false),
            ("https://C.example/mcp/platform", false),
            ("/mcp/platform", false),
            ("", false),
        ];
        for (uri, known) in cases {
            assert_eq!(config.resource(uri).is_some(), known, "{uri}");
        }
    }
}
