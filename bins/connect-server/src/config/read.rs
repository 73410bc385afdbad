//! From a document to the configuration.

mod clients;
mod registration;

use std::{
    collections::{BTreeMap, HashSet},
    net::SocketAddr,
    num::NonZeroUsize,
    time::Duration,
};

use connect_hosts::AllowedHosts;
use oauth_server::ReplayWindow;
use settings::{KeyReference, Section, Span};

use super::{
    Algorithm, Brand, CLIENTS_PREFIX, Config, Database, DatabaseUrl, Device, DeviceClients, IdentityProvider,
    Keys, Listen, Log, Network, Origin, Portal, PublicUrl, RsaBits, Service, ServicePath, Sessions, Slug,
    StaticUser, Tokens, TrustedIssuer, UpstreamUrl, WorkloadIssuer,
    assertions::{rules_name_services, workload_issuer},
    operator_clients::client,
    values,
};

/// Everything, or `None` where something that is needed is missing or wrong.
pub(super) fn config(root: &mut Section<'_>) -> Option<Config> {
    let public_url = root.required("public_url", PublicUrl::EXPECTED);
    let (allowed_hosts, ignored) = AllowedHosts::parse(&allowed_hosts(root));
    let replicas = root.or("replicas", "a whole number of at least 1", NonZeroUsize::MIN);
    let listen = listen(root.section("listen"));
    let database = database(root.section("database"));
    let audit_file = root.section("audit").path("file", "the path of a file to append to");
    let log = log(root.section("log"));
    let tokens = tokens(root.section("tokens"));
    let device = device(root.section("device"));
    let keys = keys(root.section("keys"));
    let sessions = sessions(root.section("sessions"));
    let portal = portal(root.section("portal"));
    let identity_providers = all(root.sections("identity_provider"), identity_provider);
    let static_users = all(root.sections("static_user"), static_user);
    let trusted_issuers = all(root.sections("trusted_issuer"), trusted_issuer);
    let registration = registration::registration(root.section("registration"));
    let operator_clients = all(root.sections("client"), client);
    let workload_issuers = all(root.sections("workload_issuer"), workload_issuer);
    let services = all(root.sections("service"), service);
    let clients = clients::clients(root.section("clients"));
    let brand = brand(root.section("brand"));

    // What is right alone may be wrong together.
    let (services_read, providers_read) = (services.as_deref(), identity_providers.as_deref());
    let (users_read, issuers_read) = (static_users.as_deref(), trusted_issuers.as_deref());
    let workloads_read = workload_issuers.as_deref();
    static_users_are_local(root, public_url.as_ref(), users_read);
    replicas_share_a_server(root, replicas, database.as_ref());
    if !allowed_hosts.is_empty() {
        somebody_reaches_something(root, services_read, providers_read, users_read);
    }
    prefixes_differ(root, providers_read, issuers_read, workloads_read);
    names_differ(root, "service", services_read, |service| service.name.as_str());
    names_differ(root, "service", services_read, |service| service.path.as_str());
    names_differ(root, "identity_provider", providers_read, |provider| provider.id.as_str());
    domains_differ(root, providers_read);
    names_differ(root, "static_user", users_read, |user| &user.username);
    names_differ(root, "client", operator_clients.as_deref(), |client| &client.description.id);
    names_differ(root, "trusted_issuer", issuers_read, |issuer| &issuer.issuer);
    names_differ(root, "workload_issuer", workloads_read, |workload| &workload.issuer);
    rules_name_services(root, workloads_read, services_read);

    Some(Config {
        public_url: public_url?,
        allowed_hosts,
        ignored_hosts: ignored.iter().map(ToString::to_string).collect(),
        replicas: replicas?.get(),
        listen: listen?,
        database: database?,
        audit_file,
        log: log?,
        tokens: tokens?,
        keys: keys?,
        device: device?,
        sessions: sessions?,
        portal: portal?,
        identity_providers: identity_providers?,
        static_users: static_users?,
        trusted_issuers: trusted_issuers?,
        registration: registration?,
        operator_clients: operator_clients?,
        workload_issuers: workload_issuers?,
        services: services?,
        clients: clients?,
        brand: brand?,
    })
}

/// One text, as the CloudFormation parameter has it, or a list.
fn allowed_hosts(root: &mut Section<'_>) -> String {
    root.text_or_list("allowed_hosts", "redirect origins separated by commas").join(",")
}

/// People with passwords in the configuration are for trying things out.
fn static_users_are_local(root: &Section<'_>, public_url: Option<&PublicUrl>, users: Option<&[StaticUser]>) {
    if users.is_some_and(|users| !users.is_empty()) && public_url.is_some_and(|url| !url.is_loopback()) {
        root.contradiction(
            "static_user",
            "people with passwords in the configuration behind a public address",
            "no static_user, or a public_url on localhost: they are for trying things out",
        );
    }
}

fn replicas_share_a_server(root: &Section<'_>, replicas: Option<NonZeroUsize>, database: Option<&Database>) {
    let several = replicas.is_some_and(|replicas| replicas.get() > 1);
    if several && database.is_some_and(|database| !database.url.is_shared()) {
        root.contradiction(
            "replicas",
            "several replicas on an SQLite file",
            "1, or a PostgreSQL database.url",
        );
    }
}

/// Without anybody to sign in, or anything to reach, only a disabled Connect makes sense.
fn somebody_reaches_something(
    root: &Section<'_>,
    services: Option<&[Service]>,
    providers: Option<&[IdentityProvider]>,
    users: Option<&[StaticUser]>,
) {
    if services.is_some_and(<[_]>::is_empty) {
        root.contradiction("service", "no service", "at least one [[service]]");
    }
    if providers.is_some_and(<[_]>::is_empty) && users.is_some_and(<[_]>::is_empty) {
        root.contradiction(
            "identity_provider",
            "nobody who can sign in",
            "at least one [[identity_provider]]",
        );
    }
}

/// An address must lead to one provider.
fn domains_differ(root: &Section<'_>, providers: Option<&[IdentityProvider]>) {
    let mut seen = HashSet::new();
    for domain in providers.unwrap_or_default().iter().flat_map(|provider| &provider.domains) {
        if !seen.insert(domain) {
            root.contradiction(
                "identity_provider",
                &format!("the domain {domain} twice"),
                "each domain at one identity_provider",
            );
        }
    }
}

/// Two issuers with one prefix could have two people with one source identity, and one with two prefixes has two of each.
fn prefixes_differ(
    root: &Section<'_>,
    providers: Option<&[IdentityProvider]>,
    issuers: Option<&[TrustedIssuer]>,
    workloads: Option<&[WorkloadIssuer]>,
) {
    let of_providers = providers.unwrap_or_default().iter();
    let of_issuers = issuers.unwrap_or_default().iter();
    let of_workloads = workloads.unwrap_or_default().iter();
    let named = of_providers
        .map(|provider| (provider.issuer.as_str(), provider.source_identity_prefix.as_str()))
        .chain(of_issuers.map(|issuer| (issuer.issuer.as_str(), issuer.source_identity_prefix.as_str())))
        .chain(of_workloads.map(|issuer| (issuer.issuer.as_str(), issuer.source_identity_prefix.as_str())));
    let key = if workloads.is_some_and(|workloads| !workloads.is_empty()) {
        "workload_issuer"
    } else if issuers.is_some_and(<[_]>::is_empty) {
        "identity_provider"
    } else {
        "trusted_issuer"
    };
    // One organisation may be several of these; it is the same issuer then, and needs one prefix.
    let mut by_issuer = BTreeMap::new();
    for (issuer, prefix) in named {
        if by_issuer.insert(issuer, prefix).is_some_and(|other| other != prefix) {
            root.contradiction(
                key,
                &format!("two values of source_identity_prefix for {issuer:?}"),
                "the same one wherever this issuer is configured",
            );
        }
    }
    let reserved = [CLIENTS_PREFIX];
    if let Some(twice) = duplicate(by_issuer.into_values().chain(reserved)) {
        root.contradiction(
            key,
            &format!("source_identity_prefix {twice:?} for two issuers"),
            "a prefix of its own for each, other than that of clients (\"client\"), so that CloudTrail tells their people apart",
        );
    }
}

fn names_differ<T>(root: &Section<'_>, key: &str, items: Option<&[T]>, name: fn(&T) -> &str) {
    if let Some(twice) = duplicate(items.unwrap_or_default().iter().map(name)) {
        root.contradiction(key, &format!("{twice:?} twice"), "a value of its own for each");
    }
}

fn duplicate<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = HashSet::new();
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
    let trusted_proxies = section.list("trusted_proxies", Network::EXPECTED);
    Some(Listen { public: public?, private: private?, threads, trusted_proxies })
}

/// Below this, a single slow read would stop every call.
const SHORTEST_MAX_AGE: Duration = Duration::from_secs(5);

fn database(mut section: Section<'_>) -> Option<Database> {
    let url: Option<DatabaseUrl> = section.required("url", DatabaseUrl::EXPECTED);
    let url = url.map(|url| url.beside(section.folder()));
    let password = section.secret("password");
    let max_age = section.or("max_age", SPAN, Span(Duration::from_mins(5)))?.0;
    if max_age < SHORTEST_MAX_AGE {
        section.contradiction(
            "max_age",
            &format!("{} ms", max_age.as_millis()),
            "at least 5s: the database is read every two seconds",
        );
    }
    Some(Database { url: url?, password, max_age })
}

fn log(mut section: Section<'_>) -> Option<Log> {
    let format = section.or("format", "\"text\" or \"json\"", values::LogFormat::Json);
    let filter = section.optional("filter", "a filter such as \"info,gateway=debug\"");
    Some(Log { json: format? == values::LogFormat::Json, filter })
}

pub(super) const SPAN: &str = "a span of time such as 500ms, 30s, 15m, 12h or 30d";

fn tokens(mut section: Section<'_>) -> Option<Tokens> {
    let algorithm = section.or("algorithm", "\"ES256\", \"EdDSA\" or \"RS256\"", Algorithm::Es256);
    let dpop_nonce = section.or("dpop_nonce", "\"off\" or \"required\"", values::DpopNonce::Off);
    let mut span = |key, default| section.or(key, SPAN, Span(default));
    let access = span("access", Duration::from_mins(15));
    let idle = span("refresh_idle", Duration::from_hours(30 * 24));
    let absolute = span("refresh_absolute", Duration::from_hours(90 * 24));
    let replay = span("refresh_replay", ReplayWindow::default().length());
    let (access, idle, absolute, replay) = (access?.0, idle?.0, absolute?.0, replay?.0);
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
    let refresh_replay = ReplayWindow::new(replay);
    if refresh_replay.is_err() {
        let found = format!("{} seconds", replay.as_secs());
        section.contradiction("refresh_replay", &found, "between 0s, which means never, and 300s");
    }
    Some(Tokens {
        algorithm: algorithm?,
        access,
        refresh_replay: refresh_replay.ok()?,
        refresh_idle: idle,
        refresh_absolute: absolute,
        dpop_nonce_required: dpop_nonce? == values::DpopNonce::Required,
    })
}

fn device(mut section: Section<'_>) -> Option<Device> {
    let clients = section.or("clients", "\"off\", \"operator\" or \"any\"", DeviceClients::Operator);
    let lifetime = section.or("lifetime", SPAN, Span(Duration::from_mins(10)))?.0;
    let bounds = Duration::from_mins(1)..=Duration::from_hours(1);
    if !bounds.contains(&lifetime) {
        section.contradiction("lifetime", &format!("{} seconds", lifetime.as_secs()), "between 1m and 1h");
    }
    Some(Device { clients: clients?, lifetime })
}

/// Below this, keys would follow each other before the last ones are gone.
const SHORTEST_ROTATION: Duration = Duration::from_hours(24);

fn keys(mut section: Section<'_>) -> Option<Keys> {
    let expected = "\"never\", or a span of time of at least 1d";
    let rotate_every = section.or("rotate_every", expected, values::RotateEvery::default());
    let rsa_bits = section.or("rsa_bits", "2048 or 3072", RsaBits::Bits3072);
    let seal = section.key("seal");
    let previous = section.keys("previous");
    let mut elsewhere = seal.iter().chain(&previous).filter_map(|key| match key {
        KeyReference::Kms(arn) => Some(arn.as_str()),
        KeyReference::Secret(_) => None,
    });
    if let Some(arn) = elsewhere.find(|arn| !values::is_kms_key(arn)) {
        let expected = "the ARN of a KMS key, arn:aws:kms:<region>:<account>:key/<id>: an alias may come to mean another key";
        section.contradiction("seal", &format!("{arn:?}"), expected);
    }
    if seal.is_none() && !previous.is_empty() {
        section.contradiction("previous", "previous keys without a present one", "keys.seal beside them");
    }
    let rotate_every = rotate_every?.0;
    if let Some(every) = rotate_every.filter(|every| *every < SHORTEST_ROTATION) {
        section.contradiction("rotate_every", &format!("{} seconds", every.as_secs()), expected);
    }
    Some(Keys { seal, previous, rotate_every, rsa_bits: rsa_bits? })
}

fn sessions(mut section: Section<'_>) -> Option<Sessions> {
    let idle = section.or("idle", SPAN, Span(Duration::from_hours(1)))?.0;
    let absolute = section.or("absolute", SPAN, Span(Duration::from_hours(12)))?.0;
    let bounds = Duration::from_mins(1)..=Duration::from_hours(7 * 24);
    if !bounds.contains(&idle) || !bounds.contains(&absolute) || absolute < idle {
        section.contradiction(
            "idle",
            &format!("{} and {} seconds", idle.as_secs(), absolute.as_secs()),
            "1m <= idle <= absolute <= 7d",
        );
    }
    Some(Sessions { idle, absolute })
}

fn portal(mut section: Section<'_>) -> Option<Portal> {
    let enabled = section.or("enabled", "true or false", false)?;
    let lifetime = section.or("lifetime", SPAN, Span(Duration::from_mins(15)))?.0;
    let bounds = Duration::from_mins(1)..=Duration::from_hours(1);
    if !bounds.contains(&lifetime) {
        section.contradiction("lifetime", &format!("{} seconds", lifetime.as_secs()), "between 1m and 1h");
    }
    Some(Portal { lifetime: enabled.then_some(lifetime) })
}

pub(super) const POINTER: &str = "a JSON pointer such as \"/org_id\"";

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
    let domains: Vec<values::MailDomain> = section.list("domains", values::MailDomain::EXPECTED);
    let recheck = section.or("recheck", "true or false", false);
    let prefix = section.or("source_identity_prefix", values::Prefix::EXPECTED, values::Prefix::default());
    let id_jag = section.or("id_jag", "true or false", false);
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
        domains: domains.into_iter().map(|domain| domain.0).collect(),
        recheck: recheck?,
        source_identity_prefix: prefix?.0,
        id_jag: id_jag?,
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
    let dpop_required = section.or("dpop_required", "true or false", false);
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
        dpop_required: dpop_required?,
        connect_timeout: connect?.0,
        response_timeout: response?.0,
        idle_timeout: idle?.0,
    })
}

fn brand(mut section: Section<'_>) -> Option<Brand> {
    let name = section.or("name", "a name", "Connect Server".to_owned());
    let support_link = section.optional::<values::IssuerUrl>("support_link", "an https URL");
    let logo = section.path("logo", "the path of a PNG, JPEG or WebP file");
    let accent = section.optional::<String>("accent", "a colour such as \"#1f5fbf\"");
    Some(Brand { name: name?, support_link: support_link.map(|url| url.0), logo, accent })
}
