//! One rate limit for a principal, however many tokens it has.

use std::sync::{Arc, Mutex, PoisonError};

use limits::RateLimit;
use role_mapper::{Grant, Limits};

use super::Generations;

/// How many principals are counted at a time.
const PRINCIPALS: usize = 131_072;

/// A principal under one rule with one pair of limits. A change of the limits starts a new count; two tokens of one
/// principal that fall under different rules are counted apart, and neither resets the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Principal {
    source_identity: String,
    tenant: String,
    rule: i64,
    per_minute: u32,
    burst: u32,
}

/// The cells of all principals seen lately. Looked at when a decision is made, not when it is used.
pub(super) struct Cells(Mutex<Generations<Principal, Arc<RateLimit>>>);

impl Default for Cells {
    fn default() -> Self {
        Self(Mutex::new(Generations::new(PRINCIPALS)))
    }
}

impl Cells {
    /// The cell of a principal, unless the role has no limit. Without a burst, a minute's calls may come at once.
    pub(super) fn cell(&self, source_identity: &str, grant: &Grant) -> Option<Arc<RateLimit>> {
        let Limits { requests_per_minute, burst } = grant.limits;
        let per_minute = requests_per_minute?;
        let burst = burst.unwrap_or(per_minute);
        let principal = Principal {
            source_identity: source_identity.to_owned(),
            tenant: grant.tenant.to_string(),
            rule: grant.by.get(),
            per_minute: per_minute.get(),
            burst: burst.get(),
        };
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cell) = cells.get(&principal) {
            return Some(Arc::clone(cell));
        }
        let cell = Arc::new(RateLimit::new(per_minute, burst));
        cells.insert(principal, Arc::clone(&cell));
        Some(cell)
    }
}
