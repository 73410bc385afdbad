//! Who holds which access key: configured users and the sessions this simulator issued.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use aws_lc_rs::digest;

use crate::iam::{Context, Policies, Policy, Principal};

/// An access key and what it stands for.
pub(crate) struct Credential {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) principal: Principal,
    /// `aws:userid`: the user's id, or `<role id>:<session name>`.
    pub(crate) user_id: String,
    /// The user's or role's IAM tags with session tags laid over them.
    pub(crate) tags: Tags,
    pub(crate) policies: Arc<[Policy]>,
    pub(crate) session: Option<Session>,
}

/// What a session has beyond its role.
pub(crate) struct Session {
    pub(crate) token: String,
    pub(crate) issued_at: SystemTime,
    pub(crate) expires_at: SystemTime,
    pub(crate) source_identity: Option<String>,
    /// The session tags that follow into the next role.
    pub(crate) transitive_tags: Tags,
    pub(crate) policies: Option<Vec<Policy>>,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("access_key_id", &self.access_key_id)
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}

impl Credential {
    pub(crate) fn account(&self) -> &str {
        self.principal.account().unwrap_or_default()
    }

    pub(crate) fn source_identity(&self) -> Option<&str> {
        self.session.as_ref()?.source_identity.as_deref()
    }

    /// The policies that bear on a request of this caller.
    pub(crate) fn policies<'a>(&'a self, resource: Option<&'a Policy>, trust: bool) -> Policies<'a> {
        let session = self.session.as_ref().and_then(|session| session.policies.as_deref());
        Policies { identity: &self.policies, session, resource, trust }
    }

    /// Adds the condition keys that describe the caller.
    pub(crate) fn describe(&self, context: &mut Context) {
        context.set("aws:PrincipalArn", self.principal.principal_arn());
        context.set("aws:PrincipalAccount", self.account());
        context.set("aws:userid", self.user_id.as_str());
        context.set("aws:PrincipalIsAWSService", "false");
        context.set("aws:ViaAWSService", "false");
        for (key, value) in self.tags.iter() {
            context.set(&format!("aws:PrincipalTag/{key}"), value);
        }
        if let Principal::User { arn, .. } = &self.principal {
            context.set("aws:PrincipalType", "User");
            context.set("aws:username", arn.rsplit('/').next().unwrap_or_default());
        } else {
            context.set("aws:PrincipalType", "AssumedRole");
        }
        if let Some(session) = &self.session {
            context.set("aws:TokenIssueTime", crate::clock::rfc3339(session.issued_at));
            context.set("aws:MultiFactorAuthPresent", "false");
            if let Some(source_identity) = &session.source_identity {
                context.set("aws:SourceIdentity", source_identity.as_str());
            }
        }
    }
}

/// Tags whose keys are unique without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tags(BTreeMap<String, (String, String)>);

impl Tags {
    /// Sets a tag, replacing one whose key differs at most in case; answers whether there was one.
    pub(crate) fn set(&mut self, key: &str, value: &str) -> bool {
        self.0.insert(key.to_lowercase(), (key.to_owned(), value.to_owned())).is_some()
    }

    pub(crate) fn get(&self, key: &str) -> Option<(&str, &str)> {
        self.0.get(&key.to_lowercase()).map(|(key, value)| (key.as_str(), value.as_str()))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.values().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These tags with `over` laid over them.
    pub(crate) fn overlaid(&self, over: &Self) -> Self {
        let mut tags = self.clone();
        tags.0.extend(over.0.iter().map(|(folded, tag)| (folded.clone(), tag.clone())));
        tags
    }

    pub(crate) fn to_map(&self) -> BTreeMap<String, String> {
        self.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }
}

/// All access keys.
#[derive(Debug, Default)]
pub(crate) struct Keyring {
    keys: RwLock<HashMap<String, Arc<Credential>>>,
    /// Sessions issued before this time count as expired.
    expired_before: RwLock<Option<SystemTime>>,
}

impl Keyring {
    pub(crate) fn add(&self, credential: Credential) -> Arc<Credential> {
        let credential = Arc::new(credential);
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.insert(credential.access_key_id.clone(), Arc::clone(&credential));
        credential
    }

    pub(crate) fn find(&self, access_key_id: &str) -> Option<Arc<Credential>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(access_key_id).cloned()
    }

    pub(crate) fn is_expired(&self, session: &Session, now: SystemTime) -> bool {
        let cut = *self.expired_before.read().unwrap_or_else(PoisonError::into_inner);
        now >= session.expires_at || cut.is_some_and(|cut| session.issued_at <= cut)
    }

    /// Lets every session issued so far expire.
    pub(crate) fn expire_all(&self, now: SystemTime) {
        *self.expired_before.write().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }
}

/// An id as IAM makes them: a four-letter prefix and upper-case letters and digits derived from the name.
pub(crate) fn unique_id(prefix: &str, name: &str) -> String {
    let hash = digest::digest(&digest::SHA256, name.as_bytes());
    format!("{prefix}{}", base32(hash.as_ref().get(..11).unwrap_or_default()))
}

/// RFC 4648 base 32 without padding; a trailing group of fewer than five bits is dropped.
pub(crate) fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::with_capacity(bytes.len() * 8 / 5);
    let (mut buffer, mut bits) = (0_u32, 0_u32);
    for byte in bytes {
        buffer = (buffer << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            let index = usize::try_from((buffer >> bits) & 31).unwrap_or_default();
            text.extend(ALPHABET.get(index).copied().map(char::from));
        }
        buffer &= (1 << bits) - 1;
    }
    text
}
