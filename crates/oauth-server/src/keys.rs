//! The keys that sign access tokens: made, sealed, published, rotated and withdrawn.
//!
//! The store holds the keys and the times at which they take over; [`KeyRing`] follows it. Which key signs at a moment is
//! a function of these rows and the time, so replicas change together.

mod operate;
mod schedule;
mod signer;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use audit::{Action, AuditUnavailable, Event, Outcome, Party};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL};
use oidc_verify::{Algorithm, IssuerConfig, KeySet, SharedKeys, TokenVerifier};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

use self::{
    schedule::{Due, due, forgettable, next_sequence, states},
    signer::{NewKey, SigningKey},
};
use crate::{
    clock::to_millis,
    config::{KeySettings, OAuthConfig, SigningAlgorithm},
    seal::{SealError, Sealing},
    store::{SigningKeyRecord, Store, StoreError},
};

pub use operate::{Activation, KeyReport, list, revoke, rotate};
#[cfg(test)]
pub(crate) use schedule::PUBLISHED_MAX_AGE;
pub use schedule::{KeyState, KeyTimes};
pub(crate) use signer::SigningFailed;

/// The `typ` of our access tokens (RFC 9068 §2.1).
const TOKEN_TYPE: &str = "at+jwt";

/// Takes the audit event of a change that is about to become permanent; an error abandons the change.
pub type Record<'a> = &'a (dyn Fn(Event) -> Result<(), AuditUnavailable> + Send + Sync);

/// Every signing key of this server, as the store had them last.
pub struct KeyRing {
    settings: KeySettings,
    sealing: Sealing,
    /// This process was started for another algorithm than that of the newest key, and no key was made since.
    wants_algorithm: AtomicBool,
    snapshot: ArcSwap<Snapshot>,
    verification: SharedKeys,
    version: AtomicU64,
    /// Milliseconds since 1970; 0 before the first time.
    refreshed_at: AtomicU64,
    /// The identifiers in `verification`. Held during a refresh: they take turns.
    published: Mutex<Vec<String>>,
}

/// Why the signing keys cannot be used or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The store failed.
    #[error("the signing keys cannot be read or kept")]
    Store(#[from] StoreError),
    /// A stored key is not one that this program can use.
    #[error("the stored signing key {kid:?} cannot be used: {why}")]
    Unusable {
        /// The key.
        kid: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A stored key does not open.
    #[error("the stored signing key {kid:?} cannot be opened")]
    Sealed {
        /// The key.
        kid: String,
        /// Why.
        source: SealError,
    },
    /// A new key cannot be sealed.
    #[error("a new signing key cannot be sealed")]
    Seal(#[source] SealError),
    /// No key could be generated.
    #[error("a signing key cannot be generated")]
    Generation,
    /// What would be published is no acceptable key set.
    #[error("the signing keys are not an acceptable key set")]
    Published(#[source] oidc_verify::KeySetError),
    /// Tokens of this server could not be verified.
    #[error("tokens of this issuer for these resources cannot be verified")]
    Verifier(#[source] oidc_verify::ConfigError),
    /// A next key is there already.
    #[error(
        "the key {kid:?} already waits to take over: wait for it, or make another one that signs at once"
    )]
    Waiting {
        /// The key that waits.
        kid: String,
    },
    /// Verifiers read a bounded number of keys.
    #[error("too many keys are published: wait an hour for the retired ones to go, or withdraw one")]
    TooMany,
    /// No such key, or it was withdrawn before.
    #[error("there is no signing key {kid:?} that could be withdrawn: list the keys")]
    Unknown {
        /// What was asked for.
        kid: String,
    },
    /// Another process changed the keys at the same moment.
    #[error(
        "another process changed the keys at the same moment, nothing was done: list the keys and try again"
    )]
    Raced,
}

/// The keys have not been read for too long: other replicas may sign with one that this process does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signing keys were last read {} s ago, more than the {} s allowed", age.as_secs(), max_age.as_secs())]
pub struct KeysTooOld {
    /// How long ago they were read. After a step of the clock: how far off that moment is.
    pub age: Duration,
    /// How long ago that may be.
    pub max_age: Duration,
}

impl KeyRing {
    /// Reads the keys, after making the first one if there is none and sealing what was not sealed with the present key.
    /// Processes that start at once on one store end with the same keys.
    ///
    /// # Errors
    /// When the store fails, holds a key that does not open, or a key that is needed cannot be made.
    pub async fn load(
        store: &dyn Store,
        settings: KeySettings,
        sealing: Sealing,
        record: Record<'_>,
        now: SystemTime,
    ) -> Result<Self, KeyError> {
        let records = store.signing_keys().await?;
        seal_anew(store, &sealing, &records).await?;
        let ring = Self {
            wants_algorithm: AtomicBool::new(is_other_algorithm(&records, settings.algorithm)),
            settings,
            sealing,
            snapshot: ArcSwap::default(),
            verification: SharedKeys::new(KeySet::default()),
            version: AtomicU64::new(0),
            refreshed_at: AtomicU64::new(0),
            published: Mutex::default(),
        };
        ring.refresh(store, record, now).await?;
        Ok(ring)
    }

    /// Reads what other processes changed, and makes the next key when it is time. What it fails to do now it tries again
    /// at the next call; the keys that were read before stay in use.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub async fn refresh(
        &self,
        store: &dyn Store,
        record: Record<'_>,
        now: SystemTime,
    ) -> Result<(), KeyError> {
        let mut published = self.published.lock().await;
        let records = store.signing_keys().await?;
        self.adopt(&records, &mut published, now).await?;
        if let Some(due) = self.due(&records, now) {
            let new = make(&self.settings, &self.sealing, &records, due.activates_at(now), now).await?;
            if insert(store, &new, record).await? {
                let (kid, algorithm) = (&new.kid, &new.algorithm);
                tracing::info!(kid, algorithm, reason = ?due, "made a signing key");
            }
            self.adopt(&store.signing_keys().await?, &mut published, now).await?;
        }
        let forgotten = forgettable(&times(&records), now);
        if !forgotten.is_empty() {
            store.delete_signing_keys(&forgotten).await?;
        }
        self.refreshed_at.store(millis(now), Ordering::Release);
        Ok(())
    }

    /// The JWK set that verifies every token of this server (RFC 7517 §5), the signing key first. Public members only.
    #[must_use]
    pub fn jwks_json(&self, now: SystemTime) -> String {
        let keys: Vec<Value> = self.snapshot.load().published(now).iter().map(|key| key.jwk()).collect();
        json!({ "keys": keys }).to_string()
    }

    /// The algorithms of the published keys, that of the signing key first.
    #[must_use]
    pub fn algorithms(&self, now: SystemTime) -> Vec<SigningAlgorithm> {
        let mut algorithms = Vec::new();
        for key in self.snapshot.load().published(now) {
            if !algorithms.contains(&key.algorithm) {
                algorithms.push(key.algorithm);
            }
        }
        algorithms
    }

    /// The published keys, for verifiers in the same process. They follow every change.
    #[must_use]
    pub fn verification_keys(&self) -> SharedKeys {
        self.verification.clone()
    }

    /// Grows whenever the published keys change, so that what was verified before can be verified anew.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Whether the keys were read from the store within `max_age`. When they were not, this process may not know the key
    /// that others sign with: be not ready.
    ///
    /// # Errors
    /// [`KeysTooOld`], also when they were never read.
    pub fn check_age(&self, now: SystemTime, max_age: Duration) -> Result<(), KeysTooOld> {
        let age = Duration::from_millis(millis(now).abs_diff(self.refreshed_at.load(Ordering::Acquire)));
        if age > max_age { Err(KeysTooOld { age, max_age }) } else { Ok(()) }
    }

    /// Signs claims as an access token.
    pub(crate) fn sign(&self, claims: &Map<String, Value>, now: SystemTime) -> Result<String, SigningFailed> {
        self.sign_as(TOKEN_TYPE, claims, now)
    }

    /// Signs claims as a token of another type.
    pub(crate) fn sign_as(
        &self,
        token_type: &str,
        claims: &Map<String, Value>,
        now: SystemTime,
    ) -> Result<String, SigningFailed> {
        let snapshot = self.snapshot.load();
        let key = snapshot.current(now).ok_or(SigningFailed)?;
        let header = json!({ "typ": token_type, "alg": key.algorithm.as_str(), "kid": key.kid });
        let claims = serde_json::to_vec(claims).map_err(|_| SigningFailed)?;
        let mut token = BASE64URL.encode(header.to_string());
        token.push('.');
        BASE64URL.encode_string(claims, &mut token);
        let signature = key.sign(token.as_bytes())?;
        token.push('.');
        BASE64URL.encode_string(signature, &mut token);
        Ok(token)
    }

    /// Verifies access tokens of this server for any of its resources, with whatever keys it has at the time.
    pub(crate) fn verifier(&self, config: &OAuthConfig) -> Result<TokenVerifier, KeyError> {
        let issuer = IssuerConfig::builder(config.public_url.as_str())
            .audiences(config.resources.iter().map(|resource| resource.uri.as_str()))
            .algorithms([Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256])
            .build()
            .map_err(KeyError::Verifier)?;
        Ok(TokenVerifier::new(issuer, self.verification_keys()))
    }

    fn due(&self, records: &[SigningKeyRecord], now: SystemTime) -> Option<Due> {
        let other = is_other_algorithm(records, self.settings.algorithm);
        if !other {
            // It has been done, by this process or by another one.
            self.wants_algorithm.store(false, Ordering::Relaxed);
        }
        let other = other && self.wants_algorithm.load(Ordering::Relaxed);
        due(&times(records), now, self.settings.rotate_every, other)
    }

    /// Uses these keys from now on. Keys that are open already stay so.
    async fn adopt(
        &self,
        records: &[SigningKeyRecord],
        published: &mut Vec<String>,
        now: SystemTime,
    ) -> Result<(), KeyError> {
        let known = self.snapshot.load_full();
        let mut snapshot = Snapshot { times: times(records), keys: Vec::new() };
        for record in records {
            let key = match known.find(&record.kid) {
                _ if record.times.revoked_at.is_some() => None,
                Some(key) => Some(key),
                None => Some(Arc::new(open(record, &self.sealing).await?)),
            };
            snapshot.keys.push(key);
        }
        let kids: Vec<String> = snapshot.published(now).iter().map(|key| key.kid.clone()).collect();
        self.snapshot.store(Arc::new(snapshot));
        if kids != *published {
            let jwks = self.jwks_json(now);
            let keys = KeySet::from_jwks_json(jwks.as_bytes()).map_err(KeyError::Published)?;
            self.verification.replace(keys);
            self.version.fetch_add(1, Ordering::AcqRel);
            *published = kids;
        }
        Ok(())
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let snapshot = self.snapshot.load();
        let kids: Vec<&str> = snapshot.keys.iter().flatten().map(|key| key.kid.as_str()).collect();
        f.debug_struct("KeyRing").field("kids", &kids).field("sealing", &self.sealing).finish_non_exhaustive()
    }
}

/// The keys of one moment: their times, and each that was not withdrawn, opened.
#[derive(Default)]
struct Snapshot {
    times: Vec<KeyTimes>,
    keys: Vec<Option<Arc<SigningKey>>>,
}

impl Snapshot {
    fn find(&self, kid: &str) -> Option<Arc<SigningKey>> {
        self.keys.iter().flatten().find(|key| key.kid == kid).cloned()
    }

    fn current(&self, now: SystemTime) -> Option<&Arc<SigningKey>> {
        self.published(now).into_iter().next()
    }

    /// The published keys, the current one first.
    fn published(&self, now: SystemTime) -> Vec<&Arc<SigningKey>> {
        let states = states(&self.times, now);
        let (mut first, mut others) = (Vec::new(), Vec::new());
        for (key, state) in self.keys.iter().zip(states) {
            match (key, state) {
                (Some(key), KeyState::Current) => first.push(key),
                (Some(key), state) if state.is_published() => others.push(key),
                _ => {}
            }
        }
        first.extend(others);
        first
    }
}

fn times(records: &[SigningKeyRecord]) -> Vec<KeyTimes> {
    records.iter().map(|record| record.times).collect()
}

/// Whether the newest key is of another algorithm. No key is of none.
fn is_other_algorithm(records: &[SigningKeyRecord], algorithm: SigningAlgorithm) -> bool {
    let usable = records.iter().filter(|record| record.times.revoked_at.is_none());
    let newest = usable.max_by_key(|record| record.times.sequence);
    newest.is_some_and(|newest| newest.algorithm != algorithm.as_str())
}

/// What a key is sealed as: its blob opens in its own row only.
fn context(kid: &str) -> String {
    format!("signing-key:{kid}")
}

async fn open(record: &SigningKeyRecord, sealing: &Sealing) -> Result<SigningKey, KeyError> {
    let opened = sealing.open(&context(&record.kid), record.wrapped.expose_secret()).await;
    let opened = opened.map_err(|source| KeyError::Sealed { kid: record.kid.clone(), source })?;
    SigningKey::read(&record.kid, &record.algorithm, opened.secret.expose_secret())
}

/// A new key, sealed, in the next free place.
async fn make(
    settings: &KeySettings,
    sealing: &Sealing,
    records: &[SigningKeyRecord],
    activates_at: SystemTime,
    now: SystemTime,
) -> Result<SigningKeyRecord, KeyError> {
    let generation = settings.clone();
    let new = tokio::task::spawn_blocking(move || NewKey::generate(&generation));
    let NewKey { kid, private } = new.await.map_err(|_| KeyError::Generation)??;
    let wrapped = sealing.seal(&context(&kid), private.expose_secret()).await.map_err(KeyError::Seal)?;
    let times = KeyTimes {
        sequence: next_sequence(&times(records)),
        created_at: now,
        activates_at,
        revoked_at: None,
    };
    Ok(SigningKeyRecord { kid, algorithm: settings.algorithm.as_str().to_owned(), wrapped, times })
}

async fn insert(store: &dyn Store, new: &SigningKeyRecord, record: Record<'_>) -> Result<bool, KeyError> {
    Ok(store.insert_signing_key(new, &|| record(event("signing_key_made", &new.kid))).await?)
}

fn event(reason: &'static str, kid: &str) -> Event {
    Event::new(Action::AdminChange, Outcome::Success, Arc::new(Party::default())).reason(reason).target(kid)
}

/// Seals with the present key what was kept unsealed, or sealed with a previous one.
async fn seal_anew(
    store: &dyn Store,
    sealing: &Sealing,
    records: &[SigningKeyRecord],
) -> Result<(), KeyError> {
    for record in records.iter().filter(|record| record.times.revoked_at.is_none()) {
        let failed = |source| KeyError::Sealed { kid: record.kid.clone(), source };
        let context = context(&record.kid);
        let opened = sealing.open(&context, record.wrapped.expose_secret()).await.map_err(failed)?;
        if !opened.is_stale {
            continue;
        }
        let sealed = sealing.seal(&context, opened.secret.expose_secret()).await.map_err(failed)?;
        // Another process that starts may have done it first: both forms open.
        if store.reseal_signing_key(&record.kid, &record.wrapped, &sealed).await? {
            tracing::info!(kid = record.kid, "sealed a signing key with the configured key");
        }
    }
    Ok(())
}

fn millis(at: SystemTime) -> u64 {
    u64::try_from(to_millis(at)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
