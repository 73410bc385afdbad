//! The server: its parts, what it refuses to start with, and its routes.

use std::{
    collections::BTreeSet,
    error::Error,
    fmt,
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, SystemTime},
};

use audit::{AuditLog, AuditUnavailable, Event};
use axum::{
    Router, middleware,
    routing::{get, post},
};
use connect_hosts::RedirectPolicy;
use oidc_verify::TokenVerifier;
use public_fetch::Fetch;
use tokio::time::{MissedTickBehavior, error::Elapsed, timeout};

use crate::{
    account,
    account_facts::AccountFacts,
    agreement,
    assertions::Assertions,
    authorize, callback,
    client_authn::keys::ClientKeysSource,
    client_documents::{ClientDocuments, PublishedKeys},
    clock::{Clock, before},
    config::{ConfigProblems, OAuthConfig},
    consent, device,
    dpop::DpopRules,
    end_session,
    error::chain,
    exchange, http_layer,
    identity::IdentitySource,
    introspect,
    keys::{KeyError, KeyRing},
    logout,
    metadata::{self, Documents},
    pages,
    password::PasswordCheck,
    portal, pushed,
    random::{Randomness, RandomnessUnavailable},
    rates::RateByName,
    register::{self, Admission},
    revocation_view::RevocationView,
    revoke,
    seal::{SealError, Sealing},
    secret::ServerSecret,
    sign_in,
    store::{Store, StoreError},
    userinfo,
};

/// How often revocations by other replicas are looked for.
const REFRESH_INTERVAL: Duration = Duration::from_secs(2);

/// How long the store may take to tell of revocations before it is asked again.
const REFRESH_PATIENCE: Duration = Duration::from_secs(5);

/// How often the signing keys are looked at. A replica knows a new key after this time at the latest.
const KEYS_INTERVAL: Duration = Duration::from_secs(5);

/// How long that may take: making an RSA key and sealing it elsewhere is slow.
const KEYS_PATIENCE: Duration = Duration::from_secs(15);

/// How often expired rows are deleted.
const PRUNE_INTERVAL: Duration = Duration::from_mins(1);

/// How long a person can read what happened in their name.
const ACTIVITY_RETENTION: Duration = Duration::from_hours(30 * 24);

/// The most rows of a kind that one statement deletes.
const PRUNE_BATCH: u64 = 500;

/// The most such statements in a row for each kind.
const MAX_PRUNE_BATCHES: usize = 100;

/// What the server works with.
pub struct Parts {
    /// Keeps what must survive.
    pub store: Arc<dyn Store>,
    /// Where people sign in.
    pub identity_sources: Vec<IdentitySource>,
    /// Which redirects may receive a code.
    pub redirects: RedirectPolicy,
    /// Records every step.
    pub audit: AuditLog,
    /// The time.
    pub clock: Clock,
    /// Unguessable bytes.
    pub randomness: Arc<dyn Randomness>,
    /// How secrets are sealed before they are kept.
    pub sealing: Sealing,
    /// Reads the documents that clients publish about themselves: only from public addresses.
    pub fetch: Arc<dyn Fetch>,
    /// What people may do, for the pages; they do not say when absent.
    pub account_facts: Option<Arc<dyn AccountFacts>>,
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The settings.
    #[error("the authorization server's settings cannot be used: {0}")]
    Config(ConfigProblems),
    /// Nobody could sign in.
    #[error("no identity source is configured: name an OpenID Connect provider")]
    NoIdentitySource,
    /// Two sources would share a callback.
    #[error("identity source {id:?} is configured twice: each needs its own id")]
    DuplicateIdentitySource {
        /// The id.
        id: String,
    },
    /// Passwords in a configuration file are for trying things out.
    #[error(
        "static_users is for trying things out and needs a loopback public_url, found {public_url:?}: \
         configure an OpenID Connect provider instead"
    )]
    StaticUsersBeyondLoopback {
        /// The public URL.
        public_url: String,
    },
    /// An issuer of assertions.
    #[error("an issuer of assertions cannot be trusted as configured")]
    Assertions(#[from] oidc_verify::ConfigError),
    /// The signing keys.
    #[error("the signing keys are not usable")]
    Keys(#[from] KeyError),
    /// The shared secret or the revocations in force.
    #[error("what the replicas share cannot be read from the store")]
    Store(#[from] StoreError),
    /// The store is another server's.
    #[error(
        "the store belongs to {kept}, but public_url is {configured}: give every replica the same public_url; to move \
         the store for good, so that everybody signs in again, run `connect-server migrate --new-public-url`"
    )]
    PublicUrl {
        /// The public URL that the store was made for.
        kept: String,
        /// The one that is configured.
        configured: String,
    },
    /// The shared secret does not open.
    #[error("the secret that the replicas share cannot be opened")]
    Secret(#[source] SealError),
    /// The shared secret cannot be made.
    #[error("the secret that the replicas share cannot be made")]
    Randomness(#[from] RandomnessUnavailable),
}

/// The authorization server. Clones share everything.
#[derive(Clone)]
pub struct OAuthServer(Arc<Server>);

/// What every route works with.
pub(crate) struct Server {
    pub(crate) config: OAuthConfig,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) identity_sources: Vec<Arc<IdentitySource>>,
    pub(crate) redirects: RedirectPolicy,
    pub(crate) audit: AuditLog,
    pub(crate) clock: Clock,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) keys: Arc<KeyRing>,
    /// What all replicas share.
    pub(crate) secret: ServerSecret,
    /// For proofs of possession.
    pub(crate) dpop: DpopRules,
    /// Verifies what `keys` signed.
    pub(crate) own_tokens: TokenVerifier,
    pub(crate) documents: Documents,
    pub(crate) client_documents: ClientDocuments,
    pub(crate) revocations: Arc<RevocationView>,
    pub(crate) passwords: PasswordCheck,
    /// Whose assertions count.
    pub(crate) assertions: Assertions,
    /// Tokens without a person, by client.
    pub(crate) machine_tokens: RateByName,
    /// Tokens that people take, by person.
    pub(crate) portal_tokens: RateByName,
    /// Questions about tokens, by client.
    pub(crate) introspections: RateByName,
    pub(crate) device_attempts: device::Attempts,
    /// Who may register.
    pub(crate) admission: Admission,
    /// Reads the keys that clients publish.
    pub(crate) client_keys: Box<dyn ClientKeysSource>,
    pub(crate) account_facts: Option<Arc<dyn AccountFacts>>,
}

impl OAuthServer {
    /// Checks the settings and that the store is of this server, loads or makes the signing key, and reads the revocations in force.
    ///
    /// # Errors
    /// [`StartError`], when any of that fails or nobody could sign in.
    pub async fn new(config: OAuthConfig, parts: Parts) -> Result<Self, StartError> {
        config.validate().map_err(StartError::Config)?;
        check_identity_sources(&config, &parts.identity_sources)?;
        let now = (parts.clock)();
        let Parts {
            store,
            identity_sources,
            redirects,
            audit,
            clock,
            randomness,
            sealing,
            fetch,
            account_facts,
        } = parts;
        agreement::check(store.as_ref(), &config, now).await?;
        let secret = ServerSecret::load(store.as_ref(), &sealing, randomness.as_ref(), now).await?;
        let dpop = DpopRules::new(&secret, &config);
        let record = |event| audit.record(event);
        let keys = KeyRing::load(store.as_ref(), config.keys.clone(), sealing, &record, now).await?;
        let own_tokens = keys.verifier(&config)?;
        let revocations = Arc::new(RevocationView::new(config.access_lifetime));
        revocations.refresh(store.as_ref(), now).await?;
        let documents = Documents::new(&config);
        let assertions = Assertions::new(&config)?;
        let machine_tokens = by_client(config.machine_tokens_per_minute);
        let introspections = by_client(config.introspections_per_minute);
        let admission = Admission::new(&config.registration, config.registration_rate);
        let client_keys = Box::new(PublishedKeys::new(Arc::clone(&fetch), Arc::clone(&clock)));
        let client_documents = ClientDocuments::new(&config, fetch, Arc::clone(&store), Arc::clone(&clock));
        Ok(Self(Arc::new(Server {
            config,
            store,
            identity_sources: identity_sources.into_iter().map(Arc::new).collect(),
            redirects,
            audit,
            clock,
            randomness,
            keys: Arc::new(keys),
            dpop,
            secret,
            own_tokens,
            documents,
            client_documents,
            revocations,
            passwords: PasswordCheck::new(),
            assertions,
            machine_tokens,
            portal_tokens: RateByName::new(portal::TOKENS_PER_MINUTE, portal::TOKENS_PER_MINUTE),
            introspections,
            device_attempts: device::Attempts::new(),
            admission,
            client_keys,
            account_facts,
        })))
    }

    /// Every public route of the authorization server. It has no fallback: an unknown path is a plain 404, unless the
    /// binary routes it elsewhere.
    pub fn router(&self) -> Router {
        let for_browser_clients = Router::new()
            .route("/.well-known/oauth-authorization-server", get(metadata::authorization_server))
            .route("/.well-known/openid-configuration", get(metadata::openid_configuration))
            .route("/.well-known/jwks.json", get(metadata::jwks))
            .route("/auth/.well-known/jwks.json", get(metadata::jwks))
            .route("/register", post(register::register))
            .route("/auth/register", post(register::register))
            .route(
                "/register/{client_id}",
                get(register::show).put(register::change).delete(register::delete),
            )
            .route("/device_authorization", post(device::authorize))
            .route("/auth/device_authorization", post(device::authorize))
            .route("/token", post(exchange::token))
            .route("/auth/token", post(exchange::token))
            .route("/backchannel-logout/{source}", post(logout::backchannel))
            .route("/par", post(pushed::push))
            .route("/revoke", post(revoke::revoke))
            .route("/auth/revoke", post(revoke::revoke))
            .route("/introspect", post(introspect::introspect))
            .route("/auth/introspect", post(introspect::introspect))
            .route("/userinfo", get(userinfo::userinfo).post(userinfo::userinfo))
            .layer(middleware::from_fn_with_state(Arc::clone(&self.0), http_layer::json_in_time))
            .layer(middleware::from_fn(http_layer::cors));
        let for_people = Router::new()
            .route("/authorize", get(authorize::by_query).post(authorize::by_form))
            .route("/connect/authorize", get(authorize::by_query).post(authorize::by_form))
            .route("/consent", get(consent::ask).post(consent::decide))
            .route("/sign-in", get(sign_in::start).post(sign_in::submit))
            .route("/device", get(device::ask).post(device::submit))
            .route("/callback/{source}", get(callback::callback))
            .route("/account", get(account::show))
            .route("/account/revoke", post(account::revoke))
            .route("/account/sign-out", post(account::sign_out))
            .route("/portal", get(portal::show).post(portal::take))
            .route("/brand/logo", get(pages::logo))
            .route("/end_session", get(end_session::ask).post(end_session::end))
            .route("/signed-out", get(account::signed_out))
            .layer(middleware::from_fn_with_state(Arc::clone(&self.0), http_layer::page_in_time));
        for_browser_clients
            .merge(for_people)
            .layer(middleware::from_fn_with_state(Arc::clone(&self.0), http_layer::request_id))
            .with_state(Arc::clone(&self.0))
    }

    /// The JWK set that verifies the access tokens at present.
    #[must_use]
    pub fn jwks_json(&self) -> String {
        self.0.keys.jwks_json(self.0.now())
    }

    /// The signing keys, for verifiers in the same process and for readiness.
    #[must_use]
    pub fn keys(&self) -> Arc<KeyRing> {
        Arc::clone(&self.0.keys)
    }

    /// Reads at once what other replicas changed about the signing keys, and makes the next one if it is time.
    ///
    /// # Errors
    /// As [`KeyRing::refresh`].
    pub async fn refresh_keys(&self) -> Result<(), KeyError> {
        self.0.refresh_keys().await
    }

    /// The issuer of clients that act for themselves, for the gateway to know their identities by.
    #[must_use]
    pub fn clients_issuer(&self) -> String {
        self.0.config.clients_issuer()
    }

    /// The revoked grants, for the gateway in the same process.
    #[must_use]
    pub fn revocations(&self) -> Arc<RevocationView> {
        Arc::clone(&self.0.revocations)
    }

    /// 32 bytes that all replicas agree on and nobody else knows, for another part of this process. Each purpose has its
    /// own.
    #[must_use]
    pub fn shared_secret(&self, purpose: &str) -> [u8; 32] {
        self.0.secret.derive("another part of the process", &[purpose.as_bytes()]).to_bytes()
    }

    /// Records for all replicas that something was used, by a hash of it, until `expires_at`; `true` for the first caller
    /// only.
    ///
    /// # Errors
    /// [`StoreError`], when the store does not answer.
    pub async fn use_once(
        &self,
        purpose: &str,
        hash: &[u8; 32],
        expires_at: SystemTime,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let key = self.0.secret.derive("used in another part of the process", &[purpose.as_bytes(), hash]);
        self.0.store.use_once(&key, expires_at, now).await
    }

    /// Follows revocations by other replicas every two seconds and the signing keys every five, and deletes what has
    /// expired every minute, for ever. The binary runs it as a task.
    pub async fn maintain(self) {
        tokio::join!(self.0.follow_revocations(), self.0.follow_keys(), self.0.delete_expired());
    }
}

impl fmt::Debug for OAuthServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthServer").field("issuer", &self.0.config.public_url).finish_non_exhaustive()
    }
}

impl Server {
    /// The present time.
    pub(crate) fn now(&self) -> SystemTime {
        (self.clock)()
    }

    /// Records an event before something is allowed: when this fails, refuse.
    pub(crate) fn record(&self, event: Event) -> Result<(), AuditUnavailable> {
        self.audit.record(event)
    }

    /// Records that something was refused, which stays refused whether or not the log works; the log counts what it
    /// loses.
    pub(crate) fn record_refusal(&self, event: Event) {
        let _ = self.audit.record(event);
    }

    async fn follow_revocations(&self) {
        let (mut interval, mut outage) =
            (interval(REFRESH_INTERVAL), Outage::of("revocations by other replicas"));
        loop {
            interval.tick().await;
            let refresh = self.revocations.refresh(self.store.as_ref(), self.now());
            outage.tell(timeout(REFRESH_PATIENCE, refresh).await);
        }
    }

    async fn follow_keys(&self) {
        let (mut interval, mut outage) = (interval(KEYS_INTERVAL), Outage::of("the signing keys"));
        loop {
            interval.tick().await;
            outage.tell(timeout(KEYS_PATIENCE, self.refresh_keys()).await);
        }
    }

    async fn refresh_keys(&self) -> Result<(), KeyError> {
        self.keys.refresh(self.store.as_ref(), &|event| self.record(event), self.now()).await
    }

    /// Deletes a batch of everything that can no longer matter. Gives how many rows.
    async fn delete_batch(&self) -> Result<u64, StoreError> {
        let now = self.now();
        let unused_before = before(now, self.config.unused_client_lifetime);
        let store = self.store.as_ref();
        Ok(store.prune_interactions(now, PRUNE_BATCH).await?
            + store.prune_grants(now, PRUNE_BATCH).await?
            + store.prune_clients(unused_before, PRUNE_BATCH).await?
            + store.prune_devices(now, PRUNE_BATCH).await?
            + store.prune_documents(now, PRUNE_BATCH).await?
            + store.prune_upstream_tokens(now, PRUNE_BATCH).await?
            + store.prune_one_time(now, PRUNE_BATCH).await?
            + store.prune_pushed(now, PRUNE_BATCH).await?
            + store.prune_sessions(now, PRUNE_BATCH).await?
            + store.prune_activity(before(now, ACTIVITY_RETENTION), PRUNE_BATCH).await?
            + store.prune_registration_tokens(now, PRUNE_BATCH).await?)
    }

    async fn delete_expired(&self) {
        let mut interval = interval(PRUNE_INTERVAL);
        loop {
            interval.tick().await;
            for _ in 0..MAX_PRUNE_BATCHES {
                match self.delete_batch().await {
                    Ok(deleted) if deleted >= PRUNE_BATCH => {}
                    Ok(_) => break,
                    Err(error) => {
                        tracing::warn!(error = chain(&error), "expired rows cannot be deleted");
                        break;
                    }
                }
            }
        }
    }
}

fn by_client(per_minute: NonZeroU32) -> RateByName {
    RateByName::new(per_minute, NonZeroU32::new(per_minute.get() / 2).unwrap_or(NonZeroU32::MIN))
}

/// Says when something cannot be followed: once per outage, not every few seconds.
struct Outage {
    what: &'static str,
    lasts: bool,
}

impl Outage {
    fn of(what: &'static str) -> Self {
        Self { what, lasts: false }
    }

    fn tell<E: Error>(&mut self, refreshed: Result<Result<(), E>, Elapsed>) {
        let problem = match refreshed {
            Ok(refreshed) => refreshed.err().map(|error| chain(&error)),
            // A connection that went dead would otherwise be waited for as long as TCP does.
            Err(_) => Some("the store does not answer".to_owned()),
        };
        match &problem {
            Some(error) if !self.lasts => tracing::error!(error, "{} cannot be followed", self.what),
            None if self.lasts => tracing::info!("{} are followed again", self.what),
            _ => {}
        }
        self.lasts = problem.is_some();
    }
}

fn interval(period: Duration) -> tokio::time::Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

fn check_identity_sources(config: &OAuthConfig, sources: &[IdentitySource]) -> Result<(), StartError> {
    if sources.is_empty() {
        return Err(StartError::NoIdentitySource);
    }
    let mut seen = BTreeSet::new();
    for source in sources {
        if !seen.insert(source.id()) {
            return Err(StartError::DuplicateIdentitySource { id: source.id().to_owned() });
        }
        if matches!(source, IdentitySource::Static(_)) && !config.is_loopback() {
            return Err(StartError::StaticUsersBeyondLoopback { public_url: config.public_url.clone() });
        }
    }
    Ok(())
}
