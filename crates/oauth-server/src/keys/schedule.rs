//! Which key signs when: the states of the signing keys at a moment, as functions of what the store holds.
//!
//! All replicas read the same rows and apply the same functions, so they change keys together without talking to each
//! other. A key is published for [`PUBLISHED_BEFORE`] before it signs, so that nobody who reads the published set as often
//! as its caching allows meets a token of an unknown key; and for [`PUBLISHED_AFTER`] after its last token, so that no
//! token outlives its key.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use crate::{
    clock::{after, before},
    config::MAX_ACCESS_LIFETIME,
};

/// How long the published keys may be cached: a removed key is gone everywhere within this time (SEC-28).
pub(crate) const PUBLISHED_MAX_AGE: Duration = Duration::from_mins(5);

/// How far the clocks of two machines may differ.
const CLOCK_DIFFERENCE: Duration = Duration::from_mins(5);

/// How long a new key is published before it signs: until the last cache and the last replica have read it, by any clock.
pub(crate) const PUBLISHED_BEFORE: Duration =
    Duration::from_secs(PUBLISHED_MAX_AGE.as_secs() + 60 + CLOCK_DIFFERENCE.as_secs());

/// How long a key is published after its successor took over: the longest token, what verifiers tolerate, and how far
/// their clocks may be behind.
pub(crate) const PUBLISHED_AFTER: Duration =
    Duration::from_secs(MAX_ACCESS_LIFETIME.as_secs() + 60 + CLOCK_DIFFERENCE.as_secs());

/// How long the row of a key that can no longer matter is kept, for clocks that were put forward by mistake.
const KEPT_AFTER: Duration = Duration::from_hours(24);

/// How old the newest key must be before another one is made because a replica is configured for another algorithm. While
/// a deployment is under way its replicas differ; they must not take turns.
pub(crate) const SETTLED_AFTER: Duration = Duration::from_hours(24);

/// The most keys that are published at a time.
pub(crate) const MAX_PUBLISHED: usize = 16;

/// When a key was, is or will be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyTimes {
    /// Its place in the order of making, without two alike: of several processes that make the next key at once, one
    /// succeeds.
    pub sequence: u64,
    /// When it was made.
    pub created_at: SystemTime,
    /// When it takes over from the one before.
    pub activates_at: SystemTime,
    /// When it was withdrawn, if it was.
    pub revoked_at: Option<SystemTime>,
}

impl KeyTimes {
    /// Keys take over in this order.
    fn order(&self) -> (SystemTime, u64) {
        (self.activates_at, self.sequence)
    }

    /// Whether the key before it ends or has ended with it: one that was withdrawn before its time never took over.
    fn takes_over(&self) -> bool {
        self.revoked_at.is_none_or(|revoked_at| revoked_at > self.activates_at)
    }
}

/// What a signing key is there for at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// Published, and not signing yet.
    Next,
    /// The one that signs.
    Current,
    /// Published for the tokens that it signed.
    Retired,
    /// No longer published: every token it signed is over.
    Gone,
    /// Withdrawn: what it signed is refused.
    Revoked,
}

impl KeyState {
    /// The state in one word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Current => "current",
            Self::Retired => "retired",
            Self::Gone => "gone",
            Self::Revoked => "revoked",
        }
    }

    /// Whether tokens of such a key are accepted.
    #[must_use]
    pub fn is_published(self) -> bool {
        matches!(self, Self::Next | Self::Current | Self::Retired)
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a key is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// There is none.
    First,
    /// The current one has signed for as long as it should.
    Age,
    /// The configured algorithm is another one.
    Algorithm,
}

impl Due {
    /// When a key made at `now` for this reason takes over.
    pub(crate) fn activates_at(self, now: SystemTime) -> SystemTime {
        match self {
            Self::First => now,
            Self::Age | Self::Algorithm => after(now, PUBLISHED_BEFORE),
        }
    }
}

/// The state of each key at `now`. Of any keys that are not all withdrawn exactly one is current, wherever the clock is.
pub(crate) fn states(keys: &[KeyTimes], now: SystemTime) -> Vec<KeyState> {
    let current = current(keys, now);
    keys.iter()
        .map(|key| match current {
            _ if key.revoked_at.is_some() => KeyState::Revoked,
            Some(current) if key.sequence == current.sequence => KeyState::Current,
            Some(current) if key.order() > current.order() => KeyState::Next,
            _ if after(ended_at(keys, key), PUBLISHED_AFTER) <= now => KeyState::Gone,
            _ => KeyState::Retired,
        })
        .collect()
}

/// The latest key whose time has come; before any has, as after a clock was put back, the first one.
fn current(keys: &[KeyTimes], now: SystemTime) -> Option<KeyTimes> {
    let usable = || keys.iter().filter(|key| key.revoked_at.is_none()).copied();
    let begun = usable().filter(|key| key.activates_at <= now).max_by_key(KeyTimes::order);
    begun.or_else(|| usable().min_by_key(KeyTimes::order))
}

/// When the key after `key` took over or will.
fn ended_at(keys: &[KeyTimes], key: &KeyTimes) -> SystemTime {
    let later = keys.iter().filter(|other| other.takes_over() && other.order() > key.order());
    later.map(|other| other.activates_at).min().unwrap_or(key.activates_at)
}

/// When tokens of `key` stop being accepted, as far as that is known.
pub(crate) fn gone_at(keys: &[KeyTimes], key: &KeyTimes) -> Option<SystemTime> {
    let ended_at = ended_at(keys, key);
    (ended_at > key.activates_at).then(|| after(ended_at, PUBLISHED_AFTER))
}

/// Whether a key must be made at `now`. `every` is the age at which the current one is replaced; `other_algorithm` says
/// that the newest one is not of the algorithm that this process was started with.
pub(crate) fn due(
    keys: &[KeyTimes],
    now: SystemTime,
    every: Option<Duration>,
    other_algorithm: bool,
) -> Option<Due> {
    let Some(current) = current(keys, now) else { return Some(Due::First) };
    let states = states(keys, now);
    // One that a clock far ahead has made does not hold up the others for years.
    let soon = after(now, PUBLISHED_BEFORE + CLOCK_DIFFERENCE);
    let waiting = |(key, state): (&KeyTimes, &KeyState)| *state == KeyState::Next && key.activates_at <= soon;
    let published = states.iter().filter(|state| state.is_published()).count();
    if published >= MAX_PUBLISHED || keys.iter().zip(&states).any(waiting) {
        return None;
    }
    let newest = keys.iter().filter(|key| key.revoked_at.is_none()).map(|key| key.created_at).max();
    let settled = newest.is_some_and(|created_at| created_at <= before(now, SETTLED_AFTER));
    if other_algorithm && settled {
        return Some(Due::Algorithm);
    }
    every.filter(|every| current.activates_at <= before(now, *every)).map(|_| Due::Age)
}

/// The place of the next key.
pub(crate) fn next_sequence(keys: &[KeyTimes]) -> u64 {
    keys.iter().map(|key| key.sequence).max().unwrap_or(0).saturating_add(1)
}

/// The keys whose rows can be deleted. The last one stays whatever it is: its place is never given again.
pub(crate) fn forgettable(keys: &[KeyTimes], now: SystemTime) -> Vec<u64> {
    let last = keys.iter().map(|key| key.sequence).max();
    let over = |key: &KeyTimes| {
        let ended_at = key.revoked_at.unwrap_or_else(|| ended_at(keys, key));
        after(after(ended_at, PUBLISHED_AFTER), KEPT_AFTER) <= now
    };
    let states = states(keys, now);
    let unused = keys.iter().zip(states).filter(|(_, state)| !state.is_published());
    unused
        .map(|(key, _)| key)
        .filter(|key| Some(key.sequence) != last && over(key))
        .map(|key| key.sequence)
        .collect()
}

#[cfg(test)]
mod tests;
