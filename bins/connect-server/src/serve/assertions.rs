//! Whose assertions become tokens without a browser, as configured.

use std::{error::Error, sync::Arc, time::Duration};

use oauth_server::{AssertionIssuer, IdentityAssertionIssuer, WorkloadIssuer, WorkloadRule};
use oidc_verify::{Algorithm, FetchClient, JwksCache, JwksLocation, KeySource};

use super::{Clock, StartError};
use crate::config::{self, Config, IdentityProvider};

/// What identity providers sign with; never with a shared secret.
const ALGORITHMS: [Algorithm; 4] = [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa];

/// Identity assertions are for the next minutes, and count once.
const LONGEST: Duration = Duration::from_hours(1);

/// How far a provider's clock may be ahead or behind.
const LEEWAY: Duration = Duration::from_mins(1);

/// The issuers of workload identities.
pub(super) fn workloads(config: &Config, clock: &Clock) -> Result<Vec<WorkloadIssuer>, StartError> {
    config.workload_issuers.iter().map(|workload| self::workload(config, workload, clock)).collect()
}

/// The identity providers that let clients in for people.
pub(super) fn identities(config: &Config, clock: &Clock) -> Result<Vec<IdentityAssertionIssuer>, StartError> {
    let providers = config.identity_providers.iter().filter(|provider| provider.id_jag);
    providers.map(|provider| identity(provider, clock)).collect()
}

fn workload(
    config: &Config,
    workload: &config::WorkloadIssuer,
    clock: &Clock,
) -> Result<WorkloadIssuer, StartError> {
    let location = match &workload.jwks_uri {
        Some(uri) => JwksLocation::Uri(uri.clone()),
        None => JwksLocation::Discover(workload.issuer.clone()),
    };
    Ok(WorkloadIssuer {
        issuer: AssertionIssuer {
            issuer: workload.issuer.clone(),
            keys: keys(&workload.issuer, location, clock)?,
            algorithms: workload.algorithms.clone(),
            max_lifetime: workload.max_lifetime,
            leeway: workload.leeway,
            tenant_claim: workload.tenant_claim.clone(),
            hint_claims: workload.hint_claims.clone(),
        },
        token_types: workload.token_types.clone(),
        rules: workload.rules.iter().map(|rule| self::rule(config, rule)).collect(),
    })
}

fn rule(config: &Config, rule: &config::WorkloadRule) -> WorkloadRule {
    let named = config
        .services
        .iter()
        .filter(|service| rule.services.iter().any(|name| name == service.name.as_str()));
    WorkloadRule {
        claims: rule.claims.clone(),
        client_id: rule.client_id.clone(),
        resources: named.map(|service| config.resource(service)).collect(),
        scopes: rule.scopes.clone(),
        tenant: rule.tenant.clone(),
    }
}

fn identity(provider: &IdentityProvider, clock: &Clock) -> Result<IdentityAssertionIssuer, StartError> {
    let location = JwksLocation::Discover(provider.issuer.clone());
    Ok(IdentityAssertionIssuer {
        source: provider.id.to_string(),
        issuer: AssertionIssuer {
            issuer: provider.issuer.clone(),
            keys: keys(&provider.issuer, location, clock)?,
            algorithms: ALGORITHMS.to_vec(),
            max_lifetime: LONGEST,
            leeway: LEEWAY,
            tenant_claim: provider.tenant_claim.clone(),
            hint_claims: provider.hint_claims.clone(),
        },
    })
}

/// Keys that are read when somebody presents an assertion: some issuers are never heard of.
fn keys(issuer: &str, location: JwksLocation, clock: &Clock) -> Result<KeySource, StartError> {
    let untrusted =
        |source: Box<dyn Error + Send + Sync>| StartError::Issuer { issuer: issuer.to_owned(), source };
    let client = FetchClient::new(reqwest::Client::builder()).map_err(|error| untrusted(error.into()))?;
    let keys =
        JwksCache::new(client, location, Arc::clone(clock)).map_err(|error| untrusted(error.into()))?;
    Ok(keys.into())
}
