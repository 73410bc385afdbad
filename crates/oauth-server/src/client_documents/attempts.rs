//! How often documents may be asked for.

use std::{
    hash::{BuildHasher as _, Hash, RandomState},
    num::NonZeroU32,
};

use ::url::Url;
use limits::{Limited, RateLimit};

use crate::client_address::ClientAddress;

/// Documents that one address may have fetched: at once, and a minute.
const BY_ADDRESS: NonZeroU32 = NonZeroU32::new(20).unwrap();

/// Unknown documents of one host: at once, and a minute.
const BY_HOST: NonZeroU32 = NonZeroU32::new(30).unwrap();

/// Fetches of one document: at once, and a minute. One that can be had is kept for longer than that.
const BY_URL: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// Addresses, hosts and documents share this many limits each, so that those that do not exist take no room.
const LIMITS: usize = 1024;

/// The attempts of this process.
pub(super) struct Attempts {
    addresses: Shared,
    hosts: Shared,
    urls: Shared,
}

impl Attempts {
    pub(super) fn new() -> Self {
        Self { addresses: Shared::new(BY_ADDRESS), hosts: Shared::new(BY_HOST), urls: Shared::new(BY_URL) }
    }

    /// Counts what an address is about to cause, whether or not it can be had: most that is asked for on purpose cannot.
    pub(super) fn by_address(&self, address: Option<ClientAddress>) -> Result<(), Limited> {
        address.map_or(Ok(()), |address| self.addresses.check(address))
    }

    /// Counts a fetch. A document that could be had before is not kept from being renewed by what strangers ask of its
    /// host.
    pub(super) fn begin(&self, url: &Url, is_known: bool) -> Result<(), Limited> {
        self.urls.check(url)?;
        if is_known { Ok(()) } else { self.hosts.check(url.host_str()) }
    }
}

/// A few limits for any number of keys.
struct Shared {
    limits: Vec<RateLimit>,
    hasher: RandomState,
}

impl Shared {
    fn new(count: NonZeroU32) -> Self {
        Self {
            limits: (0..LIMITS).map(|_| RateLimit::new(count, count)).collect(),
            hasher: RandomState::new(),
        }
    }

    fn check(&self, key: impl Hash) -> Result<(), Limited> {
        let index = self.hasher.hash_one(key) % LIMITS as u64;
        let limit = usize::try_from(index).ok().and_then(|index| self.limits.get(index));
        limit.map_or(Ok(()), RateLimit::check)
    }
}
