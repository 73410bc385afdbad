//! What was decided about a token, ready to be used.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use audit::Party;
use decision::DecisionHeaders;
use limits::RateLimit;
use oidc_verify::KeyThumbprint;

use super::{Denial, Revocations};

/// A decision with everything that its use takes: its headers, its deadline, its rate limit. It names one service's
/// caller and is found by the token's hash only, so no other token can reach it.
pub struct Permit {
    parts: Parts,
    /// The version under which the session was last seen not revoked, plus one; zero before that.
    revocations_seen: AtomicU64,
}

pub(super) struct Parts {
    pub(super) headers: DecisionHeaders,
    pub(super) party: Arc<Party>,
    pub(super) cell: Option<Arc<RateLimit>>,
    pub(super) session: Option<String>,
    pub(super) holder: Option<KeyThumbprint>,
    pub(super) decided_at: SystemTime,
    pub(super) good_until: SystemTime,
    pub(super) versions: Versions,
}

/// What a decision was made of. With another mapping or other keys it is made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Versions {
    pub(super) mapping: u64,
    pub(super) keys: u64,
}

impl Permit {
    pub(super) fn new(parts: Parts) -> Self {
        Self { parts, revocations_seen: AtomicU64::new(0) }
    }

    /// The decision's headers.
    #[must_use]
    pub fn headers(&self) -> &DecisionHeaders {
        &self.parts.headers
    }

    /// Whom audit events about this permit concern.
    #[must_use]
    pub fn party(&self) -> &Arc<Party> {
        &self.parts.party
    }

    /// The key that the token is bound to.
    pub(super) fn holder(&self) -> Option<KeyThumbprint> {
        self.parts.holder
    }

    /// Whether it may still be used. A clock that stepped back behind the decision ends it too (SEC-66).
    pub(super) fn is_good(&self, now: SystemTime, versions: Versions) -> bool {
        (self.parts.decided_at..self.parts.good_until).contains(&now) && self.parts.versions == versions
    }

    pub(super) fn check_revocation(&self, revocations: &dyn Revocations) -> Result<(), Denial> {
        let Some(session) = &self.parts.session else { return Ok(()) };
        // The version comes first: a revocation in between is then asked for again.
        let version = revocations.version().wrapping_add(1);
        if self.revocations_seen.load(Ordering::Acquire) == version && version != 0 {
            return Ok(());
        }
        if revocations.is_revoked(session) {
            return Err(Denial::Revoked);
        }
        self.revocations_seen.store(version, Ordering::Release);
        Ok(())
    }

    pub(super) fn check_rate(&self) -> Result<(), Denial> {
        match &self.parts.cell {
            Some(cell) => cell.check().map_err(Denial::Limited),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("party", &self.parts.party)
            .field("good_until", &self.parts.good_until)
            .finish_non_exhaustive()
    }
}
