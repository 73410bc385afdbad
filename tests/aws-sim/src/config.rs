//! What a simulated world consists of: accounts' users, roles, policies and buckets.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::iam::PolicyDocument;

/// Everything a simulator is started with. Unknown keys are errors.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimConfig {
    /// The account (12 digits) that users and buckets belong to unless they name another.
    pub account: String,
    /// The regions that requests may be signed for.
    #[serde(default = "default_regions")]
    pub regions: Vec<String>,
    /// Where to listen; a loopback address, port 0 for any free port.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// What `aws:SecureTransport` says. True by default: the loopback stands for an HTTPS endpoint.
    #[serde(default = "default_secure_transport")]
    pub secure_transport: bool,
    /// IAM users with long-term keys.
    #[serde(default)]
    pub users: Vec<UserConfig>,
    /// IAM roles; a role's account is the one in its ARN.
    #[serde(default)]
    pub roles: Vec<RoleConfig>,
    /// Managed policies by ARN, for `RoleConfig::managed_policies` and the `PolicyArns` parameter.
    #[serde(default)]
    pub managed_policies: BTreeMap<String, PolicyDocument>,
    /// The buckets and what is in them.
    #[serde(default)]
    pub buckets: Vec<BucketConfig>,
    /// Where objects are kept, one directory per bucket; a temporary directory when absent.
    #[serde(default)]
    pub data_dir: Option<PathBuf>,
    /// The role whose credentials `/container-credentials` gives out.
    #[serde(default)]
    pub task_role: Option<String>,
}

/// An IAM user.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserConfig {
    /// The user's name, without a path.
    pub name: String,
    /// The account, when not [`SimConfig::account`].
    #[serde(default)]
    pub account: Option<String>,
    /// The long-term key's id, `AKIA` and 16 characters.
    pub access_key_id: String,
    /// The long-term key's secret.
    pub secret_access_key: String,
    /// IAM tags, seen as `aws:PrincipalTag/…`.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Identity policies.
    #[serde(default)]
    pub policies: Vec<PolicyDocument>,
}

impl fmt::Debug for UserConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserConfig")
            .field("name", &self.name)
            .field("account", &self.account)
            .field("access_key_id", &self.access_key_id)
            .field("tags", &self.tags)
            .finish_non_exhaustive()
    }
}

/// An IAM role.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleConfig {
    /// The role's ARN, path included.
    pub arn: String,
    /// Who may assume it.
    pub trust_policy: PolicyDocument,
    /// Inline identity policies.
    #[serde(default)]
    pub policies: Vec<PolicyDocument>,
    /// ARNs of attached managed policies.
    #[serde(default)]
    pub managed_policies: Vec<String>,
    /// IAM tags: `aws:ResourceTag/…` when the role is assumed, `aws:PrincipalTag/…` of its sessions.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The longest session in seconds, 3600 to 43200.
    #[serde(default = "default_max_session")]
    pub max_session_duration: u32,
}

impl RoleConfig {
    /// A role without permissions, tags or longer sessions than an hour.
    #[must_use]
    pub fn new(arn: &str, trust_policy: PolicyDocument) -> Self {
        Self {
            arn: arn.to_owned(),
            trust_policy,
            policies: Vec::new(),
            managed_policies: Vec::new(),
            tags: BTreeMap::new(),
            max_session_duration: default_max_session(),
        }
    }
}

/// A bucket.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketConfig {
    /// The bucket's name.
    pub name: String,
    /// The owning account, when not [`SimConfig::account`].
    #[serde(default)]
    pub account: Option<String>,
    /// The bucket policy.
    #[serde(default)]
    pub policy: Option<PolicyDocument>,
    /// Objects written at the start: text by key.
    #[serde(default)]
    pub objects: BTreeMap<String, String>,
}

impl BucketConfig {
    /// An empty bucket of [`SimConfig::account`] without a policy.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), account: None, policy: None, objects: BTreeMap::new() }
    }
}

impl SimConfig {
    /// An empty world: one account, region `us-east-1`, any free loopback port.
    #[must_use]
    pub fn new(account: &str) -> Self {
        Self {
            account: account.to_owned(),
            regions: default_regions(),
            listen: default_listen(),
            secure_transport: default_secure_transport(),
            users: Vec::new(),
            roles: Vec::new(),
            managed_policies: BTreeMap::new(),
            buckets: Vec::new(),
            data_dir: None,
            task_role: None,
        }
    }
}

fn default_regions() -> Vec<String> {
    vec!["us-east-1".to_owned()]
}

fn default_listen() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

const fn default_secure_transport() -> bool {
    true
}

const fn default_max_session() -> u32 {
    3600
}
