//! What the gateway serves, checked once.

use std::{collections::BTreeSet, time::Duration};

use http::{HeaderValue, Uri, uri::Authority};
use oidc_verify::DpopUrl;
use url::Url;

/// What a gateway serves.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// The origin under which clients reach the gateway, e.g. `https://connect.example.com`: no path, no final slash.
    pub public_url: String,
    /// The issuer of our authorization server, named in every discovery document.
    pub authorization_server: String,
    /// Further origins whose pages may call the services, e.g. `https://catalog.example.com`. The public origin always
    /// may.
    pub allowed_origins: Vec<String>,
    /// The services, at least one.
    pub services: Vec<ServiceConfig>,
}

/// A service behind the gateway.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// The name that rules and audit events use.
    pub name: String,
    /// The path under the public origin, e.g. `/mcp/platform`. The service is reached there and at this path + `/mcp`.
    pub path: String,
    /// Audiences that mean this service too, in tokens of other issuers, e.g. `api://quilt-mcp`. A token of our own names
    /// the resource itself.
    pub audiences: Vec<String>,
    /// The scopes that a token of our own needs.
    pub scopes: Vec<String>,
    /// Whether a token must be bound to a key by DPoP (RFC 9449); one that is bound always needs its proof.
    pub dpop_required: bool,
    /// Where the service listens, e.g. `http://127.0.0.1:8001/mcp`.
    pub upstream: String,
    /// What its bodies are.
    pub protocol: Protocol,
    /// How long to wait for it.
    pub timeouts: Timeouts,
    /// The longest request body, in bytes.
    pub max_body: u64,
}

/// What a service's request bodies are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// MCP: one JSON-RPC message, read for its method and name. Batches and ambiguous messages are refused.
    Mcp,
    /// Anything: bodies pass unread.
    Opaque,
}

/// How long the gateway waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection to the service.
    pub connect: Duration,
    /// For the head of the response, counted from the last byte of the request.
    pub response: Duration,
    /// For the next piece of a body, in either direction.
    pub idle: Duration,
}

impl Default for Timeouts {
    /// 2 s, 120 s and 300 s.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            response: Duration::from_mins(2),
            idle: Duration::from_mins(5),
        }
    }
}

impl ServiceConfig {
    /// A service with the usual limits: MCP, 16 MiB a body, default [`Timeouts`], no scope.
    #[must_use]
    pub fn new(name: impl Into<String>, path: impl Into<String>, upstream: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            path: path.into(),
            audiences: Vec::new(),
            scopes: Vec::new(),
            dpop_required: false,
            upstream: upstream.into(),
            protocol: Protocol::Mcp,
            timeouts: Timeouts::default(),
            max_body: 16 * 1024 * 1024,
        }
    }

    /// The canonical identifier of the resource: what a token's audience must be.
    #[must_use]
    pub fn resource(&self, public_url: &str) -> String {
        format!("{public_url}{}", self.path)
    }
}

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No service.
    #[error("no service is configured: name at least one")]
    NoService,
    /// A URL that is no origin.
    #[error(
        "`{field}` must be an origin like `https://connect.example.com`, without path or final slash, found `{found}`"
    )]
    Origin {
        /// The setting.
        field: &'static str,
        /// Its value.
        found: String,
    },
    /// The authorization server is no http(s) URL.
    #[error("`authorization_server` must be an http or https URL, found `{0}`")]
    AuthorizationServer(String),
    /// A service name.
    #[error("a service name is 1 to 63 of `a-z`, `0-9` and `-`, found `{0}`")]
    Name(String),
    /// A service path.
    #[error(
        "the path of service `{service}` must be like `/mcp/platform`: segments of `a-z`, `0-9`, `-`, `_`, `.`, the last one not `mcp`, found `{found}`"
    )]
    Path {
        /// The service.
        service: String,
        /// Its path.
        found: String,
    },
    /// Two services with one name or path.
    #[error("service `{0}` has the name or a path of another one")]
    Repeated(String),
    /// A scope.
    #[error("the scopes of service `{0}` must be of printable ASCII without space, quote and backslash")]
    Scope(String),
    /// The upstream of a service.
    #[error(
        "the upstream of service `{service}` must be like `http://127.0.0.1:8001/mcp`, without user, query and fragment, found `{found}`"
    )]
    Upstream {
        /// The service.
        service: String,
        /// Its upstream, without a password if it had one.
        found: String,
    },
    /// A limit of a service.
    #[error("timeouts and `max_body` of service `{0}` must be above zero")]
    Limit(String),
}

/// Where a service listens, taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) address: String,
    pub(crate) host: HeaderValue,
    pub(crate) uri: Uri,
}

impl GatewayConfig {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        check_origin("public_url", &self.public_url)?;
        for origin in &self.allowed_origins {
            check_origin("allowed_origins", origin)?;
        }
        match Url::parse(&self.authorization_server) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => {}
            _ => return Err(ConfigError::AuthorizationServer(self.authorization_server.clone())),
        }
        if self.services.is_empty() {
            return Err(ConfigError::NoService);
        }
        let mut taken = BTreeSet::new();
        for service in &self.services {
            service.check()?;
            if !taken.insert(service.name.clone()) || !taken.insert(service.path.clone()) {
                return Err(ConfigError::Repeated(service.name.clone()));
            }
        }
        Ok(())
    }
}

impl ServiceConfig {
    fn check(&self) -> Result<(), ConfigError> {
        let name_fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !(1..=63).contains(&self.name.len()) || !self.name.bytes().all(name_fits) {
            return Err(ConfigError::Name(self.name.clone()));
        }
        if !is_path(&self.path) {
            return Err(ConfigError::Path { service: self.name.clone(), found: self.path.clone() });
        }
        // RFC 6749 §3.3.
        let scope_fits = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        if self.scopes.iter().any(|scope| scope.is_empty() || !scope.bytes().all(scope_fits)) {
            return Err(ConfigError::Scope(self.name.clone()));
        }
        let Timeouts { connect, response, idle } = self.timeouts;
        if [connect, response, idle].contains(&Duration::ZERO) || self.max_body == 0 {
            return Err(ConfigError::Limit(self.name.clone()));
        }
        self.target().map(drop)
    }

    /// Where a client went that called the form of this service's URL that ends in `form`.
    pub(crate) fn called_url(&self, public_url: &str, form: &str) -> Result<DpopUrl, ConfigError> {
        DpopUrl::parse(&format!("{}{form}", self.resource(public_url)))
            .map_err(|_| ConfigError::Origin { field: "public_url", found: public_url.to_owned() })
    }

    pub(crate) fn target(&self) -> Result<Target, ConfigError> {
        let refuse = || {
            let mut shown = self.upstream.clone();
            if let Some((_, after)) = shown.rsplit_once('@') {
                shown = format!("…@{after}");
            }
            ConfigError::Upstream { service: self.name.clone(), found: shown }
        };
        let uri: Uri = self.upstream.parse().map_err(|_| refuse())?;
        let authority = uri.authority().ok_or_else(refuse)?;
        let plain = uri.scheme_str() == Some("http")
            && uri.query().is_none()
            && !authority.as_str().contains('@')
            && !authority.host().is_empty()
            && !self.upstream.contains('#');
        if !plain {
            return Err(refuse());
        }
        Ok(Target {
            address: address_of(authority),
            host: HeaderValue::from_str(authority.as_str()).map_err(|_| refuse())?,
            uri: uri.path().parse().map_err(|_| refuse())?,
        })
    }
}

fn address_of(authority: &Authority) -> String {
    format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80))
}

fn check_origin(field: &'static str, text: &str) -> Result<(), ConfigError> {
    let is_origin =
        |url: &Url| matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text;
    match Url::parse(text) {
        Ok(url) if is_origin(&url) => Ok(()),
        _ => Err(ConfigError::Origin { field, found: text.to_owned() }),
    }
}

fn is_path(path: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    let Some(segments) = path.strip_prefix('/') else { return false };
    segments.split('/').all(|segment| {
        !segment.is_empty() && segment.bytes().any(|byte| byte != b'.') && segment.bytes().all(fits)
    }) && !path.ends_with("/mcp")
        && path != "/mcp"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> GatewayConfig {
        GatewayConfig {
            public_url: "https://connect.example.com".into(),
            authorization_server: "https://connect.example.com".into(),
            allowed_origins: vec!["https://catalog.example.com".into()],
            services: vec![ServiceConfig::new("platform", "/mcp/platform", "http://127.0.0.1:8001/mcp")],
        }
    }

    #[test]
    fn a_good_configuration_passes() {
        config().check().unwrap();
        let target = config().services[0].target().unwrap();
        assert_eq!(target.address, "127.0.0.1:8001");
        assert_eq!(target.host, "127.0.0.1:8001");
        assert_eq!(target.uri, "/mcp");
        assert_eq!(config().services[0].resource("https://h"), "https://h/mcp/platform");
    }

    #[test]
    fn every_mistake_is_refused() {
        type Change = fn(&mut GatewayConfig);
        let cases: &[(&str, Change)] = &[
            ("final slash", |c| c.public_url.push('/')),
            ("path", |c| c.public_url.push_str("/x")),
            ("scheme", |c| c.public_url = "ftp://connect.example.com".into()),
            ("upper case", |c| c.public_url = "https://Connect.example.com".into()),
            ("default port", |c| c.public_url = "https://connect.example.com:443".into()),
            ("any origin", |c| c.allowed_origins = vec!["*".into()]),
            ("null origin", |c| c.allowed_origins = vec!["null".into()]),
            ("issuer", |c| c.authorization_server = "connect".into()),
            ("no service", |c| c.services.clear()),
            ("twice", |c| c.services.push(c.services[0].clone())),
            ("name", |c| c.services[0].name = "Platform".into()),
            ("relative path", |c| c.services[0].path = "mcp/platform".into()),
            ("dots", |c| c.services[0].path = "/mcp/..".into()),
            ("empty segment", |c| c.services[0].path = "/mcp//x".into()),
            ("form of another", |c| c.services[0].path = "/x/mcp".into()),
            ("root", |c| c.services[0].path = "/".into()),
            ("scope", |c| c.services[0].scopes = vec!["a\"b".into()]),
            ("https upstream", |c| c.services[0].upstream = "https://a/mcp".into()),
            ("user", |c| c.services[0].upstream = "http://u:p@a/mcp".into()),
            ("query", |c| c.services[0].upstream = "http://a/mcp?x".into()),
            ("no host", |c| c.services[0].upstream = "/mcp".into()),
            ("timeout", |c| c.services[0].timeouts.idle = Duration::ZERO),
            ("body", |c| c.services[0].max_body = 0),
        ];
        for (what, change) in cases {
            let mut config = config();
            change(&mut config);
            assert!(config.check().is_err(), "{what}");
        }
    }

    #[test]
    fn a_password_is_not_repeated() {
        let service = ServiceConfig::new("a", "/a", "http://user:secret@host/mcp");
        assert!(!service.target().unwrap_err().to_string().contains("secret"));
    }
}
