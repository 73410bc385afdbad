//! Sessions by request: one call per request at a time, refreshed early, never handed out stale.

mod slot;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use moka::{future::Cache, policy::EvictionPolicy};

use crate::{AssumeRole, AssumeRoleError, AssumeRoleRequest, SessionCredentials};
use slot::{Lookup, Slot};

/// Gives the time.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

const DEFAULT_CAPACITY: u64 = 10_000;
const DEFAULT_MIN_REMAINING: Duration = Duration::from_mins(1);
/// A session longer than this without use has ended anyway.
const IDLE: Duration = Duration::from_hours(1);

/// Sessions keyed by their whole request. Clones share the sessions.
///
/// Each caller brings what makes the call to STS, should one be needed: it may note for whom it is made. All that use
/// one cache must ask the same STS as the same principal, because the session that one obtains is for all.
///
/// The calls run in tasks of their own: a caller that goes away cancels nothing for the others.
#[derive(Clone)]
pub struct SessionCache {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    min_remaining: Duration,
    slots: Cache<AssumeRoleRequest, Arc<Slot>>,
}

/// Settings of a [`SessionCache`].
#[derive(Clone, Debug)]
pub struct SessionCacheBuilder {
    capacity: u64,
    min_remaining: Duration,
}

impl Default for SessionCacheBuilder {
    fn default() -> Self {
        Self { capacity: DEFAULT_CAPACITY, min_remaining: DEFAULT_MIN_REMAINING }
    }
}

impl SessionCacheBuilder {
    /// How many requests are remembered at most, 10 000 by default. The least recently used is forgotten first.
    #[must_use]
    pub fn capacity(mut self, requests: u64) -> Self {
        self.capacity = requests;
        self
    }

    /// How long a session must still be valid when it is handed out, 60 s by default.
    #[must_use]
    pub fn min_remaining(mut self, remaining: Duration) -> Self {
        self.min_remaining = remaining;
        self
    }

    /// The cache.
    #[must_use]
    pub fn build(self, clock: Clock) -> SessionCache {
        let slots = Cache::builder()
            .max_capacity(self.capacity)
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(IDLE)
            .build();
        let shared = Shared { clock, min_remaining: self.min_remaining, slots };
        SessionCache { shared: Arc::new(shared) }
    }
}

impl SessionCache {
    /// A cache with the default settings.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        SessionCacheBuilder::default().build(clock)
    }

    /// The session for exactly this request: the one at hand while it is fresh, else a new one from `source`. Callers
    /// that ask while a call is under way share its outcome, also when it failed.
    ///
    /// # Errors
    /// What the call to STS ended with. A failure is not remembered, except that a throttled request is not sent
    /// again for a second. A failed early refresh is not an error while the session at hand is good, unless STS
    /// refused: then the session is dropped.
    pub async fn credentials(
        &self,
        request: &AssumeRoleRequest,
        source: impl AssumeRole + 'static,
    ) -> Result<Arc<SessionCredentials>, AssumeRoleError> {
        // `get_with`, not `entry().or_default()`: only the former makes one slot for callers that arrive together.
        let slot = self.shared.slots.get_with_by_ref(request, async { Arc::default() }).await;
        let now = (self.shared.clock)();
        match slot.look_up(now) {
            Lookup::Fresh(session) => Ok(session),
            Lookup::Refresh(session, flight) => {
                self.call(source, request.clone(), slot, flight);
                Ok(session)
            }
            Lookup::Failed(error) => Err(error),
            Lookup::Call(flight, answer) => {
                self.call(source, request.clone(), slot, flight);
                slot::wait(answer, request).await
            }
            Lookup::Wait(answer) => slot::wait(answer, request).await,
        }
    }

    fn call(
        &self,
        source: impl AssumeRole + 'static,
        request: AssumeRoleRequest,
        slot: Arc<Slot>,
        flight: slot::Flight,
    ) {
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let outcome = source.assume_role(&request).await;
            slot.land(&flight, outcome, &request, (shared.clock)(), shared.min_remaining);
        });
    }
}

impl fmt::Debug for SessionCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCache")
            .field("requests", &self.shared.slots.entry_count())
            .finish_non_exhaustive()
    }
}
