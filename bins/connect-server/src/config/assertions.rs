//! Issuers whose assertions become tokens without a browser.

use std::{collections::BTreeMap, time::Duration};

use oauth_server::ClaimPattern;
use oidc_verify::Algorithm;
use settings::{Section, Span};

use super::{Service, read, values};

/// An issuer of workload identities, such as a cluster or a build system.
#[derive(Debug)]
pub struct WorkloadIssuer {
    /// Issuer identifier, compared byte for byte.
    pub issuer: String,
    /// Accepted signature algorithms.
    pub algorithms: Vec<Algorithm>,
    /// Where its keys are; found by discovery when absent.
    pub jwks_uri: Option<String>,
    /// Accepted values of a token's `typ`.
    pub token_types: Vec<String>,
    /// Longest time from `iat` to `exp`.
    pub max_lifetime: Duration,
    /// Tolerated difference between clocks.
    pub leeway: Duration,
    /// JSON pointer to the claim that names the tenant.
    pub tenant_claim: Option<String>,
    /// Claims kept for rules and tags.
    pub hint_claims: Vec<String>,
    /// Keeps the subjects of several issuers apart in CloudTrail.
    pub source_identity_prefix: String,
    /// Which workloads may have which tokens: the first that fits decides.
    pub rules: Vec<WorkloadRule>,
}

/// Which tokens a workload may have.
#[derive(Debug)]
pub struct WorkloadRule {
    /// What the claims at these JSON pointers must be, all of them.
    pub claims: BTreeMap<String, ClaimPattern>,
    /// The client that the workload acts as, which then needs no other credential.
    pub client_id: Option<String>,
    /// Names of the services that it may call.
    pub services: Vec<String>,
    /// Scopes that it may have.
    pub scopes: Vec<String>,
    /// Tenant, whatever the issuer says.
    pub tenant: Option<String>,
}

const DEFAULT_LIFETIME: Duration = Duration::from_hours(1);

pub(super) fn workload_issuer(mut section: Section<'_>) -> Option<WorkloadIssuer> {
    let issuer = section.required("issuer", values::IssuerUrl::EXPECTED);
    let algorithms = section.list("algorithms", "an algorithm such as RS256");
    let jwks_uri = section.optional::<values::IssuerUrl>("jwks_uri", "an https URL");
    let mut token_types = section.list("token_types", "a type such as JWT");
    if token_types.is_empty() {
        token_types.push("JWT".to_owned());
    }
    let max_lifetime = section.or("max_lifetime", read::SPAN, Span(DEFAULT_LIFETIME));
    let leeway = section.or("leeway", read::SPAN, Span(Duration::from_mins(1)));
    let tenant_claim = section.optional::<values::Pointer>("tenant_claim", read::POINTER);
    let hint_claims = section.list("hint_claims", "the name of a claim");
    let prefix = section.or("source_identity_prefix", values::Prefix::EXPECTED, values::Prefix::default());
    let rules: Vec<WorkloadRule> = section.sections("rule").into_iter().map(rule).collect();
    if algorithms.is_empty() {
        section.contradiction(
            "algorithms",
            "an empty list",
            "at least one item: an empty list would mean anything",
        );
    }
    if rules.is_empty() {
        section.contradiction(
            "rule",
            "no rule",
            "at least one [[workload_issuer.rule]]: without one nothing is issued",
        );
    }
    Some(WorkloadIssuer {
        issuer: issuer.map(|url: values::IssuerUrl| url.0)?,
        algorithms,
        jwks_uri: jwks_uri.map(|url| url.0),
        token_types,
        max_lifetime: max_lifetime?.0,
        leeway: leeway?.0,
        tenant_claim: tenant_claim.map(|pointer| pointer.0),
        hint_claims,
        source_identity_prefix: prefix?.0,
        rules,
    })
}

fn rule(mut section: Section<'_>) -> WorkloadRule {
    let written = section.texts("claims", "what the claim must be");
    let client_id = section.optional("client_id", "the identifier of a registered client");
    let services = section.list("services", "the name of a service");
    let scopes = section.list("scopes", "a scope");
    let tenant = section.optional("tenant", "the tenant's identifier");
    if written.is_empty() {
        section.contradiction(
            "claims",
            "no condition",
            "at least one such as { \"/sub\" = \"repo:acme/*\" }: without one the rule fits every workload of the issuer",
        );
    }
    let mut claims = BTreeMap::new();
    for (pointer, pattern) in written {
        match pattern.parse::<ClaimPattern>() {
            Ok(pattern) if pointer.parse::<values::Pointer>().is_ok() => {
                claims.insert(pointer, pattern);
            }
            Ok(_) => section.contradiction("claims", &format!("{pointer:?}"), read::POINTER),
            Err(invalid) => section.contradiction(
                "claims",
                &invalid.to_string(),
                "the whole text, or one that ends with /* or :*",
            ),
        }
    }
    WorkloadRule { claims, client_id, services, scopes, tenant }
}

/// What a rule names exists.
pub(super) fn rules_name_services(
    root: &Section<'_>,
    issuers: Option<&[WorkloadIssuer]>,
    services: Option<&[Service]>,
) {
    let Some(services) = services else { return };
    for rule in issuers.unwrap_or_default().iter().flat_map(|issuer| &issuer.rules) {
        let named: Vec<&Service> = services
            .iter()
            .filter(|service| rule.services.iter().any(|name| name == service.name.as_str()))
            .collect();
        let unknown =
            rule.services.iter().find(|name| !named.iter().any(|service| service.name.as_str() == *name));
        if rule.services.is_empty() || unknown.is_some() {
            let found = unknown
                .map_or_else(|| "a rule without services".to_owned(), |name| format!("service {name:?}"));
            root.contradiction(
                "workload_issuer",
                &found,
                "in each rule the names of services that are configured",
            );
        }
        let has = |scope: &String| named.iter().any(|service| service.scopes.contains(scope));
        if let Some(scope) = rule.scopes.iter().find(|scope| !has(scope)) {
            root.contradiction(
                "workload_issuer",
                &format!("scope {scope:?}"),
                "in each rule scopes of the services that it names",
            );
        }
        if rule.scopes.is_empty() {
            root.contradiction("workload_issuer", "a rule without scopes", "at least one scope in each rule");
        }
    }
}
