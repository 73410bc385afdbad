//! How often each of any number of names may do something, in a fixed amount of memory.

use std::{
    hash::{BuildHasher as _, Hash, RandomState},
    num::NonZeroU32,
};

use limits::{Limited, RateLimit};

/// Names share this many limits, so that names that do not exist take no room.
const LIMITS: usize = 1024;

/// A rate limit for each name. Who shares one cannot be chosen from outside.
pub(crate) struct RateByName {
    limits: Vec<RateLimit>,
    hasher: RandomState,
}

impl RateByName {
    /// Allows each name so much a minute, and so much at once.
    pub(crate) fn new(per_minute: NonZeroU32, burst: NonZeroU32) -> Self {
        Self::of(|| RateLimit::new(per_minute, burst))
    }

    /// Gives each name a limit like this.
    pub(crate) fn of(limit: impl Fn() -> RateLimit) -> Self {
        Self { limits: (0..LIMITS).map(|_| limit()).collect(), hasher: RandomState::new() }
    }

    /// Counts something that `name` does, if it may be done now.
    pub(crate) fn check(&self, name: &(impl Hash + ?Sized)) -> Result<(), Limited> {
        let index = self.hasher.hash_one(name) % LIMITS as u64;
        let limit = usize::try_from(index).ok().and_then(|index| self.limits.get(index));
        limit.map_or(Ok(()), RateLimit::check)
    }
}
