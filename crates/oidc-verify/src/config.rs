//! What one issuer is trusted for.

use std::time::Duration;

use url::{Host, Url};

use crate::algorithm::Algorithm;

/// The claims that every token must have.
const BASE_CLAIMS: [&str; 5] = ["iss", "sub", "aud", "exp", "iat"];

/// The longest tolerated difference between two clocks.
const MAX_LEEWAY: Duration = Duration::from_mins(5);

/// A trusted issuer and what its tokens must look like. Built by [`IssuerConfig::builder`] only, so it is never empty.
#[derive(Debug, Clone)]
pub struct IssuerConfig {
    pub(crate) issuer: String,
    pub(crate) audiences: Vec<String>,
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) token_types: Vec<String>,
    pub(crate) authorized_parties: Vec<String>,
    pub(crate) required_claims: Vec<String>,
    pub(crate) tenant_claim: Option<String>,
    pub(crate) leeway: Duration,
}

impl IssuerConfig {
    /// Starts the description of `issuer`, the exact value of `iss`.
    ///
    /// Nothing is allowed at first but `at+jwt` tokens (RFC 9068); audiences and algorithms must be named.
    pub fn builder(issuer: impl Into<String>) -> IssuerConfigBuilder {
        IssuerConfigBuilder {
            config: Self {
                issuer: issuer.into(),
                audiences: Vec::new(),
                algorithms: Vec::new(),
                token_types: vec!["at+jwt".to_owned()],
                authorized_parties: Vec::new(),
                required_claims: BASE_CLAIMS.map(str::to_owned).to_vec(),
                tenant_claim: None,
                leeway: Duration::ZERO,
            },
        }
    }

    /// The exact value of `iss`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The audiences of which a token must name one.
    #[must_use]
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }
}

/// A configuration that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The issuer is not an absolute HTTPS URL without query, fragment and user (RFC 8414 §2).
    #[error(
        "issuer {issuer:?} must be an https URL (http only on loopback) without query, fragment and user"
    )]
    Issuer {
        /// The issuer as configured.
        issuer: String,
    },
    /// The address of the key set is not an absolute HTTPS URL.
    #[error("key set address {address:?} must be an https URL (http only on loopback)")]
    KeySetAddress {
        /// The address as configured.
        address: String,
    },
    /// No audience, or an empty one.
    #[error("issuer {issuer:?} needs at least one audience, and none may be empty")]
    Audiences {
        /// The issuer as configured.
        issuer: String,
    },
    /// No algorithm.
    #[error("issuer {issuer:?} needs at least one signature algorithm, for example RS256")]
    Algorithms {
        /// The issuer as configured.
        issuer: String,
    },
    /// No token type, or an empty one.
    #[error("issuer {issuer:?} needs at least one token type, for example at+jwt, and none may be empty")]
    TokenTypes {
        /// The issuer as configured.
        issuer: String,
    },
    /// A required claim or an authorized party is an empty string.
    #[error("issuer {issuer:?} has an empty name among its required claims or authorized parties")]
    EmptyName {
        /// The issuer as configured.
        issuer: String,
    },
    /// The tenant claim is not a JSON pointer.
    #[error("tenant claim {pointer:?} must be a JSON pointer such as /tenant or /org/id")]
    TenantClaim {
        /// The pointer as configured.
        pointer: String,
    },
    /// The leeway is too long.
    #[error("leeway of {} s is longer than {} s", leeway.as_secs(), MAX_LEEWAY.as_secs())]
    Leeway {
        /// The leeway as configured.
        leeway: Duration,
    },
    /// A set of issuers is empty.
    #[error("at least one issuer is needed")]
    NoIssuer,
    /// A set of issuers has one twice.
    #[error("issuer {issuer:?} is configured twice")]
    DuplicateIssuer {
        /// The issuer as configured.
        issuer: String,
    },
}

/// Describes a trusted issuer.
#[derive(Debug, Clone)]
#[must_use]
pub struct IssuerConfigBuilder {
    config: IssuerConfig,
}

impl IssuerConfigBuilder {
    /// Accepts tokens for `audience`, compared exactly. May be called several times.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.config.audiences.push(audience.into());
        self
    }

    /// Accepts tokens for each of `audiences`, compared exactly.
    pub fn audiences(mut self, audiences: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.config.audiences.extend(audiences.into_iter().map(Into::into));
        self
    }

    /// Accepts signatures by each of `algorithms`.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.config.algorithms.extend(algorithms);
        self
    }

    /// Replaces the accepted token types, at first only `at+jwt`.
    ///
    /// They are compared without regard to case and to a leading `application/`. A token without `typ` counts as `JWT`.
    /// An issuer that signs ID tokens of type `JWT` for the same audience makes them acceptable when `JWT` is listed.
    pub fn token_types(mut self, types: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.config.token_types = types.into_iter().map(Into::into).collect();
        self
    }

    /// Requires `azp` to be one of `parties`. Without a call, `azp` is not looked at.
    pub fn authorized_parties(mut self, parties: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.config.authorized_parties.extend(parties.into_iter().map(Into::into));
        self
    }

    /// Requires `claims` besides `iss`, `sub`, `aud`, `exp` and `iat`, which are always required.
    pub fn required_claims(mut self, claims: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.config.required_claims.extend(claims.into_iter().map(Into::into));
        self
    }

    /// Takes the tenant from the claim at this JSON pointer (RFC 6901), for example `/tenant`.
    ///
    /// A token without it has no tenant; one where it is no string, or an empty one, is rejected.
    pub fn tenant_claim(mut self, pointer: impl Into<String>) -> Self {
        self.config.tenant_claim = Some(pointer.into());
        self
    }

    /// Tolerates this difference between the issuer's clock and ours, at first none, at most five minutes.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.config.leeway = leeway;
        self
    }

    /// The description, if it is one of an issuer that can be trusted for something.
    ///
    /// # Errors
    /// [`ConfigError`] names the first member that cannot be meant.
    pub fn build(self) -> Result<IssuerConfig, ConfigError> {
        let config = self.config;
        let issuer = || config.issuer.clone();
        check_issuer(&config.issuer)?;
        if is_empty_or_has_empty(&config.audiences) {
            return Err(ConfigError::Audiences { issuer: issuer() });
        }
        if config.algorithms.is_empty() {
            return Err(ConfigError::Algorithms { issuer: issuer() });
        }
        if is_empty_or_has_empty(&config.token_types) {
            return Err(ConfigError::TokenTypes { issuer: issuer() });
        }
        if config.required_claims.iter().chain(&config.authorized_parties).any(String::is_empty) {
            return Err(ConfigError::EmptyName { issuer: issuer() });
        }
        if let Some(pointer) = config.tenant_claim.as_ref().filter(|pointer| !is_json_pointer(pointer)) {
            return Err(ConfigError::TenantClaim { pointer: pointer.clone() });
        }
        if config.leeway > MAX_LEEWAY {
            return Err(ConfigError::Leeway { leeway: config.leeway });
        }
        Ok(config)
    }
}

/// RFC 8414 §2: an https URL without query and fragment. It is kept as written, because it is compared as written.
pub(crate) fn check_issuer(issuer: &str) -> Result<Url, ConfigError> {
    secure_url(issuer)
        .filter(|url| url.query().is_none() && url.fragment().is_none())
        .ok_or_else(|| ConfigError::Issuer { issuer: issuer.to_owned() })
}

/// An https URL without user and password, or an http one of this very machine.
pub(crate) fn secure_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let secure = match url.scheme() {
        "https" => url.host().is_some(),
        "http" => is_loopback(&url),
        _ => false,
    };
    (secure && url.username().is_empty() && url.password().is_none()).then_some(url)
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn is_empty_or_has_empty(list: &[String]) -> bool {
    list.is_empty() || list.iter().any(String::is_empty)
}

/// RFC 6901 §3: starts with `/`, and every `~` is followed by `0` or `1`.
fn is_json_pointer(pointer: &str) -> bool {
    pointer.starts_with('/') && pointer.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']))
}
