//! The configuration: what may be set and what it means.

mod values;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use decision::{AccountId, Partition};
use mcp_core::BucketName;
use settings::{Document, Problems, Section};
use telemetry::LogFormat;

use values::HostName;
pub use values::{EndpointUrl, Region, TransitiveTags};

/// Prefix of the environment variables that replace settings.
pub(crate) const PREFIX: &str = "MCP";

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8082);
const DEFAULT_PRIVATE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9082);
const LOOPBACK_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// The most that STS takes as a session policy.
const LONGEST_POLICY: usize = 2048;

/// Settings of the HTTP server.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the gateway reaches the server: `127.0.0.1:8082` by default.
    pub listen: SocketAddr,
    /// Where health checks and metrics are: `127.0.0.1:9082` by default. Never public.
    pub private: SocketAddr,
    /// Values of `Host` that are answered, each a name with or without a port: the loopback's by default.
    pub hosts: Vec<String>,
    /// Region of STS and of the buckets.
    pub region: Region,
    /// URL of STS instead of the region's own.
    pub sts_endpoint: Option<EndpointUrl>,
    /// URL of S3 instead of the region's own.
    pub s3_endpoint: Option<EndpointUrl>,
    /// Whether buckets are named in the path instead of the host.
    pub s3_path_style: bool,
    /// Partition whose roles are assumed.
    pub partition: Partition,
    /// Accounts whose roles are assumed; no others are.
    pub allowed_accounts: BTreeSet<AccountId>,
    /// External id sent with every assumption.
    pub external_id: Option<String>,
    /// Which session tags persist when the session assumes a further role.
    pub transitive_tags: TransitiveTags,
    /// Session policy documents by the name that decisions refer to.
    pub session_policies: BTreeMap<String, String>,
    /// Buckets to offer where a role may not list all of the account's.
    pub buckets: Vec<String>,
    /// Audit file; standard output when absent.
    pub audit_file: Option<PathBuf>,
    /// Logging.
    pub log: Log,
}

/// Settings of the server that a person runs for themselves.
#[derive(Clone, Debug)]
pub struct LocalConfig {
    /// Region of the buckets; that of the AWS profile when absent.
    pub region: Option<Region>,
    /// URL of S3 instead of the region's own.
    pub s3_endpoint: Option<EndpointUrl>,
    /// Whether buckets are named in the path instead of the host.
    pub s3_path_style: bool,
    /// Buckets to offer where the profile may not list all of the account's.
    pub buckets: Vec<String>,
    /// Logging.
    pub log: Log,
}

/// Logging to standard error.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// What to log, as a `tracing` filter.
    pub filter: Option<String>,
}

impl Config {
    /// The defaults for an embedding: any free loopback ports, the region's own endpoints.
    #[must_use]
    pub fn new(region: Region, allowed_accounts: impl IntoIterator<Item = AccountId>) -> Self {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            listen: any_port,
            private: any_port,
            hosts: LOOPBACK_HOSTS.map(str::to_owned).into(),
            region,
            sts_endpoint: None,
            s3_endpoint: None,
            s3_path_style: false,
            partition: Partition::default(),
            allowed_accounts: allowed_accounts.into_iter().collect(),
            external_id: None,
            transitive_tags: TransitiveTags::default(),
            session_policies: BTreeMap::new(),
            buckets: Vec::new(),
            audit_file: None,
            log: Log::default(),
        }
    }

    /// Reads and checks a document.
    ///
    /// # Errors
    /// Every problem found.
    pub fn read(document: &Document) -> Result<Self, Problems> {
        document.read(|root| {
            let (listen, private, hosts) = listen(root.section("listen"));
            let region = root.required("region", Region::EXPECTED);
            let sts_endpoint = root.optional("sts_endpoint", EndpointUrl::EXPECTED);
            let s3_endpoint = root.optional("s3_endpoint", EndpointUrl::EXPECTED);
            let s3_path_style = root.or("s3_path_style", "true or false", false);
            let partition =
                root.or("partition", "a partition such as \"aws\" or \"aws-us-gov\"", Partition::Aws);
            let allowed_accounts = accounts(root);
            let external_id = root.optional("external_id", "a text");
            let transitive_tags =
                root.or("transitive_tags", TransitiveTags::EXPECTED, TransitiveTags::default());
            let session_policies = session_policies(root);
            let buckets = buckets(root);
            let audit_file = root.section("audit").path("file", "the path of a file to append to");
            let log = log(root.section("log"));
            Some(Self {
                listen: listen?,
                private: private?,
                hosts,
                region: region?,
                sts_endpoint,
                s3_endpoint,
                s3_path_style: s3_path_style?,
                partition: partition?,
                allowed_accounts,
                external_id,
                transitive_tags: transitive_tags?,
                session_policies,
                buckets,
                audit_file,
                log: log?,
            })
        })
    }
}

impl LocalConfig {
    /// Reads and checks a document. A setting that has no meaning here is a problem, as every unknown key.
    ///
    /// # Errors
    /// Every problem found.
    pub fn read(document: &Document) -> Result<Self, Problems> {
        document.read(|root| {
            let region = root.optional("region", Region::EXPECTED);
            let s3_endpoint = root.optional("s3_endpoint", EndpointUrl::EXPECTED);
            let s3_path_style = root.or("s3_path_style", "true or false", false);
            let buckets = buckets(root);
            let log = log(root.section("log"));
            Some(Self { region, s3_endpoint, s3_path_style: s3_path_style?, buckets, log: log? })
        })
    }
}

fn buckets(root: &mut Section<'_>) -> Vec<String> {
    let names: Vec<BucketName> = root.list("buckets", "a bucket name, not an ARN or access point");
    names.iter().map(|name| name.as_str().to_owned()).collect()
}

fn listen(mut section: Section<'_>) -> (Option<SocketAddr>, Option<SocketAddr>, Vec<String>) {
    const ADDRESS: &str = "an address and port such as \"127.0.0.1:8082\"";
    let listen = section.or("mcp", ADDRESS, DEFAULT_LISTEN);
    let private = section.or("private", ADDRESS, DEFAULT_PRIVATE);
    let hosts: Vec<HostName> = section.list("hosts", HostName::EXPECTED);
    let mut hosts: Vec<String> = hosts.into_iter().map(|HostName(name)| name).collect();
    if hosts.is_empty() {
        hosts = LOOPBACK_HOSTS.map(str::to_owned).into();
    }
    (listen, private, hosts)
}

fn accounts(root: &mut Section<'_>) -> BTreeSet<AccountId> {
    const EXPECTED: &str = "an account number of 12 digits in quotes";
    let accounts: BTreeSet<AccountId> = root.list("allowed_accounts", EXPECTED).into_iter().collect();
    if accounts.is_empty() {
        root.contradiction(
            "allowed_accounts",
            "no account, so that no role could be assumed",
            "a list of the accounts whose roles may be assumed",
        );
    }
    accounts
}

fn session_policies(root: &mut Section<'_>) -> BTreeMap<String, String> {
    let mut policies = BTreeMap::new();
    for mut section in root.sections("session_policy") {
        let name: Option<String> = section.required("name", "the name that decisions refer to");
        let file = section.path("file", "the path of a policy document");
        let (Some(name), Some(file)) = (name, file) else {
            section.contradiction("file", "a session policy without its file", "name and file");
            continue;
        };
        match policy(&file) {
            Ok(document) => drop(policies.insert(name, document)),
            Err(found) => section.contradiction(
                "file",
                &format!("{} {found}", file.display()),
                "a file with a JSON policy document of at most 2048 characters without white space",
            ),
        }
    }
    policies
}

/// The document without its white space, which STS would count.
fn policy(path: &std::path::Path) -> Result<String, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("that cannot be read ({error})"))?;
    let document: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&text).map_err(|error| format!("that is not a JSON object ({error})"))?;
    let compact = serde_json::Value::Object(document).to_string();
    let length = compact.chars().count();
    if length > LONGEST_POLICY {
        return Err(format!("with a document of {length} characters"));
    }
    Ok(compact)
}

fn log(mut section: Section<'_>) -> Option<Log> {
    let format = section.or("format", "\"text\" or \"json\"", LogFormat::default());
    let filter = section.optional("filter", "a filter such as \"info,mcp_core=debug\"");
    Some(Log { format: format?, filter })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/example.toml");

    fn read(text: &str) -> Result<Config, Problems> {
        Config::read(&Document::parse::<String, String>(text, PREFIX, [])?)
    }

    #[test]
    fn the_example_is_right() {
        let none: [(String, String); 0] = [];
        let document = Document::load(Some(Path::new(EXAMPLE)), PREFIX, none).unwrap();
        let config = Config::read(&document).unwrap();
        assert_eq!(config.hosts, ["mcp.internal", "localhost", "127.0.0.1"]);
        assert_eq!(config.external_id.as_deref(), Some("quilt-connect"));
    }

    #[test]
    fn defaults_are_the_loopback() {
        let config = read("region = \"eu-central-1\"\nallowed_accounts = [\"111122223333\"]").unwrap();
        assert!(config.listen.ip().is_loopback() && config.private.ip().is_loopback());
        assert_eq!(config.hosts, LOOPBACK_HOSTS);
        assert_eq!(config.transitive_tags, TransitiveTags::All);
        assert!(config.external_id.is_none() && config.audit_file.is_none());
    }

    #[test]
    fn an_empty_list_of_accounts_is_a_problem() {
        for accounts in ["", "allowed_accounts = []", "allowed_accounts = [\"*\"]"] {
            let problems = read(&format!("region = \"eu-central-1\"\n{accounts}")).unwrap_err();
            assert!(problems.to_string().contains("allowed_accounts"), "{problems}");
        }
    }

    #[test]
    fn buckets_are_plain_names() {
        for (buckets, good) in
            [("\"acme-data\"", true), ("\"Acme\"", false), ("\"a--use1-az4--x-s3\"", false), ("\"\"", false)]
        {
            let account = "allowed_accounts = [\"111122223333\"]";
            let read = read(&format!("region = \"eu-central-1\"\n{account}\nbuckets = [{buckets}]"));
            assert_eq!(read.is_ok(), good, "{buckets}");
        }
    }

    #[test]
    fn session_policies_lose_their_white_space_and_have_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.json");
        let config = || {
            let policy =
                format!("[[session_policy]]\nname = \"ro\"\nfile = {:?}", file.display().to_string());
            read(&format!("region = \"eu-central-1\"\nallowed_accounts = [\"111122223333\"]\n{policy}"))
        };
        std::fs::write(&file, "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": []\n}").unwrap();
        assert_eq!(config().unwrap().session_policies["ro"], r#"{"Statement":[],"Version":"2012-10-17"}"#);
        std::fs::write(&file, format!("{{\"Id\": \"{}\"}}", "a".repeat(2048))).unwrap();
        assert!(config().unwrap_err().to_string().contains("of 2057 characters"), "{:?}", config());
        std::fs::remove_file(&file).unwrap();
        assert!(config().unwrap_err().to_string().contains("cannot be read"));
    }
}
