//! Who is trusted to assert what.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use oidc_verify::{Algorithm, KeySource};
use serde_json::Value;

use super::{ClaimPattern, IDENTITY_ASSERTION};
use crate::config::{OAuthConfig, Resource};

/// The longest life that an assertion may be allowed to have: its use is remembered for as long.
const MAX_LIFETIME: Duration = Duration::from_hours(24);

/// An issuer whose signed assertions are believed.
#[derive(Clone, Debug)]
pub struct AssertionIssuer {
    /// The exact value of `iss`, and the issuer of the identities that it asserts.
    pub issuer: String,
    /// Its keys.
    pub keys: KeySource,
    /// The signature algorithms that count.
    pub algorithms: Vec<Algorithm>,
    /// The longest time from `iat` to `exp`; at most a day.
    pub max_lifetime: Duration,
    /// How far its clock may be off.
    pub leeway: Duration,
    /// JSON pointer to the tenant. When set, an assertion without it is refused.
    pub tenant_claim: Option<String>,
    /// Claims to keep as [`Identity::hints`](crate::identity::Identity::hints).
    pub hint_claims: Vec<String>,
}

/// An issuer of workload identities, such as a cluster or a build system.
#[derive(Clone, Debug)]
pub struct WorkloadIssuer {
    /// Who it is.
    pub issuer: AssertionIssuer,
    /// The accepted values of `typ`. An assertion without one counts as `JWT`.
    pub token_types: Vec<String>,
    /// Which workloads may have which tokens: the first rule that fits decides, and without one nothing is issued.
    pub rules: Vec<WorkloadRule>,
}

/// Which tokens a workload may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadRule {
    /// What the claims at these JSON pointers must be, all of them. Only texts fit.
    pub claims: BTreeMap<String, ClaimPattern>,
    /// The client that the workload acts as. Then the assertion is all that the client needs; without it, the client
    /// authenticates as it does otherwise.
    pub client_id: Option<String>,
    /// The resources that it may have tokens for, by their canonical identifiers.
    pub resources: Vec<String>,
    /// The scopes that it may have.
    pub scopes: Vec<String>,
    /// The tenant that it belongs to, whatever its issuer says.
    pub tenant: Option<String>,
}

/// An identity provider that lets clients in for people (enterprise-managed authorization).
#[derive(Clone, Debug)]
pub struct IdentityAssertionIssuer {
    /// The id of the identity source that it is.
    pub source: String,
    /// Who it is.
    pub issuer: AssertionIssuer,
}

/// Settings about assertions that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssertionProblem {
    /// Our own tokens would be assertions.
    #[error("issuer {issuer:?} is this server itself: name another issuer")]
    OurselvesTrusted {
        /// The issuer.
        issuer: String,
    },
    /// Two meanings of one issuer.
    #[error("issuer {issuer:?} is configured twice for the same kind of assertion")]
    Twice {
        /// The issuer.
        issuer: String,
    },
    /// A lifetime out of bounds.
    #[error("max_lifetime of issuer {issuer:?} is {found:?}: expected 1s to {MAX_LIFETIME:?}")]
    Lifetime {
        /// The issuer.
        issuer: String,
        /// The value.
        found: Duration,
    },
    /// A type that means something else.
    #[error(
        "token type {found:?} of issuer {issuer:?} is that of identity assertions, which no workload makes"
    )]
    TokenType {
        /// The issuer.
        issuer: String,
        /// The value.
        found: String,
    },
    /// A workload issuer without a rule.
    #[error("workload issuer {issuer:?} has no rule: nothing would ever be issued")]
    NoRule {
        /// The issuer.
        issuer: String,
    },
    /// A rule that means too much or nothing.
    #[error("rule {number} of workload issuer {issuer:?} {why}")]
    Rule {
        /// The issuer.
        issuer: String,
        /// Which rule, from 1.
        number: usize,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl WorkloadIssuer {
    /// The rule that decides about a workload with these claims.
    pub(crate) fn rule_for(&self, claims: &Value) -> Option<&WorkloadRule> {
        self.rules.iter().find(|rule| rule.fits(claims))
    }
}

impl WorkloadRule {
    fn fits(&self, claims: &Value) -> bool {
        let text = |pointer: &str| claims.pointer(pointer).and_then(Value::as_str);
        let fits = |(pointer, pattern): (&String, &ClaimPattern)| {
            text(pointer).is_some_and(|claim| pattern.matches(claim))
        };
        // One without conditions is refused at the start; it would fit everybody.
        !self.claims.is_empty() && self.claims.iter().all(fits)
    }

    fn problem(&self, resources: &[Resource]) -> Option<&'static str> {
        let named: Vec<&Resource> =
            resources.iter().filter(|resource| self.resources.contains(&resource.uri)).collect();
        let known: BTreeSet<&str> =
            named.iter().flat_map(|resource| &resource.scopes).map(|scope| scope.name.as_str()).collect();
        if self.claims.is_empty() {
            Some("has no condition: it would fit every workload of the issuer")
        } else if self.claims.keys().any(|pointer| !is_pointer(pointer)) {
            Some("has a condition whose name is no JSON pointer such as /sub")
        } else if self.resources.is_empty() || named.len() != self.resources.len() {
            Some("names no resource, or one that is not configured")
        } else if self.scopes.is_empty() || !self.scopes.iter().all(|scope| known.contains(scope.as_str())) {
            Some("names no scope, or one that none of its resources has")
        } else if self.client_id.as_deref() == Some("") || self.tenant.as_deref() == Some("") {
            Some("has an empty client_id or tenant")
        } else {
            None
        }
    }
}

/// RFC 6901 §3, but never the whole.
fn is_pointer(text: &str) -> bool {
    text.len() > 1
        && text.starts_with('/')
        && text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']))
}

/// Everything that is wrong with the issuers of assertions.
pub(crate) fn problems(config: &OAuthConfig) -> Vec<AssertionProblem> {
    let mut problems = Vec::new();
    let workloads = config.workload_issuers.iter().map(|trusted| &trusted.issuer);
    check_issuers(config, workloads, &mut problems);
    let identities = config.identity_assertion_issuers.iter().map(|trusted| &trusted.issuer);
    check_issuers(config, identities, &mut problems);
    for workload in &config.workload_issuers {
        check_workload(config, workload, &mut problems);
    }
    problems
}

fn check_issuers<'a>(
    config: &OAuthConfig,
    issuers: impl Iterator<Item = &'a AssertionIssuer>,
    problems: &mut Vec<AssertionProblem>,
) {
    let mut seen = BTreeSet::new();
    for trusted in issuers {
        let issuer = trusted.issuer.clone();
        if issuer == config.public_url || issuer == config.clients_issuer() {
            problems.push(AssertionProblem::OurselvesTrusted { issuer: issuer.clone() });
        }
        if !(Duration::from_secs(1)..=MAX_LIFETIME).contains(&trusted.max_lifetime) {
            problems.push(AssertionProblem::Lifetime { issuer: issuer.clone(), found: trusted.max_lifetime });
        }
        if !seen.insert(&trusted.issuer) {
            problems.push(AssertionProblem::Twice { issuer });
        }
    }
}

fn check_workload(config: &OAuthConfig, workload: &WorkloadIssuer, problems: &mut Vec<AssertionProblem>) {
    let issuer = &workload.issuer.issuer;
    let reserved = |found: &&String| found.to_ascii_lowercase().ends_with(IDENTITY_ASSERTION);
    problems.extend(
        workload
            .token_types
            .iter()
            .filter(reserved)
            .map(|found| AssertionProblem::TokenType { issuer: issuer.clone(), found: found.clone() }),
    );
    if workload.rules.is_empty() {
        problems.push(AssertionProblem::NoRule { issuer: issuer.clone() });
    }
    for (index, rule) in workload.rules.iter().enumerate() {
        if let Some(why) = rule.problem(&config.resources) {
            problems.push(AssertionProblem::Rule { issuer: issuer.clone(), number: index + 1, why });
        }
    }
}
