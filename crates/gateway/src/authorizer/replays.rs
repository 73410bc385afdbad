//! Which proofs were used (RFC 9449 §11.1): each counts once, and is remembered for as long as it would count.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashSet},
    future::ready,
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

/// How many used proofs a process remembers: 4,000 calls a second for 65 s, in about 30 MB.
const CAPACITY: usize = 262_144;

/// How many ended entries are dropped for each new one, at most: no call pays for all the others.
const DROPPED_AT_ONCE: usize = 32;

/// Which proofs were used. Shared by all replicas, it lets each proof count once for them together.
pub trait ProofReplays: Send + Sync {
    /// Records a proof by its [replay key](oidc_verify::DpopProof::replay_key) until `expires_at`; `true` for the first
    /// caller only. An entry is never given up early: when there is no room, the answer is [`ReplaysUnavailable`].
    fn use_once(&self, key: [u8; 32], expires_at: SystemTime, now: SystemTime) -> Recording<'_>;
}

/// Whether a proof was recorded for the first time.
pub type Recording<'a> = Pin<Box<dyn Future<Output = Result<bool, ReplaysUnavailable>> + Send + 'a>>;

/// Whether a proof was used before cannot be said now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("used proofs cannot be recorded now")]
pub struct ReplaysUnavailable;

/// The proofs that this process saw.
#[derive(Debug)]
pub struct ProcessReplays {
    used: Mutex<Used>,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Used {
    keys: HashSet<[u8; 32]>,
    /// The same keys, the one that ends first on top.
    ends: BinaryHeap<Reverse<(SystemTime, [u8; 32])>>,
}

impl ProcessReplays {
    /// Room for 262,144 proofs.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(CAPACITY)
    }

    /// Room for `capacity` proofs.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { used: Mutex::default(), capacity }
    }

    fn record(
        &self,
        key: [u8; 32],
        expires_at: SystemTime,
        now: SystemTime,
    ) -> Result<bool, ReplaysUnavailable> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.drop_ended(now);
        if used.keys.contains(&key) {
            return Ok(false);
        }
        if used.keys.len() >= self.capacity {
            return Err(ReplaysUnavailable);
        }
        used.keys.insert(key);
        used.ends.push(Reverse((expires_at, key)));
        Ok(true)
    }
}

impl Default for ProcessReplays {
    fn default() -> Self {
        Self::new()
    }
}

impl ProofReplays for ProcessReplays {
    fn use_once(&self, key: [u8; 32], expires_at: SystemTime, now: SystemTime) -> Recording<'_> {
        Box::pin(ready(self.record(key, expires_at, now)))
    }
}

impl Used {
    fn drop_ended(&mut self, now: SystemTime) {
        for _ in 0..DROPPED_AT_ONCE {
            match self.ends.peek() {
                Some(Reverse((end, key))) if *end <= now => self.keys.remove(key),
                _ => return,
            };
            self.ends.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn key(n: u8) -> [u8; 32] {
        [n; 32]
    }

    /// SEC-33: a proof used again before it ends -> refused
    /// SEC-33: proofs until the record is full -> the new one is refused, none is given up
    #[test]
    fn an_entry_is_kept_until_it_ends_and_never_given_up() {
        let replays = ProcessReplays::with_capacity(2);
        assert_eq!(replays.record(key(1), at(65), at(0)), Ok(true));
        assert_eq!(replays.record(key(1), at(65), at(0)), Ok(false));
        assert_eq!(replays.record(key(2), at(70), at(5)), Ok(true));
        assert_eq!(replays.record(key(3), at(80), at(10)), Err(ReplaysUnavailable));
        assert_eq!(replays.record(key(1), at(65), at(64)), Ok(false), "still there");
        assert_eq!(replays.record(key(3), at(130), at(65)), Ok(true), "the first one ended");
        assert_eq!(replays.record(key(2), at(70), at(65)), Ok(false));
        assert_eq!(replays.record(key(4), at(130), at(65)), Err(ReplaysUnavailable));
    }

    #[test]
    fn ended_entries_leave_no_matter_how_many() {
        let replays = ProcessReplays::with_capacity(1000);
        let numbered = |n: u32| {
            let mut key = [0; 32];
            key[..4].copy_from_slice(&n.to_be_bytes());
            key
        };
        for n in 0..1000 {
            assert_eq!(replays.record(numbered(n), at(10), at(0)), Ok(true), "{n}");
        }
        for n in 1000..2000 {
            assert_eq!(replays.record(numbered(n), at(30), at(20)), Ok(true), "{n}");
        }
        assert_eq!(replays.used.lock().unwrap().keys.len(), 1000);
        assert_eq!(replays.used.lock().unwrap().ends.len(), 1000);
    }
}
