//! The decision: everything worth arguing over is here.

use std::{collections::BTreeMap, fmt, num::NonZeroU32, time::Duration};

use serde_json::{Map, Value};

use crate::{
    Mapping, RoleName, RuleId, TAG_BUDGET, TenantId, grammar,
    mapping::{RoleEntry, RuleEntry, Standing, TagValue, TenantEntry, escaped_size},
};

/// Who asks for what. Everything in it is verified by the caller.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// The issuer that vouches for the subject, compared exactly.
    pub issuer: &'a str,
    /// The subject at that issuer, compared exactly.
    pub subject: &'a str,
    /// The tenant that the verified token claims.
    pub tenant: Option<&'a str>,
    /// Verified claims that conditions and tags may read.
    pub claims: &'a Map<String, Value>,
    /// The service that is called.
    pub service: &'a str,
}

/// The answer to a [`Query`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum RoleDecision {
    /// This role, under these conditions.
    Grant(Box<Grant>),
    /// Nothing, for this reason.
    Deny(DenyReason),
}

/// What a subject may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The role's name in the tenant.
    pub role: RoleName,
    /// What STS assumes.
    pub role_arn: String,
    /// Session tags within the limits of STS.
    pub tags: BTreeMap<String, String>,
    /// The name or ARN of a session policy that narrows the role.
    pub session_policy: Option<String>,
    /// How long a session lasts: 15 to 60 minutes.
    pub duration: Duration,
    /// How often it may be used.
    pub limits: Limits,
    /// The rule that decided.
    pub by: RuleId,
    /// The tenant that the subject belongs to.
    pub tenant: TenantId,
}

/// How often a role may be used by one subject. Absent means unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests in a minute.
    pub requests_per_minute: Option<NonZeroU32>,
    /// How many of them at once.
    pub burst: Option<NonZeroU32>,
}

/// Why nothing is granted. `Display` is for operators; a stranger is told nothing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DenyReason {
    /// No row places the subject, and no tenant that admits unknown subjects is claimed.
    UnknownSubject,
    /// The tenant of the subject's row, or of the claim, does not exist.
    UnknownTenant,
    /// The subject's row and the tenant claim name different tenants.
    TenantMismatch,
    /// The tenant is deactivated.
    InactiveTenant,
    /// The subject is deactivated.
    InactiveSubject,
    /// A row of the tenant is broken; nobody of it is served until it is mended.
    TenantBroken,
    /// No rule of the tenant matches.
    NoRule,
    /// These rules match with the same priority and grant different roles.
    Ambiguous(Vec<RuleId>),
    /// The claim that fills this tag is absent, or is not a text that STS accepts as a value.
    TagClaim {
        /// The tag's key.
        tag: String,
    },
    /// The tags are longer than [`TAG_BUDGET`].
    TagBudget,
}

impl DenyReason {
    /// A stable word for logs, metrics and audit events.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::UnknownSubject => "unknown_subject",
            Self::UnknownTenant => "unknown_tenant",
            Self::TenantMismatch => "tenant_mismatch",
            Self::InactiveTenant => "inactive_tenant",
            Self::InactiveSubject => "inactive_subject",
            Self::TenantBroken => "tenant_broken",
            Self::NoRule => "no_rule",
            Self::Ambiguous(_) => "ambiguous",
            Self::TagClaim { .. } => "tag_claim",
            Self::TagBudget => "tag_budget",
        }
    }
}

impl fmt::Display for DenyReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownSubject => {
                f.write_str("the subject has no row, and no tenant that admits such is claimed")
            }
            Self::UnknownTenant => f.write_str("the subject's tenant does not exist"),
            Self::TenantMismatch => f.write_str("the tenant claim is not the tenant of the subject's row"),
            Self::InactiveTenant => f.write_str("the tenant is deactivated"),
            Self::InactiveSubject => f.write_str("the subject is deactivated"),
            Self::TenantBroken => {
                f.write_str("a row of the tenant is broken, see the log of the mapping's loading")
            }
            Self::NoRule => f.write_str("no rule of the tenant matches"),
            Self::Ambiguous(rules) => {
                f.write_str("rules of the same priority grant different roles:")?;
                rules.iter().try_for_each(|rule| write!(f, " {rule}"))
            }
            Self::TagClaim { tag } => {
                write!(f, "the claim for tag {tag} is absent or is not {}", grammar::TAG_VALUE)
            }
            Self::TagBudget => write!(f, "the session tags take more than {TAG_BUDGET} bytes"),
        }
    }
}

/// Decides. The same mapping and query give the same answer, always.
pub fn decide(mapping: &Mapping, query: &Query<'_>) -> RoleDecision {
    match try_grant(mapping, query) {
        Ok(grant) => RoleDecision::Grant(Box::new(grant)),
        Err(reason) => RoleDecision::Deny(reason),
    }
}

fn try_grant(mapping: &Mapping, query: &Query<'_>) -> Result<Grant, DenyReason> {
    let tenant = place(mapping, query)?;
    let RuleEntry { id, role, .. } = choose(&tenant.rules.deciding(query))?;
    Ok(Grant {
        role: role.name.clone(),
        role_arn: role.role_arn.clone(),
        tags: fill_tags(role, query.claims)?,
        session_policy: role.session_policy.clone(),
        duration: role.duration,
        limits: role.limits,
        by: *id,
        tenant: tenant.id.clone(),
    })
}

/// The tenant that the subject belongs to and is served by.
fn place<'m>(mapping: &'m Mapping, query: &Query<'_>) -> Result<&'m TenantEntry, DenyReason> {
    let row = mapping.placement(query.issuer, query.subject);
    let id = match (row, query.tenant) {
        (Some(row), Some(claimed)) if row.tenant != claimed => return Err(DenyReason::TenantMismatch),
        (Some(row), _) => row.tenant.as_str(),
        (None, Some(claimed)) => claimed,
        (None, None) => return Err(DenyReason::UnknownSubject),
    };
    let tenant = match mapping.tenant(id) {
        None => return Err(DenyReason::UnknownTenant),
        Some(Standing::Broken) => return Err(DenyReason::TenantBroken),
        Some(Standing::Sound(tenant)) => tenant,
    };
    match row {
        _ if !tenant.active => Err(DenyReason::InactiveTenant),
        Some(row) if !row.active => Err(DenyReason::InactiveSubject),
        None if !tenant.admits_unknown => Err(DenyReason::UnknownSubject),
        _ => Ok(tenant),
    }
}

/// Rules that agree on the role are no contradiction; the first of them is named.
fn choose<'m>(rules: &[&'m RuleEntry]) -> Result<&'m RuleEntry, DenyReason> {
    match rules {
        [] => Err(DenyReason::NoRule),
        [first, others @ ..] if others.iter().all(|rule| rule.role.name == first.role.name) => Ok(first),
        rules => Err(DenyReason::Ambiguous(rules.iter().map(|rule| rule.id).collect())),
    }
}

fn fill_tags(role: &RoleEntry, claims: &Map<String, Value>) -> Result<BTreeMap<String, String>, DenyReason> {
    let mut tags = BTreeMap::new();
    let mut size = 0;
    for (key, source) in &role.tags {
        let value = match source {
            TagValue::Literal(value) => value,
            TagValue::Claim(pointer) => match pointer.find(claims) {
                Some(Value::String(value)) if grammar::is_tag_value(value) => value,
                _ => return Err(DenyReason::TagClaim { tag: key.clone() }),
            },
        };
        size += escaped_size(key, value);
        tags.insert(key.clone(), value.clone());
    }
    if size > TAG_BUDGET {
        return Err(DenyReason::TagBudget);
    }
    Ok(tags)
}
