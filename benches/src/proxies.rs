//! The two proxies that are compared.

use std::{
    collections::BTreeMap,
    env, fs, io,
    net::SocketAddr,
    process,
    sync::Arc,
    time::{Duration, SystemTime},
};

use audit::{AuditLog, FileSink};
use gateway::{
    Authorizer, AuthorizerConfig, DpopRules, Gateway, GatewayConfig, Protocol, Revocations, ServiceConfig,
    public_connection,
};
use hyper::{Request, Uri, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use oidc_verify::{IssuerConfig, IssuerSet, SharedKeys, TokenVerifier};
use role_mapper::{MappingDocument, MappingSnapshots, MemoryStore};
use serde_json::json;

use crate::{
    Outcome, Reading, Signature,
    issue::{IDENTITY_ISSUER, ISSUER, Issuer, RESOURCE},
    upstream::serve_forever,
};

/// Hyper's server before hyper-util's pooled client, and nothing else.
pub(crate) fn pass_through(upstream: SocketAddr) -> Outcome {
    serve_forever(|listener| async move {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client: Client<_, Incoming> = Client::builder(TokioExecutor::new()).build(connector);
        let uri: Uri = format!("http://{upstream}/mcp").parse()?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let (client, uri) = (client.clone(), uri.clone());
            let forward = service_fn(move |mut request: Request<Incoming>| {
                *request.uri_mut() = uri.clone();
                client.request(request)
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), forward));
        }
    })
}

/// The gateway with everything on, its audit events among it.
pub(crate) fn gateway(upstream: SocketAddr, signature: Signature, reading: Reading) -> Outcome {
    let issuer = Issuer::new(signature)?;
    serve_forever(|listener| async move {
        let gateway = build(upstream, &issuer, reading).await?;
        for token in issuer.tokens(clock())? {
            println!("{token}");
        }
        println!();
        let settings = public_connection();
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(settings.serve_connection(TokioIo::new(stream), gateway.clone()));
        }
    })
}

struct NothingRevoked;

impl Revocations for NothingRevoked {
    fn is_revoked(&self, _: &str) -> bool {
        false
    }

    fn version(&self) -> u64 {
        1
    }

    fn key_version(&self) -> u64 {
        1
    }

    fn is_current(&self, _: SystemTime) -> bool {
        true
    }
}

/// A file of its own that is gone with the process, however it ends.
fn audit_file() -> io::Result<FileSink> {
    let path = env::temp_dir().join(format!("gateway-bench-{}.jsonl", process::id()));
    let sink = FileSink::open(&path)?;
    fs::remove_file(path)?;
    Ok(sink)
}

async fn build(upstream: SocketAddr, issuer: &Issuer, reading: Reading) -> Outcome<Gateway> {
    let trusted =
        IssuerConfig::builder(ISSUER).audience(RESOURCE).algorithms([issuer.algorithm()]).build()?;
    let issuers = IssuerSet::new([TokenVerifier::new(trusted, SharedKeys::new(issuer.keys()?))])?;
    let store = Arc::new(MemoryStore::with(mapping()?)?);
    // Nobody refreshes it here.
    let snapshots = MappingSnapshots::load(store, Duration::from_hours(24), clock()).await?;
    let config = AuthorizerConfig {
        own_issuer: ISSUER.into(),
        identity_prefixes: BTreeMap::from([(IDENTITY_ISSUER.to_owned(), String::new())]),
        decision_max_age: Duration::from_hours(1),
        dpop: DpopRules::in_process(&[7; 32]),
    };
    let authorizer =
        Authorizer::new(config, issuers, Arc::new(snapshots), Arc::new(NothingRevoked), Arc::new(clock))?;
    let audit = AuditLog::start(audit_file()?, clock)?;
    let mut service = ServiceConfig::new("platform", "/mcp/platform", format!("http://{upstream}/mcp"));
    service.scopes = vec!["platform".into()];
    if reading == Reading::Head {
        service.protocol = Protocol::Opaque;
    }
    let config = GatewayConfig {
        public_url: ISSUER.into(),
        authorization_server: ISSUER.into(),
        allowed_origins: Vec::new(),
        services: vec![service],
    };
    Ok(Gateway::new(&config, Arc::new(authorizer), audit)?)
}

/// One tenant, one rule for everybody in it, and a limit that is counted but never reached.
fn mapping() -> Outcome<MappingDocument> {
    Ok(serde_json::from_value(json!({
        "tenants": [{ "id": "acme", "name": "Acme", "admit_unknown_subjects": true }],
        "roles": [{
            "tenant": "acme", "name": "reader", "role_arn": "arn:aws:iam::111122223333:role/connect/acme-reader",
            "tags": { "tenant": "acme", "department": { "claim": "/department" } },
            "requests_per_minute": 10_000_000, "burst": 1_000_000,
        }],
        "rules": [{
            "id": 1, "tenant": "acme", "role": "reader",
            "conditions": [{ "pointer": "/groups", "contains": "readers" }],
        }],
    }))?)
}

#[expect(clippy::disallowed_methods, reason = "the bench runs on the machine's own time")]
fn clock() -> SystemTime {
    SystemTime::now()
}
