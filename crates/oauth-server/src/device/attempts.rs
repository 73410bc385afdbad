//! How often user codes may be guessed (SEC-35).

use std::{
    hash::{BuildHasher as _, RandomState},
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use limits::{Limited, RateLimit};

use crate::{
    client_address::ClientAddress,
    clock::{after, unix_seconds},
};

/// Codes typed at one address: at once, and a minute.
const BY_ADDRESS: (u32, u32) = (20, 10);

/// Device codes for one address: at once, and a minute. An office behind one address has many devices.
const BEGUN_BY_ADDRESS: (u32, u32) = (30, 20);

/// Codes typed at one address while there is guessing.
const UNDER_ATTACK: (u32, u32) = (5, 1);

/// Wrong codes from all addresses together, above which there is guessing: at once, and a minute.
const WRONG_BY_ALL: (u32, u32) = (300, 60);

/// How long guessing is remembered.
const REMEMBERED: Duration = Duration::from_mins(10);

/// Addresses share this many limits, so that none takes room.
const LIMITS: usize = 4096;

/// The codes that were typed in this process. Whoever guesses makes things slower for everybody but stops nobody: each
/// address keeps a few attempts of its own, and is let in again as soon as it stops.
pub(crate) struct Attempts {
    begun: Vec<RateLimit>,
    by_address: Vec<RateLimit>,
    under_attack: Vec<RateLimit>,
    wrong_by_all: RateLimit,
    /// In seconds since 1970.
    guessing_until: AtomicU64,
    hasher: RandomState,
}

impl Attempts {
    pub(crate) fn new() -> Self {
        Self {
            begun: (0..LIMITS).map(|_| limit(BEGUN_BY_ADDRESS)).collect(),
            by_address: (0..LIMITS).map(|_| limit(BY_ADDRESS)).collect(),
            under_attack: (0..LIMITS).map(|_| limit(UNDER_ATTACK)).collect(),
            wrong_by_all: limit(WRONG_BY_ALL),
            guessing_until: AtomicU64::new(0),
            hasher: RandomState::new(),
        }
    }

    /// Counts a device code that an address asks for: they take room that all share.
    pub(super) fn begin(&self, address: Option<ClientAddress>) -> Result<(), Limited> {
        address.map_or(Ok(()), |address| self.of(&self.begun, Some(address)))
    }

    /// Counts an attempt before the code is looked at.
    pub(super) fn check(&self, address: Option<ClientAddress>, now: SystemTime) -> Result<(), Limited> {
        self.of(&self.by_address, address)?;
        if unix_seconds(now) < self.guessing_until.load(Ordering::Relaxed) {
            self.of(&self.under_attack, address)?;
        }
        Ok(())
    }

    /// Counts a wrong code.
    pub(super) fn wrong(&self, now: SystemTime) {
        if self.wrong_by_all.check().is_err() {
            self.guessing_until.store(unix_seconds(after(now, REMEMBERED)), Ordering::Relaxed);
        }
    }

    fn of(&self, limits: &[RateLimit], address: Option<ClientAddress>) -> Result<(), Limited> {
        let index = self.hasher.hash_one(address.map(ClientAddress::network)) % LIMITS as u64;
        let limit = usize::try_from(index).ok().and_then(|index| limits.get(index));
        limit.map_or(Ok(()), RateLimit::check)
    }
}

fn limit((burst, per_minute): (u32, u32)) -> RateLimit {
    let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    RateLimit::new(number(per_minute), number(burst))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::Attempts;
    use crate::client_address::ClientAddress;

    fn address(text: &str) -> ClientAddress {
        ClientAddress(text.parse().unwrap())
    }

    fn passed(attempts: &Attempts, from: &str, at: std::time::SystemTime) -> usize {
        (0..1000).take_while(|_| attempts.check(Some(address(from)), at).is_ok()).count()
    }

    /// SEC-35: guessing user codes from one address -> that address is slowed, another is not
    #[test]
    fn an_address_that_guesses_is_slowed_and_others_are_not() {
        let attempts = Attempts::new();
        let found = passed(&attempts, "192.0.2.1", UNIX_EPOCH);
        assert!((20..30).contains(&found), "{found}");
        let mapped = passed(&attempts, "::ffff:192.0.2.1", UNIX_EPOCH);
        assert!(mapped < 3, "the same address in another form: {mapped}");
        assert!(passed(&attempts, "2001:db8::1", UNIX_EPOCH) >= 20);
        let neighbour = passed(&attempts, "2001:db8::2:1", UNIX_EPOCH);
        assert!(neighbour < 3, "of the same /64: {neighbour}");
    }

    /// SEC-35: guessing from many addresses at once -> each gets fewer attempts, nobody none, and it passes
    #[test]
    fn guessing_from_everywhere_leaves_everybody_a_few_attempts() {
        let attempts = Attempts::new();
        for _ in 0..1000 {
            attempts.wrong(UNIX_EPOCH);
        }
        let victim = passed(&attempts, "198.51.100.7", UNIX_EPOCH);
        assert!((5..10).contains(&victim), "{victim}");
        let later = UNIX_EPOCH + Duration::from_mins(11);
        assert!(passed(&attempts, "203.0.113.9", later) >= 20);
    }
}
