//! The newest mapping at hand, and how long it may be believed without the store.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use crate::{Mapping, MappingStore, StoreError};

/// How long a mapping is believed when the store does not answer, unless configured otherwise.
pub const DEFAULT_MAX_AGE: Duration = Duration::from_mins(5);

/// A mapping and which writes it includes.
#[derive(Debug)]
pub struct Versioned {
    /// The mapping.
    pub mapping: Mapping,
    /// The store's version of it. What was decided by another version must be decided again.
    pub version: u64,
    /// When it was read.
    pub loaded_at: SystemTime,
}

/// Holds the newest mapping that the store gave.
///
/// [`current`](Self::current) takes no lock and does no I/O. [`refresh`](Self::refresh) asks the store; call it in a
/// loop, every second or two, beside the threads that serve: after a change it builds the whole mapping anew.
pub struct MappingSnapshots {
    store: Arc<dyn MappingStore>,
    max_age: Duration,
    current: ArcSwap<Versioned>,
    /// Milliseconds since the epoch at which the store last confirmed `current`.
    confirmed: AtomicU64,
    /// One refresh at a time; whether a version was refused since the last one that was taken.
    refreshing: Mutex<Refused>,
}

type Refused = bool;

/// The store has not confirmed the mapping for too long: nothing may be decided by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the mapping was last confirmed {} s ago, more than the {} s allowed", age.as_secs(), max_age.as_secs())]
pub struct TooOld {
    /// How long ago the store confirmed it. After a step of the clock: how far off that moment is.
    pub age: Duration,
    /// How long ago it may be.
    pub max_age: Duration,
}

/// The mapping was not refreshed; the one at hand stays until it is too old.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshError {
    /// The store failed.
    #[error("the mapping could not be refreshed")]
    Store(#[from] StoreError),
    /// The store holds less than what is in force here: an older copy of it was restored.
    #[error(
        "the mapping store is at version {found}, not beyond version {held} that is in force: it was put back to an \
         older state; check the rows in it, then restart every connect-server"
    )]
    WentBackwards {
        /// The version in force here.
        held: u64,
        /// The version that the store has.
        found: u64,
    },
}

impl MappingSnapshots {
    /// Loads the mapping for the first time. `now` is the time before the call.
    ///
    /// # Errors
    /// When the store does not answer: without a mapping there is nothing to start with.
    pub async fn load(
        store: Arc<dyn MappingStore>,
        max_age: Duration,
        now: SystemTime,
    ) -> Result<Self, StoreError> {
        let first = load(&*store, now).await?;
        Ok(Self {
            store,
            max_age,
            current: ArcSwap::from_pointee(first),
            confirmed: AtomicU64::new(millis(now)),
            refreshing: Mutex::new(false),
        })
    }

    /// The newest mapping, if the store has confirmed it recently.
    ///
    /// # Errors
    /// [`TooOld`] when it has not: deny with a transient answer (503).
    pub fn current(&self, now: SystemTime) -> Result<Arc<Versioned>, TooOld> {
        let age = Duration::from_millis(millis(now).abs_diff(self.confirmed.load(Ordering::Acquire)));
        if age > self.max_age {
            return Err(TooOld { age, max_age: self.max_age });
        }
        Ok(self.current.load_full())
    }

    /// Asks the store for its version and loads the mapping when that changed. `now` is the time before the call.
    /// Returns whether the mapping changed.
    ///
    /// A version that goes backwards is not taken: it would bring back what was revoked since. From then on only a
    /// version beyond the one in force is, because what the versions between mean is unknown.
    ///
    /// # Errors
    /// The mapping at hand stays in force, and gets older.
    pub async fn refresh(&self, now: SystemTime) -> Result<bool, RefreshError> {
        let mut refused = self.refreshing.lock().await;
        let held = self.current.load().version;
        let found = self.store.version().await?;
        if found == held && !*refused {
            self.confirmed.store(millis(now), Ordering::Release);
            return Ok(false);
        }
        let newer = if found > held { Some(load(&*self.store, now).await?) } else { None };
        let Some(newer) = newer.filter(|newer| newer.version > held) else {
            *refused = true;
            return Err(RefreshError::WentBackwards { held, found });
        };
        self.current.store(Arc::new(newer));
        self.confirmed.store(millis(now), Ordering::Release);
        *refused = false;
        Ok(true)
    }
}

async fn load(store: &dyn MappingStore, now: SystemTime) -> Result<Versioned, StoreError> {
    let loaded = store.load().await?;
    let mapping = Mapping::disabling_broken(&loaded.document, loaded.unreadable);
    for problem in mapping.problems() {
        tracing::error!(
            tenant = problem.tenant.as_deref().unwrap_or("none"),
            version = loaded.version,
            "broken row in the mapping, its tenant is denied until it is mended: {problem}"
        );
    }
    Ok(Versioned { mapping, version: loaded.version, loaded_at: now })
}

/// Saturating at both ends, where nothing is confirmed any more.
fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Debug for MappingSnapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MappingSnapshots")
            .field("version", &self.current.load().version)
            .finish_non_exhaustive()
    }
}
