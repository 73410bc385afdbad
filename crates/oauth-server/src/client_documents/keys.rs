//! The keys that clients publish at a `jwks_uri`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use ::url::Url;
use async_trait::async_trait;
use limits::Limited;
use oidc_verify::{KeySet, KeySetError};
use public_fetch::{Fetch, FetchError, FetchLimits};

use super::{IDLE, TOTAL, attempts::Attempts, flights::Flights};
use crate::{
    client_authn::keys::{ClientKeysSource, ClientKeysUnavailable},
    clock::{Clock, after},
};

/// Bytes of a key set: a few keys with their certificates.
const MAX_KEYS: usize = 64 * 1024;

/// For how long keys may count without being read again: one that was taken back is gone in five minutes (SEC-28).
const SHORTEST: Duration = Duration::from_mins(1);
const LONGEST: Duration = Duration::from_mins(5);

/// How long keys are good enough when an assertion names another.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most key sets that are kept.
const MAX_SETS: usize = 256;

/// Reads key sets as documents are read.
pub(crate) struct PublishedKeys {
    fetch: Arc<dyn Fetch>,
    clock: Clock,
    sets: Arc<Mutex<HashMap<String, Published>>>,
    attempts: Attempts,
    flights: Flights<Result<Published, KeysProblem>>,
}

#[derive(Clone)]
struct Published {
    keys: Arc<KeySet>,
    read_at: SystemTime,
    fresh_until: SystemTime,
}

/// Why the keys cannot be had.
#[derive(Clone, Debug, thiserror::Error)]
enum KeysProblem {
    #[error("jwks_uri is no URL")]
    Url,
    #[error("the keys could not be read")]
    Fetch(#[from] FetchError),
    #[error("what was read is no key set")]
    KeySet(#[from] KeySetError),
    #[error("keys were asked for too often")]
    Limited(#[from] Limited),
    #[error("too many clients' keys are being read")]
    Busy,
}

impl PublishedKeys {
    pub(crate) fn new(fetch: Arc<dyn Fetch>, clock: Clock) -> Self {
        Self { fetch, clock, sets: Arc::default(), attempts: Attempts::new(), flights: Flights::default() }
    }

    async fn read(&self, uri: &str, anew: bool) -> Result<Arc<KeySet>, KeysProblem> {
        let now = (self.clock)();
        let kept = self.sets.lock().unwrap_or_else(PoisonError::into_inner).get(uri).cloned();
        let is_fresh = |kept: &Published| kept.fresh_until > now && kept.read_at <= now;
        let kept = kept.filter(is_fresh);
        if let Some(kept) = &kept
            && (!anew || after(kept.read_at, PATIENCE) > now)
        {
            return Ok(Arc::clone(&kept.keys));
        }
        let url = Url::parse(uri).map_err(|_| KeysProblem::Url)?;
        let landed = match self.attempts.begin(&url, kept.is_some()) {
            Ok(()) => self.fly(uri, url, now).await,
            Err(limited) => Err(limited.into()),
        };
        match (landed, kept) {
            (Ok(published), _) => Ok(published.keys),
            // Nobody keeps others from using good keys by naming bad ones.
            (Err(_), Some(kept)) => Ok(kept.keys),
            (Err(problem), None) => Err(problem),
        }
    }

    async fn fly(&self, uri: &str, url: Url, now: SystemTime) -> Result<Published, KeysProblem> {
        let (fetch, sets, key) = (Arc::clone(&self.fetch), Arc::clone(&self.sets), uri.to_owned());
        let work = || async move {
            let published = fetch_keys(fetch.as_ref(), &url, now).await?;
            keep(&mut sets.lock().unwrap_or_else(PoisonError::into_inner), key, published.clone(), now);
            Ok(published)
        };
        self.flights.join(uri, work).await.unwrap_or(Err(KeysProblem::Busy))
    }
}

#[async_trait]
impl ClientKeysSource for PublishedKeys {
    async fn keys(&self, uri: &str, anew: bool) -> Result<Arc<KeySet>, ClientKeysUnavailable> {
        self.read(uri, anew).await.map_err(|problem| ClientKeysUnavailable(Box::new(problem)))
    }
}

async fn fetch_keys(fetch: &dyn Fetch, url: &Url, now: SystemTime) -> Result<Published, KeysProblem> {
    let limits = FetchLimits { max_bytes: MAX_KEYS, total: TOTAL, idle: IDLE, lifetime: SHORTEST..=LONGEST };
    let document = fetch.fetch(url, &limits, now).await?;
    let keys = Arc::new(KeySet::from_jwks_json(&document.body)?);
    Ok(Published { keys, read_at: now, fresh_until: after(now, document.lifetime) })
}

/// When there is no room, what is no longer fresh gives way, else what will be first.
fn keep(sets: &mut HashMap<String, Published>, uri: String, published: Published, now: SystemTime) {
    if sets.len() >= MAX_SETS {
        sets.retain(|_, kept| kept.fresh_until > now);
    }
    if sets.len() >= MAX_SETS
        && let Some(first) = sets.iter().min_by_key(|(_, kept)| kept.fresh_until).map(|(uri, _)| uri.clone())
    {
        sets.remove(&first);
    }
    sets.insert(uri, published);
}
