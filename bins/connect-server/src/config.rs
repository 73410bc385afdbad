//! The configuration of connect-server: what may be set, what it means, and what must hold together.

mod assertions;
mod example;
mod network;
mod operator_clients;
mod read;
mod values;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Duration,
};

use connect_hosts::AllowedHosts;
use oauth_server::{DocumentTrust, RegistrationMode, RegistrationRate, ReplayWindow};
use secrecy::SecretString;
use serde_json::{Map, Value};
use settings::{Document, KeyReference, Problems, Secret};

pub use assertions::{WorkloadIssuer, WorkloadRule};
pub use example::EXAMPLE;
pub use network::Network;
pub use operator_clients::{Client, ClientDescription, ClientMethod, GrantTypeName};
pub use values::{
    Algorithm, DatabaseUrl, DeviceClients, Origin, PublicUrl, RsaBits, ServicePath, Slug, UpstreamUrl,
};

/// Prefix of the environment variables that replace settings.
pub const PREFIX: &str = "CONNECT";

/// What stands before the identifier of a client that acts for itself in a source identity.
pub const CLIENTS_PREFIX: &str = "client";

/// Everything that can be set.
#[derive(Debug)]
pub struct Config {
    /// The origin that clients see; also the issuer of our tokens.
    pub public_url: PublicUrl,
    /// Redirects that may receive a code. Empty: Connect is disabled.
    pub allowed_hosts: AllowedHosts,
    /// Entries of `allowed_hosts` that were not understood, for the log.
    pub ignored_hosts: Vec<String>,
    /// How many processes share the database.
    pub replicas: usize,
    /// Where to listen.
    pub listen: Listen,
    /// The database.
    pub database: Database,
    /// Audit file; standard output when absent.
    pub audit_file: Option<PathBuf>,
    /// Logging.
    pub log: Log,
    /// Lifetimes and algorithm of tokens.
    pub tokens: Tokens,
    /// How signing keys are kept and replaced.
    pub keys: Keys,
    /// Sign-in on another device.
    pub device: Device,
    /// How long people stay signed in to the pages about their account.
    pub sessions: Sessions,
    /// Where people take tokens.
    pub portal: Portal,
    /// Organisations' identity providers.
    pub identity_providers: Vec<IdentityProvider>,
    /// People to try things out with.
    pub static_users: Vec<StaticUser>,
    /// Issuers whose own tokens the gateway accepts.
    pub trusted_issuers: Vec<TrustedIssuer>,
    /// Which clients register by themselves.
    pub registration: Registration,
    /// Clients that the operator registers.
    pub operator_clients: Vec<Client>,
    /// Issuers of workload identities.
    pub workload_issuers: Vec<WorkloadIssuer>,
    /// Services behind the gateway.
    pub services: Vec<Service>,
    /// Which clients may connect.
    pub clients: Clients,
    /// How the pages present themselves.
    pub brand: Brand,
}

/// Which clients may connect.
#[derive(Debug)]
pub struct Clients {
    /// Those that publish a document about themselves.
    pub documents: DocumentTrust,
}

/// Which clients register by themselves.
#[derive(Debug)]
pub struct Registration {
    /// Who may.
    pub mode: RegistrationMode,
    /// How often one address may.
    pub rate: RegistrationRate,
}

/// Addresses to listen on.
#[derive(Debug)]
pub struct Listen {
    /// For clients, behind the load balancer.
    pub public: SocketAddr,
    /// For health checks, metrics and operators. Never public.
    pub private: SocketAddr,
    /// Threads that serve clients; one per core when absent.
    pub threads: Option<NonZeroUsize>,
    /// Proxies whose `X-Forwarded-For` is believed; none when empty.
    pub trusted_proxies: Vec<Network>,
}

/// The database and how long to go on without it.
#[derive(Debug)]
pub struct Database {
    /// SQLite file or PostgreSQL server, without a password.
    pub url: DatabaseUrl,
    /// Password for PostgreSQL.
    pub password: Option<Secret>,
    /// How long decisions go on from memory while the database does not answer.
    pub max_age: Duration,
}

/// Logging to standard error.
#[derive(Debug)]
pub struct Log {
    /// JSON lines instead of text.
    pub json: bool,
    /// What to log, as a `tracing` filter.
    pub filter: Option<String>,
}

/// Lifetimes and algorithm of tokens.
#[derive(Debug)]
pub struct Tokens {
    /// Signature of new keys.
    pub algorithm: Algorithm,
    /// Access tokens.
    pub access: Duration,
    /// A refresh token that was used and is sent again.
    pub refresh_replay: ReplayWindow,
    /// A refresh token that is not used.
    pub refresh_idle: Duration,
    /// Everything that grew from one sign-in.
    pub refresh_absolute: Duration,
    /// Whether a DPoP proof must carry a nonce of ours, here and at the services.
    pub dpop_nonce_required: bool,
}

/// Sign-in on another device, by a code.
#[derive(Debug)]
pub struct Device {
    /// Which clients may ask for it.
    pub clients: DeviceClients,
    /// How long a person may take.
    pub lifetime: Duration,
}

/// How signing keys are kept and replaced.
#[derive(Debug)]
pub struct Keys {
    /// What seals them in the database; they are kept as they are when absent.
    pub seal: Option<KeyReference>,
    /// What sealed them before.
    pub previous: Vec<KeyReference>,
    /// The age at which the signing key is replaced; by hand only when absent.
    pub rotate_every: Option<Duration>,
    /// The size of new RSA keys.
    pub rsa_bits: RsaBits,
}

/// How long people stay signed in to the pages about their account.
#[derive(Debug)]
pub struct Sessions {
    /// Without coming back.
    pub idle: Duration,
    /// At most.
    pub absolute: Duration,
}

/// Where people take tokens for programs that cannot sign them in.
#[derive(Debug)]
pub struct Portal {
    /// How long such a token lives; there is no portal when absent.
    pub lifetime: Option<Duration>,
}

/// An OpenID Connect provider that people sign in at.
#[derive(Debug)]
pub struct IdentityProvider {
    /// Last part of the callback's path.
    pub id: Slug,
    /// What people see.
    pub label: String,
    /// Issuer identifier, compared byte for byte.
    pub issuer: String,
    /// Our client there.
    pub client_id: String,
    /// Its secret, unless it is a public client.
    pub client_secret: Option<Secret>,
    /// Scopes beside `openid`.
    pub scopes: Vec<String>,
    /// JSON pointer to the claim that names the tenant.
    pub tenant_claim: Option<String>,
    /// Claims kept for rules and tags.
    pub hint_claims: Vec<String>,
    /// Domains of e-mail addresses that belong here.
    pub domains: Vec<String>,
    /// Whether the provider is asked again at every refresh.
    pub recheck: bool,
    /// Keeps the subjects of several issuers apart in CloudTrail.
    pub source_identity_prefix: String,
    /// Whether its identity assertions let clients in for people (enterprise-managed authorization).
    pub id_jag: bool,
}

/// A person with a password in the configuration; refused unless `public_url` is loopback.
#[derive(Debug)]
pub struct StaticUser {
    /// Name to sign in with, and subject.
    pub username: String,
    /// argon2id hash in PHC form.
    pub password_hash: SecretString,
    /// Tenant.
    pub tenant: Option<String>,
    /// What pages call this person.
    pub display_name: Option<String>,
    /// Claims for rules and tags.
    pub hints: Map<String, Value>,
}

/// An issuer whose own tokens the gateway accepts.
#[derive(Debug)]
pub struct TrustedIssuer {
    /// Issuer identifier, compared byte for byte.
    pub issuer: String,

    /// Accepted signature algorithms.
    pub algorithms: Vec<String>,
    /// Where its keys are; found by discovery when absent.
    pub jwks_uri: Option<String>,
    /// JSON pointer to the claim that names the tenant.
    pub tenant_claim: Option<String>,
    /// Accepted values of a token's `typ`.
    pub token_types: Vec<String>,
    /// Claims a token must have beside iss, sub, aud, exp and iat.
    pub required_claims: Vec<String>,
    /// Tolerated difference between clocks.
    pub leeway: Duration,
    /// Keeps the subjects of several issuers apart in CloudTrail.
    pub source_identity_prefix: String,
}

/// A service behind the gateway.
#[derive(Debug)]
pub struct Service {
    /// Name in rules, metrics and audit.
    pub name: Slug,
    /// What the consent page calls it.
    pub label: String,
    /// Path at the public origin; `public_url` + path is the resource.
    pub path: ServicePath,
    /// Address of the service, with the path that its MCP endpoint has.
    pub upstream: UpstreamUrl,
    /// Audiences that mean it too, in tokens of trusted issuers.
    pub audiences: Vec<String>,
    /// Scopes that tokens for it may carry.
    pub scopes: Vec<String>,
    /// What a scope allows, in words for the consent page.
    pub scope_descriptions: BTreeMap<String, String>,
    /// Web origins whose scripts may call it.
    pub allowed_origins: Vec<Origin>,
    /// Whether its tokens must be bound to a key by DPoP.
    pub dpop_required: bool,
    /// Until the connection stands.
    pub connect_timeout: Duration,
    /// Until the answer's head arrives.
    pub response_timeout: Duration,
    /// Between two pieces of an answer.
    pub idle_timeout: Duration,
}

/// How the pages present themselves.
#[derive(Debug)]
pub struct Brand {
    /// Name of the organisation or the product.
    pub name: String,
    /// Where people find help.
    pub support_link: Option<String>,
    /// A PNG, JPEG or WebP file.
    pub logo: Option<PathBuf>,
    /// A colour such as `#1f5fbf`.
    pub accent: Option<String>,
}

impl Config {
    /// The resource that a service is, and the audience of tokens for it.
    #[must_use]
    pub fn resource(&self, service: &Service) -> String {
        format!("{}{}", self.public_url.as_str(), service.path.as_str())
    }

    /// Reads and checks a file, without any variables of the environment.
    ///
    /// # Errors
    /// Every problem found.
    pub fn from_file(file: &Path) -> Result<Self, Problems> {
        Self::read(&Document::load(Some(file), PREFIX, std::iter::empty::<(String, String)>())?)
    }

    /// Reads and checks a document.
    ///
    /// # Errors
    /// Every problem found.
    pub fn read(document: &Document) -> Result<Self, Problems> {
        document.read(read::config)
    }
}
