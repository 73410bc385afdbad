//! The configuration of connect-server: what may be set, what it means, and what must hold together.

mod example;
mod values;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::Duration,
};

use connect_hosts::AllowedHosts;
use secrecy::SecretString;
use serde_json::{Map, Value};
use settings::{Document, Problems, Secret, Section, Span};

pub use example::EXAMPLE;
pub use values::{Algorithm, DatabaseUrl, Origin, PublicUrl, ServicePath, Slug, UpstreamUrl};

/// Prefix of the environment variables that replace settings.
pub const PREFIX: &str = "CONNECT";

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
    /// Organisations' identity providers.
    pub identity_providers: Vec<IdentityProvider>,
    /// People to try things out with.
    pub static_users: Vec<StaticUser>,
    /// Issuers whose own tokens the gateway accepts.
    pub trusted_issuers: Vec<TrustedIssuer>,
    /// Services behind the gateway.
    pub services: Vec<Service>,
    /// How the pages present themselves.
    pub brand: Brand,
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
    /// A refresh token that is not used.
    pub refresh_idle: Duration,
    /// Everything that grew from one sign-in.
    pub refresh_absolute: Duration,
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
    /// Keeps the subjects of several issuers apart in CloudTrail.
    pub source_identity_prefix: String,
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
}

impl Config {
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
        document.read(|root| {
            let public_url = root.required("public_url", PublicUrl::EXPECTED);
            let (allowed_hosts, ignored) = AllowedHosts::parse(&allowed_hosts(root));
            let replicas = root.or("replicas", "a whole number of at least 1", NonZeroUsize::MIN);
            let listen = listen(root.section("listen"));
            let database = database(root.section("database"));
            let audit_file = root.section("audit").path("file", "the path of a file to append to");
            let log = log(root.section("log"));
            let tokens = tokens(root.section("tokens"));
            let identity_providers = all(root.sections("identity_provider"), identity_provider);
            let static_users = all(root.sections("static_user"), static_user);
            let trusted_issuers = all(root.sections("trusted_issuer"), trusted_issuer);
            let services = all(root.sections("service"), service);
            let brand = brand(root.section("brand"));
            let config = Self {
                public_url: public_url?,
                allowed_hosts,
                ignored_hosts: ignored.iter().map(ToString::to_string).collect(),
                replicas: replicas?.get(),
                listen: listen?,
                database: database?,
                audit_file,
                log: log?,
                tokens: tokens?,
                identity_providers: identity_providers?,
                static_users: static_users?,
                trusted_issuers: trusted_issuers?,
                services: services?,
                brand: brand?,
            };
            contradictions(root, &config);
            Some(config)
        })
    }
}

/// One text, as the CloudFormation parameter has it, or a list.
fn allowed_hosts(root: &mut Section<'_>) -> String {
    root.text_or_list("allowed_hosts", "redirect origins separated by commas").join(",")
}

/// What is right alone and wrong together.
fn contradictions(root: &Section<'_>, config: &Config) {
    if !config.static_users.is_empty() && !config.public_url.is_loopback() {
        root.contradiction(
            "static_user",
            "people with passwords in the configuration behind a public address",
            "no static_user, or a public_url on localhost: they are for trying things out",
        );
    }
    if config.replicas > 1 && !config.database.url.is_shared() {
        root.contradiction(
            "replicas",
            "several replicas on an SQLite file",
            "1, or a PostgreSQL database.url",
        );
    }
    if config.allowed_hosts.is_empty() {
        return;
    }
    if config.services.is_empty() {
        root.contradiction("service", "no service", "at least one [[service]]");
    }
    if config.identity_providers.is_empty() && config.static_users.is_empty() {
        root.contradiction(
            "identity_provider",
            "nobody who can sign in",
            "at least one [[identity_provider]]",
        );
    }
    for (key, twice) in [
        ("service", duplicate(config.services.iter().map(|service| service.name.as_str()))),
        ("service", duplicate(config.services.iter().map(|service| service.path.as_str()))),
        (
            "identity_provider",
            duplicate(config.identity_providers.iter().map(|provider| provider.id.as_str())),
        ),
        ("static_user", duplicate(config.static_users.iter().map(|user| user.username.as_str()))),
        ("trusted_issuer", duplicate(config.trusted_issuers.iter().map(|issuer| issuer.issuer.as_str()))),
    ] {
        if let Some(twice) = twice {
            root.contradiction(key, &format!("{twice:?} twice"), "a value of its own for each");
        }
    }
}

fn duplicate<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = std::collections::HashSet::new();
    names.into_iter().find(|name| !seen.insert(*name))
}

fn all<'a, T>(sections: Vec<Section<'a>>, read: fn(Section<'a>) -> Option<T>) -> Option<Vec<T>> {
    let read: Vec<Option<T>> = sections.into_iter().map(read).collect();
    read.into_iter().collect()
}

fn listen(mut section: Section<'_>) -> Option<Listen> {
    let address = "an address and port such as 0.0.0.0:8080";
    let public = section.or("public", address, SocketAddr::from(([127, 0, 0, 1], 8080)));
    let private = section.or("private", address, SocketAddr::from(([127, 0, 0, 1], 8081)));
    let threads = section.optional("threads", "a whole number of at least 1");
    Some(Listen { public: public?, private: private?, threads })
}

fn database(mut section: Section<'_>) -> Option<Database> {
    let url: Option<DatabaseUrl> = section.required("url", DatabaseUrl::EXPECTED);
    let url = url.map(|url| url.beside(section.folder()));
    let password = section.secret("password");
    let max_age = section.or("max_age", SPAN, Span(Duration::from_mins(5)));
    Some(Database { url: url?, password, max_age: max_age?.0 })
}

fn log(mut section: Section<'_>) -> Option<Log> {
    let format = section.or("format", "\"text\" or \"json\"", values::LogFormat::Json);
    let filter = section.optional("filter", "a filter such as \"info,gateway=debug\"");
    Some(Log { json: format? == values::LogFormat::Json, filter })
}

const SPAN: &str = "a span of time such as 500ms, 30s, 15m, 12h or 30d";

fn tokens(mut section: Section<'_>) -> Option<Tokens> {
    let algorithm = section.or("algorithm", "\"ES256\" or \"EdDSA\"", Algorithm::Es256);
    let mut span = |key, default| section.or(key, SPAN, Span(default));
    let access = span("access", Duration::from_mins(15));
    let idle = span("refresh_idle", Duration::from_hours(30 * 24));
    let absolute = span("refresh_absolute", Duration::from_hours(90 * 24));
    let (access, idle, absolute) = (access?.0, idle?.0, absolute?.0);
    let bounds = Duration::from_mins(1)..=Duration::from_hours(1);
    if !bounds.contains(&access) {
        section.contradiction("access", &format!("{} seconds", access.as_secs()), "between 1m and 1h");
    }
    if idle < access || absolute < idle {
        section.contradiction(
            "refresh_idle",
            "lifetimes out of order",
            "access <= refresh_idle <= refresh_absolute",
        );
    }
    Some(Tokens { algorithm: algorithm?, access, refresh_idle: idle, refresh_absolute: absolute })
}

const POINTER: &str = "a JSON pointer such as \"/org_id\"";

fn identity_provider(mut section: Section<'_>) -> Option<IdentityProvider> {
    let id: Option<Slug> = section.required("id", Slug::EXPECTED);
    let issuer = section.required("issuer", values::IssuerUrl::EXPECTED);
    let client_id =
        section.required("client_id", "the identifier of the client registered for connect-server");
    let client_secret = section.secret("client_secret");
    let label = section.optional("label", "a name that people see");
    let scopes = section.list("scopes", "a scope");
    let tenant_claim = section.optional::<values::Pointer>("tenant_claim", POINTER);
    let hint_claims = section.list("hint_claims", "the name of a claim");
    let prefix = section.or("source_identity_prefix", values::Prefix::EXPECTED, values::Prefix::default());
    let id = id?;
    Some(IdentityProvider {
        label: label.unwrap_or_else(|| id.to_string()),
        id,
        issuer: issuer.map(|url: values::IssuerUrl| url.0)?,
        client_id: client_id?,
        client_secret,
        scopes,
        tenant_claim: tenant_claim.map(|pointer| pointer.0),
        hint_claims,
        source_identity_prefix: prefix?.0,
    })
}

fn static_user(mut section: Section<'_>) -> Option<StaticUser> {
    let username = section.required("username", "a name to sign in with");
    let hash: Option<String> =
        section.required("password_hash", "an argon2id hash, as `connect-server config password` prints it");
    let tenant = section.optional("tenant", "the tenant's identifier");
    let display_name = section.optional("display_name", "a person's name");
    let hints = section.json("hints");
    Some(StaticUser { username: username?, password_hash: hash?.into(), tenant, display_name, hints })
}

fn trusted_issuer(mut section: Section<'_>) -> Option<TrustedIssuer> {
    let issuer = section.required("issuer", values::IssuerUrl::EXPECTED);

    let algorithms = section.list("algorithms", "an algorithm such as RS256");
    let jwks_uri = section.optional::<values::IssuerUrl>("jwks_uri", "an https URL");
    let tenant_claim = section.optional::<values::Pointer>("tenant_claim", POINTER);
    let required_claims = section.list("required_claims", "the name of a claim");
    let mut token_types = section.list("token_types", "a type such as at+jwt");
    if token_types.is_empty() {
        token_types.push("at+jwt".to_owned());
    }
    let leeway = section.or("leeway", SPAN, Span(Duration::from_mins(1)));
    let prefix = section.or("source_identity_prefix", values::Prefix::EXPECTED, values::Prefix::default());
    if algorithms.is_empty() {
        section.contradiction(
            "algorithms",
            "an empty list",
            "at least one item: an empty list would mean anything",
        );
    }
    Some(TrustedIssuer {
        issuer: issuer.map(|url: values::IssuerUrl| url.0)?,
        algorithms,
        jwks_uri: jwks_uri.map(|url| url.0),
        tenant_claim: tenant_claim.map(|pointer| pointer.0),
        token_types,
        required_claims,
        leeway: leeway?.0,
        source_identity_prefix: prefix?.0,
    })
}

fn service(mut section: Section<'_>) -> Option<Service> {
    let name: Option<Slug> = section.required("name", Slug::EXPECTED);
    let path = section.required("path", ServicePath::EXPECTED);
    let upstream = section.required("upstream", UpstreamUrl::EXPECTED);
    let label = section.optional("label", "a name that people see");
    let audiences = section.list("audiences", "an audience that means this service");
    let scopes = section.list("scopes", "a scope");
    let scope_descriptions = section.texts("scope_descriptions", "a sentence for the consent page");
    let allowed_origins = section.list("allowed_origins", Origin::EXPECTED);
    let mut span = |key, default| section.or(key, SPAN, Span(default));
    let connect = span("connect_timeout", Duration::from_secs(5));
    let response = span("response_timeout", Duration::from_mins(2));
    let idle = span("idle_timeout", Duration::from_mins(5));
    let name = name?;
    Some(Service {
        label: label.unwrap_or_else(|| name.to_string()),
        audiences,
        scopes: if scopes.is_empty() { vec![name.to_string()] } else { scopes },
        scope_descriptions,
        name,
        path: path?,
        upstream: upstream?,
        allowed_origins,
        connect_timeout: connect?.0,
        response_timeout: response?.0,
        idle_timeout: idle?.0,
    })
}

fn brand(mut section: Section<'_>) -> Option<Brand> {
    let name = section.or("name", "a name", "Connect Server".to_owned());
    let support_link = section.optional::<values::IssuerUrl>("support_link", "an https URL");
    Some(Brand { name: name?, support_link: support_link.map(|url| url.0) })
}
