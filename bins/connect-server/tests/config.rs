//! The configuration: what it refuses, in the words an operator reads.

use connect_server::config::{Config, PREFIX};
use oauth_server::RegistrationMode;
use settings::{Document, KeyReference};

const GOOD: &str = r#"
public_url = "https://connect.example.com"
allowed_hosts = ["claude.ai", "cursor://"]
[database]
url = "sqlite:connect.db"
[[identity_provider]]
id = "okta"
issuer = "https://example.okta.com"
client_id = "c"
[[service]]
name = "platform"
path = "/mcp/platform"
upstream = "http://mcp.internal:8082/mcp"
"#;

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let document =
        Document::parse(text, PREFIX, variables.iter().copied()).map_err(|error| error.to_string())?;
    Config::read(&document).map_err(|error| error.to_string())
}

#[test]
fn the_smallest_configuration_has_safe_defaults() {
    let config = read(GOOD, &[]).unwrap();
    assert_eq!(config.public_url.as_str(), "https://connect.example.com");
    assert!(!config.allowed_hosts.is_empty() && config.ignored_hosts.is_empty());
    assert!(config.listen.public.ip().is_loopback() && config.listen.private.ip().is_loopback());
    assert_eq!((config.tokens.access.as_secs(), config.database.max_age.as_secs()), (900, 300));
    assert!(!config.tokens.dpop_nonce_required && !config.services[0].dpop_required);
    assert!(config.log.json && config.trusted_issuers.is_empty() && config.static_users.is_empty());
    assert_eq!(config.services[0].scopes, ["platform"], "the service's own name is its scope");
}

#[test]
fn contradictions_are_told_beside_single_mistakes() {
    let text = format!("replicas = 2\n{GOOD}weight = 1\n[brand]\nsupport_link = \"ftp://x\"");
    let problems = read(&text, &[]).map(drop).unwrap_err();
    for part in ["replicas: found several", "service[0].weight: found an unknown key", "brand.support_link"] {
        assert!(problems.contains(part), "{part} is missing in:\n{problems}");
    }
}

#[test]
fn the_window_for_repeated_refreshes_is_bounded() {
    for (setting, seconds) in [("", 30), ("refresh_replay = \"0s\"", 0), ("refresh_replay = \"300s\"", 300)] {
        let config = read(&format!("{GOOD}[tokens]\n{setting}"), &[]).unwrap();
        assert_eq!(config.tokens.refresh_replay.length().as_secs(), seconds);
    }
    let problems = read(&format!("{GOOD}[tokens]\nrefresh_replay = \"301s\""), &[]).map(drop).unwrap_err();
    assert!(problems.contains("tokens.refresh_replay: found 301 seconds"), "{problems}");
}

#[test]
fn proofs_of_possession_can_be_demanded() {
    let demanding = format!("{GOOD}dpop_required = true\n[tokens]\ndpop_nonce = \"required\"");
    let config = read(&demanding, &[]).unwrap();
    assert!(config.tokens.dpop_nonce_required && config.services[0].dpop_required);
    for (setting, found) in
        [("[tokens]\ndpop_nonce = \"on\"", "tokens.dpop_nonce"), ("dpop_required = \"yes\"", "dpop_required")]
    {
        let problems = read(&format!("{GOOD}{setting}"), &[]).map(drop).unwrap_err();
        assert!(problems.contains(found), "{problems}");
    }
}

#[test]
fn variables_replace_the_file() {
    let variables = [
        ("CONNECT_ALLOWED_HOSTS", ""),
        ("CONNECT_LISTEN_PUBLIC", "0.0.0.0:9000"),
        ("CONNECT_DATABASE_URL", "postgres://connect@db/connect"),
    ];
    let config = read(GOOD, &variables).unwrap();
    assert!(config.allowed_hosts.is_empty());
    assert_eq!(config.listen.public.to_string(), "0.0.0.0:9000");
    assert_eq!(config.database.url.as_str(), "postgres://connect@db/connect");
}

#[test]
fn documents_count_from_anywhere_unless_domains_are_listed() {
    use oauth_server::DocumentTrust;
    assert_eq!(read(GOOD, &[]).unwrap().clients.documents, DocumentTrust::Open);
    let off = format!("{GOOD}[clients.documents]\nmode = \"off\"");
    assert_eq!(read(&off, &[]).unwrap().clients.documents, DocumentTrust::Off);
    let listed = "mode = \"allow-list\"\nallowed_domains = [\"Claude.ai\", \".example.com\"]";
    let listed = read(&format!("{GOOD}[clients.documents]\n{listed}"), &[]).unwrap();
    let DocumentTrust::AllowList(hosts) = listed.clients.documents else { panic!("{:?}", listed.clients) };
    for (host, covered) in
        [("claude.ai", true), ("a.example.com", true), ("example.com", false), ("a.claude.ai", false)]
    {
        assert_eq!(hosts.lists_name(host), covered, "{host}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_its_key() {
    let user = "[[static_user]]\nusername = \"ada\"\npassword_hash = \"h\"\n";
    let service = "[[service]]\nname = \"other\"\npath = \"/mcp/platform\"\nupstream = \"http://a/mcp\"\n";
    let issuer = "[[trusted_issuer]]\nissuer = \"https://a.example\"\nalgorithms = []\n";
    let cases = [
        (format!("{GOOD}{user}"), "static_user"),
        (format!("{GOOD}{service}"), "service: found \"/mcp/platform\" twice"),
        (format!("{GOOD}{issuer}"), "trusted_issuer[0].algorithms: found an empty list"),
        (format!("replicas = 2\n{GOOD}"), "replicas: found several replicas on an SQLite file"),
        (format!("replicas = 0\n{GOOD}"), "replicas: found \"0\""),
        (
            GOOD.replace("https://connect", "http://connect"),
            "public_url: found \"http://connect.example.com\"",
        ),
        (GOOD.replace("example.com\"", "example.com/base\""), "public_url"),
        (GOOD.replace("\"sqlite:connect.db\"", "\"postgres://u:hunter2@db/x\""), "postgres://u:***@db/x"),
        (GOOD.replace("/mcp/platform", "/token"), "service[0].path: found \"/token\""),
        (GOOD.replace("http://mcp", "https://user@mcp"), "service[0].upstream"),
        (GOOD.replace("connect.db\"", "connect.db\"\nmax_age = \"1s\""), "database.max_age: found 1000 ms"),
        (format!("{GOOD}\n[tokens]\naccess = \"2h\""), "tokens.access: found 7200 seconds"),
        (
            format!("{GOOD}\n[tokens]\nrefresh_idle = \"1m\""),
            "tokens.refresh_idle: found lifetimes out of order",
        ),
        (
            GOOD.split("[[identity_provider]]").next().unwrap().to_owned(),
            "identity_provider: found nobody who can sign in",
        ),
        (
            format!("{GOOD}[[trusted_issuer]]\nissuer = \"https://a.example\"\nalgorithms = [\"RS256\"]"),
            "trusted_issuer: found source_identity_prefix \"\" for two issuers",
        ),
        (format!("{GOOD}[clients.documents]\nmode = \"on\""), "clients.documents.mode: found \"on\""),
        (
            format!("{GOOD}[clients.documents]\nmode = \"allow-list\""),
            "clients.documents.allowed_domains: found an empty list",
        ),
        (
            format!("{GOOD}[clients.documents]\nallowed_domains = [\"claude.ai\"]"),
            "clients.documents.allowed_domains: found a list that has no effect",
        ),
        (
            format!("{GOOD}[clients.documents]\nmode = \"allow-list\"\nallowed_domains = [\"cursor://\"]"),
            "clients.documents.allowed_domains",
        ),
        (
            format!("{GOOD}[clients.documents]\nmode = \"allow-list\"\nallowed_domains = [\"a.example/b\"]"),
            "clients.documents.allowed_domains",
        ),
        (format!("{GOOD}client_secret = \"hunter2\""), "service[0].client_secret: found an unknown key"),
    ];
    for (text, expected) in cases {
        let problems = read(&text, &[]).map(drop).unwrap_err();
        assert!(problems.contains(expected), "expected {expected:?} in:\n{problems}");
        assert!(!problems.contains("hunter2"), "{problems}");
    }
}

#[test]
fn sealing_keys_are_references_and_rotation_is_bounded() {
    const ARN: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd";
    let config = read(GOOD, &[]).unwrap();
    assert!(config.keys.seal.is_none() && config.keys.previous.is_empty());
    assert_eq!(config.keys.rotate_every.map(|every| every.as_secs()), Some(90 * 86_400));
    let text = format!(
        "{GOOD}[keys]\nseal = {{ kms = \"{ARN}\" }}\nprevious = [{{ env = \"OLD\" }}]\nrotate_every = \"never\"\n\
         [tokens]\nalgorithm = \"RS256\""
    );
    let config = read(&text, &[("OLD", "canary")]).unwrap();
    assert!(matches!(&config.keys.seal, Some(KeyReference::Kms(arn)) if arn == ARN));
    assert!(matches!(config.keys.previous.as_slice(), [KeyReference::Secret(_)]));
    assert_eq!(config.keys.rotate_every, None);
    assert!(!format!("{config:?}").contains("canary"));
    let cases = [
        ("seal = \"canary\"", "keys.seal: found something else (not shown)"),
        ("seal = { kms = \"alias/connect\" }", "keys.seal: found \"alias/connect\", expected the ARN"),
        ("seal = { kms = \"arn:aws:kms:eu:1:alias/x\" }", "an alias may come to mean another key"),
        ("previous = [{ env = \"OLD\" }]", "keys.previous: found previous keys without a present one"),
        ("previous = \"canary\"", "keys.previous: found something else (not shown)"),
        ("rotate_every = \"23h\"", "keys.rotate_every: found 82800 seconds, expected \"never\""),
        ("rotate_every = \"sometimes\"", "keys.rotate_every: found"),
        ("rsa_bits = 1024", "keys.rsa_bits: found \"1024\", expected 2048 or 3072"),
    ];
    for (setting, expected) in cases {
        let problems = read(&format!("{GOOD}[keys]\n{setting}"), &[("OLD", "x")]).map(drop).unwrap_err();
        assert!(problems.contains(expected) && !problems.contains("canary"), "{setting}: {problems}");
    }
    // Secrets that are not keys are not kept in KMS.
    let password = format!("{GOOD}client_secret = 1")
        .replace("sqlite:connect.db\"", "sqlite:connect.db\"\npassword = { kms = \"x\" }");
    assert!(read(&password, &[]).map(drop).unwrap_err().contains("database.password: found an unknown kind"));
}

const CLIENT: &str = r#"
[[client]]
id = "nightly"
authentication = "client_secret_basic"
secret = { env = "NIGHTLY_SECRET" }
grant_types = ["client_credentials"]
tenant = "acme"
hints = { team = ["research"] }
services = ["platform"]
scopes = ["platform"]
refresh_replay = "0s"
dpop_bound_access_tokens = true
[[client]]
id = "agent"
authentication = "private_key_jwt"
jwks = { keys = [{ kty = "OKP", crv = "Ed25519", x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }] }
grant_types = ["authorization_code", "jwt-bearer"]
redirect_uris = ["https://claude.ai/a"]
"#;

#[test]
fn clients_of_the_operator_are_read() {
    let config = read(&format!("{GOOD}{CLIENT}"), &[("NIGHTLY_SECRET", "s")]).unwrap();
    let [nightly, agent] = config.operator_clients.as_slice() else {
        panic!("{:?}", config.operator_clients)
    };
    assert!(nightly.secret.is_some() && nightly.description.dpop_bound_access_tokens);
    assert_eq!(nightly.description.hints["team"][0], "research");
    assert_eq!(nightly.description.services, ["platform"]);
    assert_eq!(agent.description.grant_types.len(), 2);
    assert!(!format!("{config:?}").contains("NIGHTLY_SECRET"));
}

/// SEC-39: two clients with one id, private keys, keys and a secret that do not fit the authentication -> not started
#[test]
fn clients_that_cannot_be_meant_are_refused_with_their_key() {
    let private = "{ kty = \"oct\", k = \"hunter2\" }";
    let cases = [
        (CLIENT.replace("\"agent\"", "\"nightly\""), "client: found \"nightly\" twice"),
        (CLIENT.replace("client_secret_basic", "password"), "client[0].authentication: found \"password\""),
        (CLIENT.replace("client_secret_basic", "none"), "client[0].secret: found a secret"),
        (CLIENT.replace("secret = { env", "# { env"), "client[0].secret: found nothing"),
        (CLIENT.replace("{ env = \"NIGHTLY_SECRET\" }", "\"hunter2\""), "client[0].secret"),
        (CLIENT.replace("\"client_credentials\"", "\"password\""), "client[0].grant_types"),
        (CLIENT.replace("\"0s\"", "\"10m\""), "client[0].refresh_replay: found 600 seconds"),
        (CLIENT.replace("jwks =", "jwks_uri ="), "client[1].jwks_uri"),
        (CLIENT.replace("private_key_jwt", "none"), "client[1].jwks: found keys"),
        (
            CLIENT.replace("keys = [{ kty", &format!("keys = [{private}, {{ kty")),
            "client[1].jwks: found one that holds a private",
        ),
    ];
    for (clients, expected) in cases {
        let problems = read(&format!("{GOOD}{clients}"), &[("NIGHTLY_SECRET", "s")]).map(drop).unwrap_err();
        assert!(problems.contains(expected), "expected {expected:?} in:\n{problems}");
        assert!(!problems.contains("hunter2"), "{problems}");
    }
}

const WORKLOADS: &str = r#"
[[workload_issuer]]
issuer = "https://token.actions.githubusercontent.com"
algorithms = ["RS256"]
source_identity_prefix = "github"
[[workload_issuer.rule]]
claims = { "/sub" = "repo:acme/*", "/repository_owner_id" = "1234" }
client_id = "builds"
services = ["platform"]
scopes = ["platform"]
tenant = "acme"
"#;

#[test]
fn workloads_are_described_by_rules() {
    let config = read(&format!("{GOOD}{WORKLOADS}"), &[]).unwrap();
    let [issuer] = config.workload_issuers.as_slice() else { panic!("{:?}", config.workload_issuers) };
    assert_eq!((issuer.max_lifetime.as_secs(), issuer.leeway.as_secs()), (3600, 60));
    assert_eq!(issuer.token_types, ["JWT"]);
    assert_eq!(issuer.rules[0].claims["/sub"].to_string(), "repo:acme/*");
    assert!(!config.identity_providers[0].id_jag);
}

/// SEC-20: a rule without a condition, with an open wildcard, for an unknown service or scope -> the configuration is refused
#[test]
fn rules_that_mean_too_much_are_refused() {
    let cases = [
        ("claims = { \"/sub\" = \"repo:acme/*\", \"/repository_owner_id\" = \"1234\" }", "", "no condition"),
        ("repo:acme/*", "repo:acme*", "workload_issuer[0].rule[0].claims"),
        ("repo:acme/*", "*", "workload_issuer[0].rule[0].claims"),
        ("\"/sub\"", "\"sub\"", "a JSON pointer"),
        ("services = [\"platform\"]", "services = [\"other\"]", "service \"other\""),
        ("services = [\"platform\"]", "", "a rule without services"),
        ("scopes = [\"platform\"]", "scopes = [\"admin\"]", "scope \"admin\""),
        ("scopes = [\"platform\"]", "", "a rule without scopes"),
        ("algorithms = [\"RS256\"]", "algorithms = [\"HS256\"]", "workload_issuer[0].algorithms"),
        ("source_identity_prefix = \"github\"", "", "source_identity_prefix \"\" for two issuers"),
        (
            "source_identity_prefix = \"github\"",
            "source_identity_prefix = \"client\"",
            "source_identity_prefix \"client\"",
        ),
        (
            "https://token.actions.githubusercontent.com",
            "https://example.okta.com",
            "two values of source_identity_prefix",
        ),
    ];
    for (from, to, expected) in cases {
        assert!(WORKLOADS.contains(from), "{from}");
        let problems = read(&format!("{GOOD}{}", WORKLOADS.replace(from, to)), &[]).map(drop).unwrap_err();
        assert!(problems.contains(expected), "{to}: {problems}");
    }
}

#[test]
fn registration_and_trusted_proxies_are_read() {
    let config = read(GOOD, &[]).unwrap();
    assert!(matches!(config.registration.mode, RegistrationMode::Open));
    assert!(config.listen.trusted_proxies.is_empty(), "nobody is believed by default");
    let text = format!(
        "{GOOD}[listen]\ntrusted_proxies = [\"10.0.0.0/8\", \"fd00::/8\"]\n[registration]\nmode = \"allow-list\"\n\
         allowed_hosts = \"claude.ai, localhost\"\nper_address = {{ per_hour = 6, burst = 2 }}\n"
    );
    let config = read(&text, &[]).unwrap();
    assert!(matches!(&config.registration.mode, RegistrationMode::AllowList(hosts) if !hosts.is_empty()));
    assert_eq!((config.registration.rate.per_hour.get(), config.registration.rate.burst.get()), (6, 2));
    assert_eq!(config.listen.trusted_proxies.len(), 2);
}

/// SEC-39, SEC-48: an unknown mode, a list without effect, a host that is none, no quota, a proxy with bits behind its prefix -> not started
#[test]
fn registration_that_cannot_be_meant_is_refused() {
    let cases = [
        ("[registration]\nmode = \"closed\"", "registration.mode: found \"closed\""),
        (
            "[registration]\nallowed_hosts = \"claude.ai\"",
            "registration.allowed_hosts: found a list that has no effect",
        ),
        ("[registration]\nmode = \"allow-list\"\nallowed_hosts = \"*\"", "registration.allowed_hosts"),
        ("[registration.per_address]\nper_hour = 0", "registration.per_address.per_hour: found \"0\""),
        ("[listen]\ntrusted_proxies = [\"10.0.0.1/8\"]", "listen.trusted_proxies: found \"10.0.0.1/8\""),
        ("[listen]\ntrusted_proxies = \"10.0.0.0/8\"", "listen.trusted_proxies"),
    ];
    for (setting, expected) in cases {
        let problems = read(&format!("{GOOD}{setting}"), &[]).map(drop).unwrap_err();
        assert!(problems.contains(expected), "expected {expected:?} in:\n{problems}");
    }
}
