//! The authorization server as configured.

use std::{error::Error, sync::Arc, time::Duration};

use audit::AuditLog;
use axum::http::HeaderValue;
use connect_hosts::RedirectPolicy;
use oauth_server::{
    Brand, DeviceClients, KeySettings, OAuthConfig, OAuthServer, Parts, Resource, ScopeText,
    SigningAlgorithm, SystemRandomness,
    identity::{IdentitySource, OidcUpstream, OidcUpstreamConfig, StaticUser, StaticUsers},
    store::SeaOrmStore,
};
use oidc_verify::{Algorithm, FetchClient, IssuerConfig, JwksCache, JwksLocation, TokenVerifier};
use public_fetch::PublicFetch;
use sea_orm::DatabaseConnection;
use secrecy::ExposeSecret;

use super::{Clock, StartError, account_facts::MappedFacts, assertions, clients};
use crate::{
    config::{self, Config, RsaBits},
    sealing, secrets,
};

/// What documents of clients are asked for with.
const USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("connect-server/", env!("CARGO_PKG_VERSION")));
/// How far a provider's clock may be from ours when it ends a sign-in.
const LOGOUT_LEEWAY: Duration = Duration::from_mins(1);

/// The issuer of people who are in the configuration.
pub(crate) fn static_issuer(config: &Config) -> String {
    format!("{}/static", config.public_url.as_str())
}

pub(super) async fn server(
    config: &Config,
    connection: DatabaseConnection,
    audit: &AuditLog,
    clock: &Clock,
    facts: MappedFacts,
) -> Result<OAuthServer, StartError> {
    let sealing = sealing::sealing(config).await?;
    if sealing.key_id().is_none() && !config.public_url.is_loopback() {
        tracing::warn!("signing keys are kept unsealed: set keys.seal");
    }
    let parts = Parts {
        store: Arc::new(SeaOrmStore::new(connection)),
        identity_sources: identity_sources(config, clock).await?,
        redirects: RedirectPolicy::new(config.allowed_hosts.clone()),
        audit: audit.clone(),
        clock: Arc::clone(clock),
        randomness: Arc::new(SystemRandomness),
        sealing,
        fetch: Arc::new(public_documents(config)?),
        account_facts: Some(Arc::new(facts)),
    };
    let mut oauth = oauth_config(config, clock)?;
    oauth.clients = clients::configured(config, clock()).await?;
    Ok(OAuthServer::new(oauth, parts).await?)
}

/// Reads what clients publish about themselves. Only a server that nobody else reaches reads it from its own computer.
fn public_documents(config: &Config) -> Result<PublicFetch, StartError> {
    let fetch = PublicFetch::builder().user_agent(USER_AGENT);
    let fetch = if config.public_url.is_loopback() { fetch.dangerous_loopback_http() } else { fetch };
    Ok(fetch.build()?)
}

/// How signing keys are made.
pub(crate) fn key_settings(config: &Config) -> KeySettings {
    KeySettings {
        algorithm: match config.tokens.algorithm {
            config::Algorithm::Es256 => SigningAlgorithm::Es256,
            config::Algorithm::EdDsa => SigningAlgorithm::EdDsa,
            config::Algorithm::Rs256 => SigningAlgorithm::Rs256,
        },
        rsa_bits: match config.keys.rsa_bits {
            RsaBits::Bits2048 => oauth_server::RsaBits::Bits2048,
            RsaBits::Bits3072 => oauth_server::RsaBits::Bits3072,
        },
        rotate_every: config.keys.rotate_every,
    }
}

fn oauth_config(config: &Config, clock: &Clock) -> Result<OAuthConfig, StartError> {
    let resources = config.services.iter().map(|service| resource(config, service)).collect();
    let mut oauth = OAuthConfig::new(config.public_url.as_str(), resources);
    oauth.access_lifetime = config.tokens.access;
    oauth.refresh_replay = config.tokens.refresh_replay;
    oauth.refresh_idle_lifetime = config.tokens.refresh_idle;
    oauth.refresh_absolute_lifetime = config.tokens.refresh_absolute;
    oauth.keys = key_settings(config);
    oauth.device_clients = match config.device.clients {
        config::DeviceClients::Off => DeviceClients::Off,
        config::DeviceClients::Operator => DeviceClients::Operator,
        config::DeviceClients::Any => DeviceClients::Any,
    };
    oauth.session_idle_lifetime = config.sessions.idle;
    oauth.session_absolute_lifetime = config.sessions.absolute;
    oauth.workload_issuers = assertions::workloads(config, clock)?;
    oauth.identity_assertion_issuers = assertions::identities(config, clock)?;
    oauth.device_lifetime = config.device.lifetime;
    oauth.client_documents = config.clients.documents.clone();
    oauth.registration = config.registration.mode.clone();
    oauth.registration_rate = config.registration.rate;
    oauth.portal_lifetime = config.portal.lifetime;
    oauth.dpop_nonce_required = config.tokens.dpop_nonce_required;
    oauth.brand = brand(&config.brand)?;
    Ok(oauth)
}

fn brand(config: &config::Brand) -> Result<Brand, StartError> {
    let mut brand = Brand::new(&config.name, config.support_link.as_deref())?;
    if let Some(accent) = &config.accent {
        brand = brand.with_accent(accent)?;
    }
    if let Some(logo) = &config.logo {
        let unreadable = |source| StartError::Logo { file: logo.display().to_string(), source };
        brand = brand.with_logo(&std::fs::read(logo).map_err(unreadable)?)?;
    }
    Ok(brand)
}

fn resource(config: &Config, service: &config::Service) -> Resource {
    let scope = |name: &String| ScopeText {
        name: name.clone(),
        description: service.scope_descriptions.get(name).cloned(),
    };
    Resource {
        uri: config.resource(service),
        name: service.label.clone(),
        scopes: service.scopes.iter().map(scope).collect(),
    }
}

async fn identity_sources(config: &Config, clock: &Clock) -> Result<Vec<IdentitySource>, StartError> {
    let http = OidcUpstream::http_client().build()?;
    let mut sources = Vec::new();
    for provider in &config.identity_providers {
        let client_secret = match &provider.client_secret {
            Some(secret) => Some(secrets::resolve(secret).await?),
            None => None,
        };
        let upstream = OidcUpstreamConfig {
            id: provider.id.to_string(),
            label: provider.label.clone(),
            issuer: provider.issuer.clone(),
            client_id: provider.client_id.clone(),
            client_secret,
            scopes: provider.scopes.clone(),
            tenant_claim: provider.tenant_claim.clone(),
            hint_claims: provider.hint_claims.clone(),
            domains: provider.domains.clone(),
            recheck: provider.recheck,
        };
        let upstream = OidcUpstream::new(upstream, http.clone())?;
        let logout = logout_verifier(provider, clock)
            .map_err(|source| StartError::Issuer { issuer: provider.issuer.clone(), source })?;
        sources.push(IdentitySource::Oidc(upstream.accept_logout(logout)));
    }
    if !config.static_users.is_empty() {
        let users = config.static_users.iter().map(static_user).collect();
        sources.push(IdentitySource::Static(StaticUsers::new("static", static_issuer(config), users)?));
    }
    Ok(sources)
}

/// Accepts the logout tokens of a provider. Its keys are read when the first one comes.
fn logout_verifier(
    provider: &config::IdentityProvider,
    clock: &Clock,
) -> Result<TokenVerifier, Box<dyn Error + Send + Sync>> {
    let issuer = IssuerConfig::builder(provider.issuer.as_str())
        .audience(provider.client_id.as_str())
        .algorithms(Algorithm::ALL)
        .token_types(["logout+jwt", "JWT"])
        .leeway(LOGOUT_LEEWAY)
        .build()?;
    let client = FetchClient::new(reqwest::Client::builder())?;
    let keys = JwksCache::new(client, JwksLocation::Discover(provider.issuer.clone()), Arc::clone(clock))?;
    Ok(TokenVerifier::new(issuer, keys))
}

fn static_user(user: &config::StaticUser) -> StaticUser {
    StaticUser {
        username: user.username.clone(),
        password_hash: user.password_hash.expose_secret().to_owned(),
        tenant: user.tenant.clone(),
        subject: user.username.clone(),
        display_name: user.display_name.clone(),
        hints: user.hints.clone(),
    }
}
