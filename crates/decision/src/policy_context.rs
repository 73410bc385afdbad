//! Which decision by which policy.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::json::UniqueMembers;

/// The shortest session that STS gives, in seconds.
pub const MIN_SESSION_SECONDS: u32 = 900;
/// The longest session that STS gives, in seconds.
pub const MAX_SESSION_SECONDS: u32 = 43_200;

const MAX_ID: usize = 128;
const MAX_TENANT: usize = 256;
const MAX_POLICY: usize = 2048;

/// Which decision by which policy this is, and what the session is limited to. It is constant for one decision.
///
/// As JSON it is an object with exactly these members; the optional ones are absent when they are `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyContext {
    /// The decision: 1 to 128 visible ASCII characters.
    pub decision_id: String,
    /// The rule or policy that it followed: 1 to 128 visible ASCII characters.
    pub policy_id: String,
    /// The tenant: 1 to 256 characters, none of them a control character.
    pub tenant: String,
    /// How long the session lasts, in seconds: 900 to 43 200.
    pub session_duration_seconds: u32,
    /// The policy that narrows the session: 1 to 2048 characters of those that STS takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_policy: Option<String>,
    /// The agent that acts for the person: a JSON object.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "unique_members")]
    pub agent: Option<Value>,
}

impl PolicyContext {
    /// Reads the value of a header, if it is one.
    pub(crate) fn from_json(text: &str) -> Option<Self> {
        // serde also reads a struct from an array; the contract is an object.
        let is_object = text.starts_with('{');
        let context: Self = is_object.then(|| serde_json::from_str(text).ok()).flatten()?;
        context.check().ok().map(|()| context)
    }

    /// Checks every member against what is written at it.
    pub(crate) fn check(&self) -> Result<(), InvalidPolicyContext> {
        let is_id =
            |id: &str| (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
        let has_length = |text: &str, max: usize| (1..=max).contains(&text.chars().count());
        if !is_id(&self.decision_id) {
            return Err(InvalidPolicyContext::DecisionId);
        }
        if !is_id(&self.policy_id) {
            return Err(InvalidPolicyContext::PolicyId);
        }
        if !has_length(&self.tenant, MAX_TENANT) || self.tenant.chars().any(char::is_control) {
            return Err(InvalidPolicyContext::Tenant);
        }
        if !(MIN_SESSION_SECONDS..=MAX_SESSION_SECONDS).contains(&self.session_duration_seconds) {
            return Err(InvalidPolicyContext::SessionDuration);
        }
        let is_policy =
            |policy: &String| has_length(policy, MAX_POLICY) && policy.chars().all(is_policy_character);
        if !self.session_policy.as_ref().is_none_or(is_policy) {
            return Err(InvalidPolicyContext::SessionPolicy);
        }
        if !self.agent.as_ref().is_none_or(Value::is_object) {
            return Err(InvalidPolicyContext::Agent);
        }
        Ok(())
    }
}

/// The pattern of STS for a session policy: `[\t\n\r\x20-\xff]`.
fn is_policy_character(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{ff}')
}

fn unique_members<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    UniqueMembers::deserialize(deserializer).map(|UniqueMembers(value)| Some(value))
}

/// Which member of a [`PolicyContext`] is not as it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPolicyContext {
    /// `decision_id`
    #[error("`decision_id` is 1 to {MAX_ID} visible ASCII characters")]
    DecisionId,
    /// `policy_id`
    #[error("`policy_id` is 1 to {MAX_ID} visible ASCII characters")]
    PolicyId,
    /// `tenant`
    #[error("`tenant` is 1 to {MAX_TENANT} characters without control characters")]
    Tenant,
    /// `session_duration_seconds`
    #[error("`session_duration_seconds` is {MIN_SESSION_SECONDS} to {MAX_SESSION_SECONDS}")]
    SessionDuration,
    /// `session_policy`
    #[error("`session_policy` is 1 to {MAX_POLICY} characters of Latin-1")]
    SessionPolicy,
    /// `agent`
    #[error("`agent` is a JSON object")]
    Agent,
}
