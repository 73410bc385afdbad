//! How often one principal may call: a lock-free rate limit.
//!
//! A [`RateLimit`] is one cell of constant size for one principal. It lives wherever the principal's decision lives, so
//! that nothing is looked up to find it and nothing remains of it when the decision is dropped.
//! [`RateLimit::check`] either counts a call or says how long to wait. It is the generic cell rate algorithm: a
//! steady rate, and a burst that may be taken ahead.
//!
//! ```
//! use limits::RateLimit;
//! use std::num::NonZeroU32;
//!
//! let limit = RateLimit::new(NonZeroU32::new(60).unwrap(), NonZeroU32::MIN);
//! assert!(limit.check().is_ok());
//! let limited = limit.check().unwrap_err();
//! assert_eq!(limited.retry_after_seconds(), 1);
//! ```
//!
//! # What it does not decide
//! Who a principal is, what a call costs, and what several replicas allow together: each counts alone, so that a
//! fleet of *n* lets up to *n* times the rate through.
//!
//! # Threats
//! * *State that an attacker makes grow* (SEC-55): there is none besides the cell, and a refused call changes
//!   nothing, so that hammering neither costs memory nor extends the wait.
//! * *A limit that resets*: the owner of the cell must keep it for as long as it answers for the principal; a new
//!   cell begins with a full burst.
//! * *Clock steps* (SEC-66): the clock is monotonic.

use std::{fmt, num::NonZeroU32, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};

/// The largest burst. A larger one is taken as this: it would last for years at the slowest rate.
pub const MAX_BURST: u32 = 1_000_000;

/// The rate limit of one principal. Share it by reference; there is no lock in it.
///
/// The clock is a parameter for the sake of tests.
pub struct RateLimit<C: Clock = DefaultClock> {
    limiter: RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<C::Instant>>,
    clock: C,
    quota: Quota,
}

impl RateLimit {
    /// Allows `per_minute` calls a minute, evenly spread, and `burst` calls at once after a pause. A burst of one
    /// allows no call before its time.
    #[must_use]
    pub fn new(per_minute: NonZeroU32, burst: NonZeroU32) -> Self {
        Self::with_clock(per_minute, burst, DefaultClock::default())
    }
}

impl RateLimit {
    /// Allows `per_hour` calls an hour, evenly spread, and `burst` calls at once after a pause.
    #[must_use]
    pub fn per_hour(per_hour: NonZeroU32, burst: NonZeroU32) -> Self {
        Self::with_quota(Quota::per_hour(per_hour), burst, DefaultClock::default())
    }
}

impl<C: Clock + Clone> RateLimit<C> {
    /// The same with another clock.
    #[must_use]
    pub fn with_clock(per_minute: NonZeroU32, burst: NonZeroU32, clock: C) -> Self {
        Self::with_quota(Quota::per_minute(per_minute), burst, clock)
    }

    fn with_quota(quota: Quota, burst: NonZeroU32, clock: C) -> Self {
        let burst = NonZeroU32::new(MAX_BURST).map_or(burst, |max| burst.min(max));
        let quota = quota.allow_burst(burst);
        Self { limiter: RateLimiter::direct_with_clock(quota, clock.clone()), clock, quota }
    }

    /// Counts a call, if it may be made now.
    ///
    /// # Errors
    /// [`Limited`] when it comes too early. It is then not counted.
    pub fn check(&self) -> Result<(), Limited> {
        self.limiter.check().map_err(|until| Limited { retry_after: until.wait_time_from(self.clock.now()) })
    }
}

impl<C: Clock> fmt::Debug for RateLimit<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit").field("quota", &self.quota).finish_non_exhaustive()
    }
}

/// A call came too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many calls; retry in {} s", self.retry_after_seconds())]
pub struct Limited {
    /// How long until a call is allowed, if no other is made meanwhile.
    pub retry_after: Duration,
}

impl Limited {
    /// The value of a `Retry-After` header (RFC 9110 section 10.2.3): whole seconds, rounded up, at least 1.
    #[must_use]
    pub fn retry_after_seconds(&self) -> u64 {
        let up = u64::from(self.retry_after.subsec_nanos() > 0);
        self.retry_after.as_secs().saturating_add(up).max(1)
    }
}
