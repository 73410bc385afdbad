//! A gateway with everything that it needs, a service that records raw bytes, and a raw client.

mod client;
mod holder;
mod issuer;
mod upstream;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use audit::{AuditLog, MemorySink};
pub(crate) use client::{Connection, call, post};
use gateway::{
    Authorizer, AuthorizerConfig, DpopRules, Gateway, GatewayConfig, Revocations, ServiceConfig, Timeouts,
    public_connection,
};
pub(crate) use holder::{Holder, proof_claims};
use hyper_util::rt::TokioIo;
pub(crate) use issuer::{IDP, ISSUER, Issuer, RESOURCE, claims, with};
use oidc_verify::{Algorithm, IssuerConfig, IssuerSet, SharedKeys, TokenVerifier};
use role_mapper::{MappingDocument, MappingSnapshots, MappingStore, MemoryStore};
use serde_json::json;
use tokio::net::TcpListener;
pub(crate) use upstream::{Service, Step, echo};

/// A trusted foreign issuer.
pub(crate) const FOREIGN: &str = "https://foreign.example.com";
/// The time at which every test starts, in seconds since the epoch.
pub(crate) const START: u64 = 1_800_000_000;

/// A clock that a test moves.
#[derive(Clone)]
pub(crate) struct Hands(Arc<AtomicU64>);

impl Hands {
    pub(crate) fn move_by(&self, seconds: i64) {
        self.0.fetch_add(seconds.cast_unsigned(), Ordering::SeqCst);
    }

    pub(crate) fn seconds(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.seconds())
    }
}

/// Revocations that a test makes.
#[derive(Default)]
pub(crate) struct Revoked {
    version: AtomicU64,
    sessions: std::sync::Mutex<Vec<String>>,
    stale: AtomicBool,
    keys: AtomicU64,
}

impl Revoked {
    pub(crate) fn revoke(&self, session: &str) {
        self.sessions.lock().unwrap().push(session.into());
        self.version.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn keys_changed(&self) {
        self.keys.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn set_stale(&self, stale: bool) {
        self.stale.store(stale, Ordering::SeqCst);
    }
}

impl Revocations for Revoked {
    fn is_revoked(&self, session: &str) -> bool {
        self.sessions.lock().unwrap().iter().any(|revoked| revoked == session)
    }

    fn version(&self) -> u64 {
        self.version.load(Ordering::SeqCst)
    }

    fn key_version(&self) -> u64 {
        self.keys.load(Ordering::SeqCst)
    }

    fn is_current(&self, _: SystemTime) -> bool {
        !self.stale.load(Ordering::SeqCst)
    }
}

/// Everything around an authorizer.
pub(crate) struct World {
    pub(crate) hands: Hands,
    pub(crate) issuer: Issuer,
    pub(crate) foreign: Issuer,
    /// What our own tokens are verified with.
    pub(crate) keys: SharedKeys,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) mapping: Arc<MappingSnapshots>,
    pub(crate) revoked: Arc<Revoked>,
    pub(crate) authorizer: Arc<Authorizer>,
    pub(crate) sink: MemorySink,
    pub(crate) audit: AuditLog,
}

/// Two tenants, a role each, and somebody who is deactivated.
pub(crate) fn document() -> MappingDocument {
    let role = |tenant: &str, name: &str| {
        json!({
            "tenant": tenant, "name": name, "role_arn": format!("arn:aws:iam::111122223333:role/{tenant}-{name}"),
            "tags": { "tenant": tenant }, "duration_seconds": 900,
        })
    };
    let mut limited = role("acme", "limited");
    limited["requests_per_minute"] = 1.into();
    limited["burst"] = 2.into();
    serde_json::from_value(json!({
        "tenants": [
            { "id": "acme", "name": "Acme", "admit_unknown_subjects": true },
            { "id": "globex", "name": "Globex" },
        ],
        "subjects": [
            { "issuer": IDP, "subject": "gus", "tenant": "globex" },
            { "issuer": IDP, "subject": "off", "tenant": "acme", "active": false },
            { "issuer": FOREIGN, "subject": "robot", "tenant": "globex" },
        ],
        "roles": [role("acme", "reader"), limited, role("globex", "reader")],
        "rules": [
            { "id": 1, "tenant": "acme", "role": "reader",
              "conditions": [{ "pointer": "/groups", "contains": "readers" }] },
            { "id": 2, "tenant": "acme", "role": "limited",
              "conditions": [{ "pointer": "/groups", "contains": "limited" }] },
            { "id": 3, "tenant": "globex", "role": "reader" },
        ],
    }))
    .unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_dpop(DpopRules::in_process(&[7; 32])).await
    }

    /// A world with other rules for proofs.
    pub(crate) async fn with_dpop(dpop: DpopRules) -> Self {
        let hands = Hands(Arc::new(AtomicU64::new(START)));
        let (issuer, foreign) = (Issuer::new(), Issuer::new());
        let clock = {
            let hands = hands.clone();
            Arc::new(move || hands.now())
        };
        let ours = IssuerConfig::builder(ISSUER)
            .audience(RESOURCE)
            .audience("api://platform")
            .audience("https://other.example.com/mcp/x");
        let theirs =
            IssuerConfig::builder(FOREIGN).audience(RESOURCE).audience("api://platform").tenant_claim("/org");
        let keys = SharedKeys::new(issuer.keys());
        let verifier = |config: oidc_verify::IssuerConfigBuilder, keys: SharedKeys| {
            let config = config.algorithms([Algorithm::Es256]).build().unwrap();
            TokenVerifier::new(config, keys)
        };
        let foreign_keys = SharedKeys::new(foreign.keys());
        let issuers = IssuerSet::new([verifier(ours, keys.clone()), verifier(theirs, foreign_keys)]).unwrap();
        let store = Arc::new(MemoryStore::with(document()).unwrap());
        let dynamic: Arc<dyn MappingStore> = store.clone();
        let mapping =
            Arc::new(MappingSnapshots::load(dynamic, Duration::from_mins(10), hands.now()).await.unwrap());
        let revoked = Arc::new(Revoked::default());
        let config = AuthorizerConfig {
            own_issuer: ISSUER.into(),
            identity_prefixes: BTreeMap::from([
                (IDP.to_owned(), String::new()),
                (FOREIGN.to_owned(), "foreign".to_owned()),
            ]),
            decision_max_age: Duration::from_mins(1),
            dpop,
        };
        let authorizer =
            Authorizer::new(config, issuers, mapping.clone(), revoked.clone(), clock.clone()).unwrap();
        let sink = MemorySink::default();
        let audit = AuditLog::start(sink.clone(), move || clock()).unwrap();
        let authorizer = Arc::new(authorizer);
        Self { hands, issuer, foreign, keys, store, mapping, revoked, authorizer, sink, audit }
    }

    /// A token of ours for a person of Acme.
    pub(crate) fn token(&self, subject: &str) -> String {
        self.issuer.sign(&claims(subject))
    }

    /// The recorded lines.
    pub(crate) fn audited(&self) -> Vec<String> {
        self.audit.flush();
        self.sink.lines()
    }

    /// Serves a gateway with one service.
    pub(crate) async fn serve(&self, upstream: SocketAddr) -> Served {
        self.serve_with(upstream, |_| {}).await
    }

    /// Serves a gateway whose settings were changed.
    pub(crate) async fn serve_with(
        &self,
        upstream: SocketAddr,
        change: impl FnOnce(&mut GatewayConfig),
    ) -> Served {
        let mut service = ServiceConfig::new("platform", "/mcp/platform", format!("http://{upstream}/mcp"));
        service.scopes = vec!["platform".into()];
        service.timeouts = Timeouts { connect: Duration::from_secs(5), ..Timeouts::default() };
        let mut config = GatewayConfig {
            public_url: "https://connect.example.com".into(),
            authorization_server: ISSUER.into(),
            allowed_origins: vec!["https://catalog.example.com".into()],
            services: vec![service],
        };
        change(&mut config);
        let gateway = Gateway::new(&config, Arc::clone(&self.authorizer), self.audit.clone()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let worker = gateway.worker();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(public_connection().serve_connection(TokioIo::new(stream), worker.clone()));
            }
        });
        Served { address, gateway }
    }
}

/// A gateway that listens.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) gateway: Gateway,
}
