//! Who may call which service: the trusted issuers, the authorizer and the gateway as configured.

use std::{
    collections::BTreeMap,
    error::Error,
    sync::Arc,
    time::{Duration, SystemTime},
};

use audit::AuditLog;
use gateway::{Authorizer, AuthorizerConfig, Gateway, GatewayConfig, Revocations, ServiceConfig, Timeouts};
use oauth_server::{KeyRing, OAuthServer, RevocationView};
use oidc_verify::{Algorithm, FetchClient, IssuerConfig, IssuerSet, JwksCache, JwksLocation, TokenVerifier};
use role_mapper::MappingSnapshots;

use super::{Clock, StartError, possession, sign_in};
use crate::config::{self, CLIENTS_PREFIX, Config, TrustedIssuer};

/// Revocations by the authorization server of this process and of its replicas.
struct OurRevocations {
    view: Arc<RevocationView>,
    keys: Arc<KeyRing>,
    max_age: Duration,
}

impl Revocations for OurRevocations {
    fn is_revoked(&self, session: &str) -> bool {
        self.view.is_revoked(session)
    }

    fn version(&self) -> u64 {
        self.view.version()
    }

    fn key_version(&self) -> u64 {
        self.keys.version()
    }

    fn is_current(&self, now: SystemTime) -> bool {
        self.view.check_age(now, self.max_age).is_ok()
    }
}

/// The authorizer, and the keys of other issuers that must be kept fresh.
pub(super) fn authorizer(
    config: &Config,
    oauth: &OAuthServer,
    mapping: &Arc<MappingSnapshots>,
    clock: &Clock,
) -> Result<(Authorizer, Vec<JwksCache>), StartError> {
    let mut verifiers =
        vec![own_verifier(config, oauth).map_err(|source| untrusted(config.public_url.as_str(), source))?];
    let mut remote_keys = Vec::new();
    for issuer in &config.trusted_issuers {
        let (verifier, keys) =
            trusted(config, issuer, clock).map_err(|source| untrusted(&issuer.issuer, source))?;
        verifiers.push(verifier);
        remote_keys.push(keys);
    }
    let issuers =
        IssuerSet::new(verifiers).map_err(|source| untrusted(config.public_url.as_str(), source.into()))?;
    let settings = AuthorizerConfig {
        own_issuer: config.public_url.as_str().to_owned(),
        identity_prefixes: identity_prefixes(config, oauth),
        decision_max_age: config.database.max_age,
        dpop: possession::rules(config, oauth),
    };
    let revocations =
        OurRevocations { view: oauth.revocations(), keys: oauth.keys(), max_age: config.database.max_age };
    let authorizer =
        Authorizer::new(settings, issuers, Arc::clone(mapping), Arc::new(revocations), Arc::clone(clock));
    Ok((authorizer.map_err(|error| StartError::Gateway(error.into()))?, remote_keys))
}

/// The gateway in front of every configured service.
pub(super) fn gateway(
    config: &Config,
    authorizer: Authorizer,
    audit: &AuditLog,
) -> Result<Gateway, StartError> {
    let allowed = config.services.iter().flat_map(|service| &service.allowed_origins);
    let settings = GatewayConfig {
        public_url: config.public_url.as_str().to_owned(),
        authorization_server: config.public_url.as_str().to_owned(),
        allowed_origins: allowed.map(|origin| origin.as_str().to_owned()).collect(),
        services: config.services.iter().map(service).collect(),
    };
    Gateway::new(&settings, Arc::new(authorizer), audit.clone())
        .map_err(|error| StartError::Gateway(error.into()))
}

fn service(service: &config::Service) -> ServiceConfig {
    let mut settings =
        ServiceConfig::new(service.name.as_str(), service.path.as_str(), service.upstream.as_str());
    settings.audiences.clone_from(&service.audiences);
    settings.scopes.clone_from(&service.scopes);
    settings.dpop_required = service.dpop_required;
    settings.timeouts = Timeouts {
        connect: service.connect_timeout,
        response: service.response_timeout,
        idle: service.idle_timeout,
    };
    settings
}

/// Our own tokens: signed by the keys of this process, for one of our resources (RFC 9068 §4).
fn own_verifier(config: &Config, oauth: &OAuthServer) -> Result<TokenVerifier, Box<dyn Error + Send + Sync>> {
    let issuer = IssuerConfig::builder(config.public_url.as_str())
        .audiences(resources(config))
        .algorithms([Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256])
        .token_types(["at+jwt"])
        .required_claims(["client_id", "idp", "sid"])
        .build()?;
    Ok(TokenVerifier::new(issuer, oauth.keys().verification_keys()))
}

/// Tokens of another issuer, for one of our resources or what means the same.
fn trusted(
    config: &Config,
    trusted: &TrustedIssuer,
    clock: &Clock,
) -> Result<(TokenVerifier, JwksCache), Box<dyn Error + Send + Sync>> {
    let algorithms: Vec<Algorithm> =
        trusted.algorithms.iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
    let mut issuer = IssuerConfig::builder(trusted.issuer.as_str())
        .audiences(resources(config))
        .audiences(config.services.iter().flat_map(|service| service.audiences.iter().cloned()))
        .algorithms(algorithms)
        .token_types(trusted.token_types.iter().cloned())
        .required_claims(trusted.required_claims.iter().cloned())
        .leeway(trusted.leeway);
    if let Some(pointer) = &trusted.tenant_claim {
        issuer = issuer.tenant_claim(pointer);
    }
    let location = match &trusted.jwks_uri {
        Some(uri) => JwksLocation::Uri(uri.clone()),
        None => JwksLocation::Discover(trusted.issuer.clone()),
    };
    let client = FetchClient::new(reqwest::Client::builder())?;
    let keys = JwksCache::new(client, location, Arc::clone(clock))?;
    Ok((TokenVerifier::new(issuer.build()?, keys.clone()), keys))
}

fn resources(config: &Config) -> impl Iterator<Item = String> + '_ {
    config.services.iter().map(|service| config.resource(service))
}

fn untrusted(issuer: &str, source: Box<dyn Error + Send + Sync>) -> StartError {
    StartError::Issuer { issuer: issuer.to_owned(), source }
}

/// Every issuer of an identity, with what stands before its subjects in a source identity.
fn identity_prefixes(config: &Config, oauth: &OAuthServer) -> BTreeMap<String, String> {
    let providers = config.identity_providers.iter();
    let issuers = config.trusted_issuers.iter();
    let mut prefixes: BTreeMap<String, String> = providers
        .map(|provider| (provider.issuer.clone(), provider.source_identity_prefix.clone()))
        .chain(issuers.map(|issuer| (issuer.issuer.clone(), issuer.source_identity_prefix.clone())))
        .collect();
    let workloads = config.workload_issuers.iter();
    prefixes
        .extend(workloads.map(|workload| (workload.issuer.clone(), workload.source_identity_prefix.clone())));
    if !config.static_users.is_empty() {
        let prefix = if prefixes.is_empty() { "" } else { "static" };
        prefixes.insert(sign_in::static_issuer(config), prefix.to_owned());
    }
    prefixes.insert(oauth.clients_issuer(), CLIENTS_PREFIX.to_owned());
    prefixes
}
