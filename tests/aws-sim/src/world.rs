//! The configured accounts in the form that requests are decided by.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use crate::clock::{Clock, epoch_seconds, rfc3339};
use crate::config::{BucketConfig, RoleConfig, SimConfig, UserConfig};
use crate::credentials::{Credential, Keyring, Tags, unique_id};
use crate::faults::Faults;
use crate::iam::{Context, Policy, PolicyDocument, PolicyError, PolicyKind, Principal, is_account};
use crate::sigv4::Caller;
use crate::trail::Trail;

/// Accounts, keys and what happened so far.
pub(crate) struct World {
    pub(crate) regions: Vec<String>,
    pub(crate) keyring: Keyring,
    pub(crate) managed_policies: BTreeMap<String, Policy>,
    pub(crate) buckets: BTreeMap<String, Bucket>,
    pub(crate) faults: Faults,
    pub(crate) trail: Trail,
    pub(crate) task_role: Option<Arc<Role>>,
    roles: HashMap<String, Arc<Role>>,
    secure_transport: bool,
    clock: Clock,
}

/// A role.
pub(crate) struct Role {
    pub(crate) arn: String,
    pub(crate) account: String,
    pub(crate) id: String,
    pub(crate) trust: Policy,
    pub(crate) policies: Arc<[Policy]>,
    pub(crate) tags: Tags,
    pub(crate) max_session_duration: u32,
}

/// A bucket's owner and policy.
pub(crate) struct Bucket {
    pub(crate) account: String,
    pub(crate) policy: Option<Policy>,
}

/// An authenticated request as far as both services know it alike.
#[derive(Clone, Debug)]
pub(crate) struct Inbound {
    pub(crate) caller: Caller,
    pub(crate) request_id: String,
    pub(crate) source_ip: IpAddr,
}

/// A part of the configuration that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A value has the wrong form.
    #[error("{what} `{found}` is not {expected}")]
    Malformed {
        /// The setting.
        what: &'static str,
        /// Its value.
        found: String,
        /// What it should be.
        expected: &'static str,
    },
    /// Two entries have the same name.
    #[error("{what} `{name}` is defined twice")]
    Duplicate {
        /// The setting.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A name refers to nothing.
    #[error("{what} `{name}` is not defined")]
    Undefined {
        /// The setting.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A policy was not understood.
    #[error("the policy of {owner} cannot be loaded")]
    Policy {
        /// Whose policy.
        owner: String,
        /// What is wrong with it.
        #[source]
        source: PolicyError,
    },
}

impl World {
    pub(crate) fn build(config: &SimConfig, clock: Clock) -> Result<Self, ConfigError> {
        account(&config.account)?;
        for region in &config.regions {
            let plain = region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            ensure(plain && !region.is_empty(), "region", region, "a region's name")?;
        }
        ensure(!config.regions.is_empty(), "regions", "[]", "a list of at least one region")?;
        let mut managed_policies = BTreeMap::new();
        for (arn, document) in &config.managed_policies {
            ensure(is_managed_policy(arn), "managed policy", arn, "an IAM policy's ARN")?;
            managed_policies.insert(arn.clone(), policy(document, PolicyKind::Identity, arn)?);
        }
        let keyring = Keyring::default();
        for user in &config.users {
            add_user(&keyring, user, &config.account)?;
        }
        let mut roles = HashMap::new();
        for role in &config.roles {
            let built = build_role(role, &managed_policies)?;
            unique(roles.insert(role.arn.clone(), Arc::new(built)).is_none(), "role", &role.arn)?;
        }
        let mut buckets = BTreeMap::new();
        for bucket in &config.buckets {
            let built = build_bucket(bucket, &config.account)?;
            unique(buckets.insert(bucket.name.clone(), built).is_none(), "bucket", &bucket.name)?;
        }
        let task_role = config.task_role.as_ref().map(|arn| find_task_role(&roles, arn)).transpose()?;
        Ok(Self {
            regions: config.regions.clone(),
            keyring,
            managed_policies,
            buckets,
            faults: Faults::default(),
            trail: Trail::default(),
            task_role,
            roles,
            secure_transport: config.secure_transport,
            clock,
        })
    }

    pub(crate) fn now(&self) -> SystemTime {
        (self.clock)()
    }

    pub(crate) fn role(&self, arn: &str) -> Option<&Arc<Role>> {
        self.roles.get(arn)
    }

    /// The condition keys every request has.
    pub(crate) fn context(&self, inbound: &Inbound) -> Context {
        let now = self.now();
        let mut context = Context::new();
        inbound.caller.credential.describe(&mut context);
        context.set("aws:CurrentTime", rfc3339(now));
        context.set("aws:EpochTime", epoch_seconds(now).to_string());
        context.set("aws:SecureTransport", self.secure_transport.to_string());
        context.set("aws:SourceIp", inbound.source_ip.to_string());
        context.set("aws:RequestedRegion", inbound.caller.region.as_str());
        context
    }
}

fn add_user(keyring: &Keyring, user: &UserConfig, default_account: &str) -> Result<(), ConfigError> {
    let account_id = user.account.as_deref().unwrap_or(default_account);
    account(account_id)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    ensure(!user.name.is_empty() && user.name.chars().all(plain), "user", &user.name, "a user's name")?;
    let key = &user.access_key_id;
    let well_formed =
        key.len() == 20 && key.starts_with("AKIA") && key.bytes().all(|b| b.is_ascii_alphanumeric());
    ensure(well_formed, "access_key_id", key, "AKIA and 16 letters or digits")?;
    unique(keyring.find(key).is_none(), "access_key_id", key)?;
    let principal = Principal::user(account_id, &user.name);
    let owner = principal.arn().to_owned();
    let policies = policies(&user.policies, &owner)?;
    keyring.add(Credential {
        access_key_id: key.clone(),
        secret_access_key: user.secret_access_key.clone(),
        user_id: unique_id("AIDA", &owner),
        tags: tags(&user.tags)?,
        policies: policies.into(),
        session: None,
        principal,
    });
    Ok(())
}

fn build_role(role: &RoleConfig, managed: &BTreeMap<String, Policy>) -> Result<Role, ConfigError> {
    let session = Principal::session(&role.arn, "x");
    let account_id = session.as_ref().and_then(Principal::account);
    let account_id = account_id.ok_or_else(|| malformed("role", &role.arn, "a role's ARN"))?.to_owned();
    let hours = (3600..=43200).contains(&role.max_session_duration);
    ensure(hours, "max_session_duration", &role.max_session_duration.to_string(), "3600 to 43200 seconds")?;
    let mut policies = policies(&role.policies, &role.arn)?;
    for arn in &role.managed_policies {
        let policy = managed.get(arn).ok_or_else(|| undefined("managed policy", arn))?;
        policies.push(policy.clone());
    }
    Ok(Role {
        id: unique_id("AROA", &role.arn),
        account: account_id,
        trust: policy(&role.trust_policy, PolicyKind::Trust, &role.arn)?,
        policies: policies.into(),
        tags: tags(&role.tags)?,
        max_session_duration: role.max_session_duration,
        arn: role.arn.clone(),
    })
}

fn build_bucket(bucket: &BucketConfig, default_account: &str) -> Result<Bucket, ConfigError> {
    let reserved = bucket.name == crate::server::CREDENTIALS_PATH.trim_start_matches('/');
    let valid = s3s::path::check_bucket_name(&bucket.name) && !reserved;
    ensure(valid, "bucket", &bucket.name, "a bucket's name")?;
    let owner = bucket.account.as_deref().unwrap_or(default_account);
    account(owner)?;
    let arn = format!("arn:aws:s3:::{}", bucket.name);
    let policy =
        bucket.policy.as_ref().map(|document| policy(document, PolicyKind::Resource, &arn)).transpose()?;
    for key in bucket.objects.keys() {
        ensure(crate::s3::is_storable_key(key), "object key", key, "a key the simulator can store")?;
    }
    Ok(Bucket { account: owner.to_owned(), policy })
}

fn find_task_role(roles: &HashMap<String, Arc<Role>>, arn: &str) -> Result<Arc<Role>, ConfigError> {
    let role = roles.get(arn).ok_or_else(|| undefined("task_role", arn))?;
    let service = Principal::Service("ecs-tasks.amazonaws.com".to_owned());
    ensure(role.trust.names(&service), "task_role", arn, "a role that trusts ecs-tasks.amazonaws.com")?;
    Ok(Arc::clone(role))
}

fn policies(documents: &[PolicyDocument], owner: &str) -> Result<Vec<Policy>, ConfigError> {
    documents.iter().map(|document| policy(document, PolicyKind::Identity, owner)).collect()
}

fn policy(document: &PolicyDocument, kind: PolicyKind, owner: &str) -> Result<Policy, ConfigError> {
    Policy::parse(document, kind).map_err(|source| ConfigError::Policy { owner: owner.to_owned(), source })
}

fn tags(configured: &BTreeMap<String, String>) -> Result<Tags, ConfigError> {
    let mut tags = Tags::default();
    for (key, value) in configured {
        unique(!tags.set(key, value), "tag", key)?;
    }
    Ok(tags)
}

fn account(id: &str) -> Result<(), ConfigError> {
    ensure(is_account(id), "account", id, "12 digits")
}

fn is_managed_policy(arn: &str) -> bool {
    let account = |rest: &str| rest.split_once(":policy/").map(|(account, _)| account.to_owned());
    arn.strip_prefix("arn:aws:iam::").and_then(account).is_some_and(|id| id == "aws" || is_account(&id))
}

fn ensure(good: bool, what: &'static str, found: &str, expected: &'static str) -> Result<(), ConfigError> {
    if good { Ok(()) } else { Err(malformed(what, found, expected)) }
}

fn malformed(what: &'static str, found: &str, expected: &'static str) -> ConfigError {
    ConfigError::Malformed { what, found: found.to_owned(), expected }
}

fn undefined(what: &'static str, name: &str) -> ConfigError {
    ConfigError::Undefined { what, name: name.to_owned() }
}

fn unique(good: bool, what: &'static str, name: &str) -> Result<(), ConfigError> {
    if good { Ok(()) } else { Err(ConfigError::Duplicate { what, name: name.to_owned() }) }
}
