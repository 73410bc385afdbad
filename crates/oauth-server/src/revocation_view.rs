//! Which grants are revoked, answered from memory.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;

use crate::{
    clock::{before, to_millis},
    store::{Store, StoreError},
};

/// How far the clocks of two replicas may differ.
const CLOCK_DIFFERENCE: Duration = Duration::from_mins(5);

/// The store has not been asked for too long: somebody else may have revoked what this process still takes for granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("revocations were last read {} s ago, more than the {} s allowed", age.as_secs(), max_age.as_secs())]
pub struct RevocationsTooOld {
    /// How long ago they were read. After a step of the clock: how far off that moment is.
    pub age: Duration,
    /// How long ago that may be.
    pub max_age: Duration,
}

/// The grants (`sid`) whose access tokens may still be in use although they were revoked.
///
/// What this process revokes is visible at once, what another replica revokes at the next [refresh](Self::refresh).
/// Reading takes no lock.
#[derive(Debug)]
pub struct RevocationView {
    /// A revocation older than this concerns no token that has not expired.
    window: Duration,
    revoked: ArcSwap<HashSet<String>>,
    version: AtomicU64,
    /// Milliseconds since 1970; 0 before the first time.
    refreshed_at: AtomicU64,
    /// What this process revoked: kept apart until it has aged, because a refresh that began before may not hold it.
    local: Mutex<HashMap<String, SystemTime>>,
}

impl RevocationView {
    /// An empty view for access tokens that live for `access_lifetime`.
    #[must_use]
    pub fn new(access_lifetime: Duration) -> Self {
        Self {
            window: access_lifetime.saturating_add(CLOCK_DIFFERENCE),
            revoked: ArcSwap::default(),
            version: AtomicU64::new(0),
            refreshed_at: AtomicU64::new(0),
            local: Mutex::default(),
        }
    }

    /// Whether the grant with this `sid` is revoked.
    #[must_use]
    pub fn is_revoked(&self, session: &str) -> bool {
        self.revoked.load().contains(session)
    }

    /// Grows whenever the set of revoked grants changes, so that a cached decision can tell.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Whether the view was read from the store within `max_age`. When it was not, [`is_revoked`](Self::is_revoked) may
    /// not know what other replicas revoked: be not ready, and refuse with a transient answer (503).
    ///
    /// # Errors
    /// [`RevocationsTooOld`], also when it was never read.
    pub fn check_age(&self, now: SystemTime, max_age: Duration) -> Result<(), RevocationsTooOld> {
        let age = Duration::from_millis(millis(now).abs_diff(self.refreshed_at.load(Ordering::Acquire)));
        if age > max_age { Err(RevocationsTooOld { age, max_age }) } else { Ok(()) }
    }

    /// Reads every revocation that still matters from the store. `now` is the time before the call.
    ///
    /// # Errors
    /// When the store fails; the view keeps what it holds.
    pub async fn refresh(&self, store: &dyn Store, now: SystemTime) -> Result<(), StoreError> {
        let oldest = before(now, self.window);
        let mut revoked: HashSet<String> = store.revoked_since(oldest).await?.into_iter().collect();
        let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        local.retain(|_, at| *at >= oldest);
        revoked.extend(local.keys().cloned());
        self.replace(revoked);
        self.refreshed_at.store(millis(now), Ordering::Release);
        Ok(())
    }

    /// Makes a revocation by this process visible at once.
    pub(crate) fn insert(&self, session: &str, now: SystemTime) {
        let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        local.insert(session.to_owned(), now);
        let mut revoked = HashSet::clone(&self.revoked.load());
        revoked.insert(session.to_owned());
        self.replace(revoked);
    }

    /// Called under the lock of `local`: writers take turns.
    fn replace(&self, revoked: HashSet<String>) {
        if **self.revoked.load() != revoked {
            self.revoked.store(revoked.into());
            self.version.fetch_add(1, Ordering::AcqRel);
        }
    }
}

fn millis(at: SystemTime) -> u64 {
    u64::try_from(to_millis(at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::RevocationView;
    use crate::store::MemoryStore;

    #[tokio::test]
    async fn a_local_revocation_survives_a_refresh_that_does_not_hold_it() {
        let view = RevocationView::new(Duration::from_mins(15));
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        assert!(!view.is_revoked("a") && view.version() == 0);
        view.insert("a", now);
        assert!(view.is_revoked("a") && !view.is_revoked("b"));
        assert_eq!(view.version(), 1);
        view.refresh(&MemoryStore::default(), now).await.unwrap();
        assert!(view.is_revoked("a"));
        assert_eq!(view.version(), 1);
    }

    #[tokio::test]
    async fn a_view_that_was_not_read_lately_says_so() {
        let view = RevocationView::new(Duration::from_mins(15));
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let max_age = Duration::from_mins(1);
        assert!(view.check_age(now, max_age).is_err(), "never read");
        view.refresh(&MemoryStore::default(), now).await.unwrap();
        let cases = [
            (now, true),
            (now + max_age, true),
            (now + max_age + Duration::from_millis(1), false),
            // The clock was put back.
            (now - max_age - Duration::from_millis(1), false),
        ];
        for (at, current) in cases {
            assert_eq!(view.check_age(at, max_age).is_ok(), current, "{at:?}");
        }
    }

    #[tokio::test]
    async fn what_no_live_token_can_carry_is_forgotten() {
        let view = RevocationView::new(Duration::from_mins(15));
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        view.insert("a", now);
        let later = now + Duration::from_secs(900 + 301);
        view.refresh(&MemoryStore::default(), later).await.unwrap();
        assert!(!view.is_revoked("a"));
        assert_eq!(view.version(), 2);
    }
}
