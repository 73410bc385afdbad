//! `connect-server check`: everything that can be wrong, found before users find it.

use std::{net::ToSocketAddrs, time::Duration};

use role_mapper::{Mapping, MappingStore, SeaOrmStore};
use serde::Serialize;
use url::Url;

use super::{CliError, error::Chain, keys, print};
use crate::{config::Config, database, secrets};

/// How long anything that is asked may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize)]
struct Finding {
    what: String,
    ok: bool,
    detail: String,
}

impl Finding {
    fn new(what: impl Into<String>, result: Result<String, String>) -> Self {
        let ok = result.is_ok();
        Self { what: what.into(), ok, detail: result.unwrap_or_else(|problem| problem) }
    }
}

pub(super) async fn run(config: Result<Config, CliError>, json: bool) -> Result<(), CliError> {
    let findings = match config {
        Ok(config) => findings(&config).await,
        Err(CliError::Config(problems)) => {
            let finding =
                |problem: &settings::Problem| Finding::new("configuration", Err(problem.to_string()));
            problems.as_slice().iter().map(finding).collect()
        }
        Err(error) => return Err(error),
    };
    if json {
        let text =
            serde_json::to_string_pretty(&findings).map_err(|error| CliError::Input(error.to_string()))?;
        print(&format!("{text}\n"))?;
    } else {
        for Finding { what, ok, detail } in &findings {
            print(&format!("{:<8}{what}: {detail}\n", if *ok { "ok" } else { "PROBLEM" }))?;
        }
    }
    match findings.iter().filter(|finding| !finding.ok).count() {
        0 => Ok(()),
        count => Err(CliError::Unhealthy(format!("{count} problem(s) found"))),
    }
}

async fn findings(config: &Config) -> Vec<Finding> {
    let mut findings = vec![Finding::new("configuration", Ok("every setting is understood".to_owned()))];
    findings.push(Finding::new(
        "allowed_hosts",
        match config.ignored_hosts.as_slice() {
            [] if config.allowed_hosts.is_empty() => Ok("empty: Connect is disabled".to_owned()),
            [] => Ok("every entry is understood".to_owned()),
            ignored => Err(ignored.join("; ")),
        },
    ));
    findings.extend(database_findings(config).await);
    let http =
        reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).build();
    match http {
        Ok(http) => findings.extend(issuer_findings(config, &http).await),
        Err(error) => findings.push(Finding::new("HTTP client", Err(Chain(&error).to_string()))),
    }
    for service in &config.services {
        let what = format!("service {}", service.name);
        findings.push(Finding::new(what, reach(service.upstream.as_str()).await));
    }
    findings
}

async fn database_findings(config: &Config) -> Vec<Finding> {
    let connection = match database::connect(&config.database).await {
        Ok(connection) => connection,
        Err(error) => return vec![Finding::new("database", Err(Chain(&error).to_string()))],
    };
    let url = config.database.url.as_str();
    let migrated = database::check(&config.database, &connection).await;
    let mut findings = vec![Finding::new(
        "database",
        migrated.map(|()| format!("{url} is up to date")).map_err(|error| Chain(&error).to_string()),
    )];
    if findings.iter().all(|finding| finding.ok) {
        findings.extend(mapping_findings(&SeaOrmStore::new(connection.clone())).await);
        let keys = keys::findings(config, &oauth_server::store::SeaOrmStore::new(connection)).await;
        findings.extend(keys.into_iter().map(|(what, result)| Finding::new(what, result)));
    }
    findings
}

async fn mapping_findings(store: &SeaOrmStore) -> Vec<Finding> {
    let loaded = match store.load().await {
        Ok(loaded) => loaded,
        Err(error) => return vec![Finding::new("mapping", Err(Chain(&error).to_string()))],
    };
    let (tenants, rules) = (loaded.document.tenants.len(), loaded.document.rules.len());
    let mapping = Mapping::disabling_broken(&loaded.document, loaded.unreadable);
    if mapping.problems().is_empty() {
        let empty =
            if rules == 0 { ": nobody gets a role until `connect-server mapping import`" } else { "" };
        return vec![Finding::new("mapping", Ok(format!("{tenants} tenant(s), {rules} rule(s){empty}")))];
    }
    mapping.problems().iter().map(|problem| Finding::new("mapping", Err(problem.to_string()))).collect()
}

async fn issuer_findings(config: &Config, http: &reqwest::Client) -> Vec<Finding> {
    let mut findings = Vec::new();
    for provider in &config.identity_providers {
        let what = format!("identity provider {}", provider.id);
        let secret = match &provider.client_secret {
            Some(secret) => secrets::resolve(secret).await.map(drop),
            None => Ok(()),
        };
        if let Err(error) = secret {
            findings.push(Finding::new(&what, Err(Chain(&error).to_string())));
        }
        findings.push(Finding::new(what, discovery(http, &provider.issuer).await));
    }
    for issuer in &config.trusted_issuers {
        let result = match &issuer.jwks_uri {
            Some(uri) => fetch(http, uri).await.map(|_| format!("{uri} answers")),
            None => discovery(http, &issuer.issuer).await,
        };
        findings.push(Finding::new(format!("trusted issuer {}", issuer.issuer), result));
    }
    findings
}

/// The discovery document must name the issuer byte for byte (OpenID Connect Discovery §4.3).
async fn discovery(http: &reqwest::Client, issuer: &str) -> Result<String, String> {
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let document = fetch(http, &url).await?;
    match document.get("issuer").and_then(serde_json::Value::as_str) {
        Some(found) if found == issuer => Ok(format!("{url} is its document")),
        found => {
            Err(format!("{url} names the issuer {found:?}, expected {issuer:?}: compare them byte for byte"))
        }
    }
}

async fn fetch(http: &reqwest::Client, url: &str) -> Result<serde_json::Value, String> {
    let answer = http.get(url).send().await.map_err(|error| Chain(&error).to_string())?;
    let status = answer.status();
    if !status.is_success() {
        return Err(format!("{url} answers {status}"));
    }
    answer.json().await.map_err(|error| format!("{url} is no JSON document: {}", Chain(&error)))
}

async fn reach(upstream: &str) -> Result<String, String> {
    let url: Url = upstream.parse().map_err(|_| format!("{upstream} is no URL"))?;
    let (host, port) =
        (url.host_str().unwrap_or_default().to_owned(), url.port_or_known_default().unwrap_or(80));
    let address = format!("{host}:{port}");
    let resolving = tokio::task::spawn_blocking({
        let address = address.clone();
        move || address.to_socket_addrs().map(Iterator::collect::<Vec<_>>)
    });
    let resolved = resolving.await.map_err(|error| error.to_string())?;
    let resolved = resolved.map_err(|error| format!("{address} is not known: {error}"))?;
    let connecting = tokio::time::timeout(PATIENCE, tokio::net::TcpStream::connect(resolved.as_slice()));
    match connecting.await {
        Ok(Ok(_)) => Ok(format!("{address} accepts connections")),
        Ok(Err(error)) => Err(format!("{address} cannot be reached: {error}")),
        Err(_) => Err(format!("{address} does not answer within {} s", PATIENCE.as_secs())),
    }
}
