//! What is asked of STS, and the seam through which it is asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use crate::{AssumeRoleError, SessionCredentials};

/// The length of a session when nothing else is asked: the longest that role chaining permits.
const DEFAULT_DURATION: Duration = Duration::from_hours(1);

/// One `AssumeRole` call, complete. It is also the cache key: what is not in here cannot reach STS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AssumeRoleRequest {
    /// ARN of the role.
    pub role_arn: String,
    /// Name of the session in CloudTrail: 2 to 64 of `[A-Za-z0-9_=,.@-]`.
    pub role_session_name: String,
    /// Who acts, immutable for the session and every session chained from it.
    pub source_identity: String,
    /// Session tags.
    pub tags: BTreeMap<String, String>,
    /// Keys of those tags that persist when the session assumes a further role.
    pub transitive_tag_keys: BTreeSet<String>,
    /// A session policy document that narrows the role.
    pub policy: Option<String>,
    /// ARNs of managed policies that narrow the role.
    pub policy_arns: BTreeSet<String>,
    /// The external id that the trust policy of another account demands.
    pub external_id: Option<String>,
    /// Length of the session, in whole seconds from 900.
    pub duration: Duration,
    /// Region whose STS endpoint is called.
    pub region: String,
}

impl AssumeRoleRequest {
    /// A request for an hour without tags, policies or external id; the session is named after the source identity.
    #[must_use]
    pub fn new(
        role_arn: impl Into<String>,
        source_identity: impl Into<String>,
        region: impl Into<String>,
    ) -> Self {
        let source_identity = source_identity.into();
        Self {
            role_arn: role_arn.into(),
            role_session_name: session_name(&source_identity),
            source_identity,
            tags: BTreeMap::new(),
            transitive_tag_keys: BTreeSet::new(),
            policy: None,
            policy_arns: BTreeSet::new(),
            external_id: None,
            duration: DEFAULT_DURATION,
            region: region.into(),
        }
    }
}

/// The source identity in the alphabet of session names, which differs in having no `+`, cut to 64 characters.
/// It is for people reading CloudTrail: what tells sessions apart is the source identity itself.
fn session_name(source_identity: &str) -> String {
    let legal = |c: char| c.is_ascii_alphanumeric() || "_=,.@-".contains(c);
    let mut name: String = source_identity.chars().map(|c| if legal(c) { c } else { '_' }).take(64).collect();
    while name.len() < 2 {
        name.push('_');
    }
    name
}

/// Something that can assume a role: STS, or a stand-in for it.
pub trait AssumeRole: Send + Sync {
    /// Asks once for a session. Retrying a refusal is pointless; retrying a throttled call is the implementation's
    /// business, within bounds.
    ///
    /// # Errors
    /// By what the operator can do about it, see [`AssumeRoleError`].
    fn assume_role(
        &self,
        request: &AssumeRoleRequest,
    ) -> impl Future<Output = Result<SessionCredentials, AssumeRoleError>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_names_are_legal() {
        for (identity, expected) in [
            ("ada@example.com", "ada@example.com"),
            ("auth0=7Cx", "auth0=7Cx"),
            ("a+b", "a_b"),
            ("é", "__"),
            ("", "__"),
        ] {
            assert_eq!(session_name(identity), expected, "{identity:?}");
        }
        assert_eq!(session_name(&"a".repeat(200)).len(), 64);
    }
}
