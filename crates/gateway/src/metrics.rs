//! Counters.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// What the gateway counts, from its start. Share it by `Arc`.
#[derive(Debug, Default)]
pub struct GatewayMetrics {
    allowed: AtomicU64,
    cache_hits: AtomicU64,
    cache_misses: AtomicU64,
    unrecorded_denials: AtomicU64,
    /// Refusals are rare beside allowed calls; a lock for them is cheap.
    denied: Mutex<BTreeMap<&'static str, u64>>,
    upstream_errors: Mutex<BTreeMap<&'static str, u64>>,
}

/// The counters at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetricsSnapshot {
    /// Calls that were allowed.
    pub allowed: u64,
    /// Calls that were refused, by reason.
    pub denied: BTreeMap<&'static str, u64>,
    /// Allowed calls that the service did not answer, by reason.
    pub upstream_errors: BTreeMap<&'static str, u64>,
    /// Decisions that were at hand.
    pub cache_hits: u64,
    /// Decisions that were made.
    pub cache_misses: u64,
    /// Refusals of strangers beyond the rate at which they are audited.
    pub unrecorded_denials: u64,
}

impl GatewayMetrics {
    /// The counters now.
    #[must_use]
    pub fn snapshot(&self) -> MetricsSnapshot {
        let copy = |map: &Mutex<BTreeMap<_, _>>| map.lock().unwrap_or_else(PoisonError::into_inner).clone();
        MetricsSnapshot {
            allowed: self.allowed.load(Ordering::Relaxed),
            denied: copy(&self.denied),
            upstream_errors: copy(&self.upstream_errors),
            cache_hits: self.cache_hits.load(Ordering::Relaxed),
            cache_misses: self.cache_misses.load(Ordering::Relaxed),
            unrecorded_denials: self.unrecorded_denials.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn count_allowed(&self, was_cached: bool) {
        self.allowed.fetch_add(1, Ordering::Relaxed);
        let cache = if was_cached { &self.cache_hits } else { &self.cache_misses };
        cache.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_denied(&self, reason: &'static str) {
        count(&self.denied, reason);
    }

    pub(crate) fn count_upstream_error(&self, reason: &'static str) {
        count(&self.upstream_errors, reason);
    }

    pub(crate) fn count_unrecorded(&self) {
        self.unrecorded_denials.fetch_add(1, Ordering::Relaxed);
    }
}

fn count(map: &Mutex<BTreeMap<&'static str, u64>>, reason: &'static str) {
    *map.lock().unwrap_or_else(PoisonError::into_inner).entry(reason).or_default() += 1;
}
