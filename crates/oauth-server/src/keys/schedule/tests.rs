use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;

use super::{
    CLOCK_DIFFERENCE, Due, KeyState, KeyTimes, MAX_PUBLISHED, PUBLISHED_AFTER, PUBLISHED_BEFORE,
    PUBLISHED_MAX_AGE, SETTLED_AFTER, due, forgettable, gone_at, next_sequence, states,
};

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);
const EVERY: Duration = Duration::from_hours(90 * 24);
const LONGEST_TOKEN: Duration = Duration::from_hours(1);

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

fn key(sequence: u64, created: u64, activates: u64) -> KeyTimes {
    KeyTimes { sequence, created_at: at(created), activates_at: at(activates), revoked_at: None }
}

fn made(keys: &[KeyTimes], now: SystemTime, due: Due) -> KeyTimes {
    KeyTimes {
        sequence: next_sequence(keys),
        created_at: now,
        activates_at: due.activates_at(now),
        revoked_at: None,
    }
}

#[test]
fn a_key_is_next_then_current_then_retired_then_gone() {
    let keys = [key(1, 0, 0), key(2, 1000, 1660)];
    let overlap = PUBLISHED_AFTER.as_secs();
    let cases = [
        (0, [KeyState::Current, KeyState::Next]),
        (1659, [KeyState::Current, KeyState::Next]),
        (1660, [KeyState::Retired, KeyState::Current]),
        (1660 + overlap - 1, [KeyState::Retired, KeyState::Current]),
        (1660 + overlap, [KeyState::Gone, KeyState::Current]),
    ];
    for (seconds, expected) in cases {
        assert_eq!(states(&keys, at(seconds)), expected, "{seconds}");
    }
    assert_eq!(gone_at(&keys, &keys[0]), Some(at(1660 + overlap)));
    assert_eq!(gone_at(&keys, &keys[1]), None);
}

/// SEC-66: a clock put back before every key's time -> the first key signs, the others are published
#[test]
fn before_the_first_time_the_first_key_signs() {
    let keys = [key(2, 2000, 2660), key(1, 1000, 1000)];
    assert_eq!(states(&keys, UNIX_EPOCH), [KeyState::Next, KeyState::Current]);
}

/// SEC-64: a withdrawn key -> it never signs again and its tokens are refused, whatever the clock says
#[test]
fn a_withdrawn_key_is_revoked_at_any_time() {
    let revoked = KeyTimes { revoked_at: Some(at(5000)), ..key(2, 1000, 1660) };
    let keys = [key(1, 0, 0), revoked, key(3, 5000, 5000)];
    assert_eq!(states(&keys, at(5000)), [KeyState::Retired, KeyState::Revoked, KeyState::Current]);
    assert_eq!(states(&keys, at(0)), [KeyState::Current, KeyState::Revoked, KeyState::Next]);
    // The first key ended when the second took over, not when that one was withdrawn.
    let gone = 1660 + PUBLISHED_AFTER.as_secs();
    assert_eq!(states(&keys, at(gone))[0], KeyState::Gone);
    assert!(states(&[revoked], at(0)).iter().all(|state| *state == KeyState::Revoked));
}

#[test]
fn a_key_that_was_withdrawn_before_its_time_ended_nothing() {
    let never = KeyTimes { revoked_at: Some(at(1100)), ..key(2, 1000, 1660) };
    let keys = [key(1, 0, 0), never, key(3, 90_000, 90_660)];
    assert_eq!(states(&keys, at(90_000))[0], KeyState::Current);
    assert_eq!(states(&keys, at(90_700))[0], KeyState::Retired);
}

#[test]
fn a_key_is_made_when_there_is_none_and_when_the_current_one_is_old() {
    let now = at(0) + EVERY;
    assert_eq!(due(&[], now, Some(EVERY), false), Some(Due::First));
    let old = [key(1, 0, 0)];
    assert_eq!(due(&old, now, Some(EVERY), false), Some(Due::Age));
    assert_eq!(due(&old, now - MINUTE, Some(EVERY), false), None);
    assert_eq!(due(&old, now, None, false), None, "rotation is off");
    let waiting = [old[0], made(&old, now, Due::Age)];
    assert_eq!(due(&waiting, now + MINUTE, Some(EVERY), false), None, "one is waiting");
    assert_eq!(due(&waiting, now + PUBLISHED_BEFORE, Some(EVERY), false), None, "it took over");
    let revoked = [KeyTimes { revoked_at: Some(now), ..old[0] }];
    assert_eq!(due(&revoked, now, None, false), Some(Due::First), "nothing is left to sign with");
}

/// SEC-64: replicas configured for different algorithms -> they do not take turns, the first decides for a day
#[test]
fn another_algorithm_waits_until_the_last_change_has_settled() {
    let keys = [key(1, 0, 0)];
    assert_eq!(due(&keys, at(0) + SETTLED_AFTER - MINUTE, None, true), None);
    let now = at(0) + SETTLED_AFTER;
    assert_eq!(due(&keys, now, None, true), Some(Due::Algorithm));
    let changed = [keys[0], made(&keys, now, Due::Algorithm)];
    // The replica that still has the old setting wants its own back.
    for later in [MINUTE, PUBLISHED_BEFORE + MINUTE, Duration::from_hours(23)] {
        assert_eq!(due(&changed, now + later, None, true), None, "{later:?}");
    }
}

/// SEC-66: a clock far ahead makes a key for a distant year -> rotation goes on without it
#[test]
fn a_key_of_a_distant_time_holds_nothing_up() {
    let distant = key(2, 400 * DAY.as_secs(), 400 * DAY.as_secs());
    let keys = [key(1, 0, 0), distant];
    assert_eq!(due(&keys, at(0) + EVERY, Some(EVERY), false), Some(Due::Age));
    assert_eq!(states(&keys, at(0) + EVERY), [KeyState::Current, KeyState::Next]);
}

#[test]
fn no_more_keys_are_made_than_verifiers_read() {
    let keys: Vec<_> = (1..).map(|n| key(n, n, n)).take(MAX_PUBLISHED).collect();
    assert_eq!(due(&keys, at(100), Some(Duration::from_secs(1)), true), None);
}

#[test]
fn rows_are_forgotten_a_day_after_they_could_matter() {
    let keys = [key(1, 0, 0), key(2, 1000, 1660)];
    let gone = at(1660) + PUBLISHED_AFTER;
    assert!(forgettable(&keys, gone + DAY - MINUTE).is_empty());
    assert_eq!(forgettable(&keys, gone + DAY), [1]);
    let last = KeyTimes { revoked_at: Some(at(2000)), ..keys[1] };
    assert_eq!(forgettable(&[keys[0], last], gone + 30 * DAY), Vec::<u64>::new(), "1 signs, 2 is the last");
    let between = [keys[0], last, key(3, 2000, 2000)];
    assert_eq!(forgettable(&between, gone + 30 * DAY), [1, 2]);
}

prop_compose! {
    fn any_key()(created in 0_u64..1_000_000, wait in 0_u64..5000, life in prop::option::of(0_u64..1_000_000))
        -> KeyTimes {
        let revoked_at = life.map(|life| at(created + life));
        KeyTimes { revoked_at, ..key(0, created, created + wait) }
    }
}

fn any_keys() -> impl Strategy<Value = Vec<KeyTimes>> {
    prop::collection::vec(any_key(), 0..12).prop_map(|mut keys| {
        for (key, sequence) in keys.iter_mut().zip(1..) {
            key.sequence = sequence;
        }
        keys
    })
}

proptest! {
    /// SEC-66: any keys at any time -> exactly one signs unless all are withdrawn, and order of reading does not matter
    #[test]
    fn exactly_one_key_signs_at_any_time(keys in any_keys(), now in 0_u64..4_000_000) {
        let found = states(&keys, at(now));
        let current = found.iter().filter(|state| **state == KeyState::Current).count();
        let usable = keys.iter().any(|key| key.revoked_at.is_none());
        prop_assert_eq!(current, usize::from(usable));
        let mut turned: Vec<_> = keys.clone();
        turned.reverse();
        let mut again = states(&turned, at(now));
        again.reverse();
        prop_assert_eq!(found, again);
    }

    #[test]
    fn what_is_forgotten_is_not_published_and_changes_nothing(keys in any_keys(), now in 0_u64..4_000_000) {
        let forgotten = forgettable(&keys, at(now));
        let kept: Vec<_> = keys.iter().filter(|key| !forgotten.contains(&key.sequence)).copied().collect();
        let before = keys.iter().zip(states(&keys, at(now)));
        let before: Vec<_> = before.filter(|(key, _)| !forgotten.contains(&key.sequence)).collect();
        prop_assert!(keys.iter().zip(states(&keys, at(now)))
            .all(|(key, state)| !forgotten.contains(&key.sequence) || !state.is_published()));
        for ((key, was), is) in before.into_iter().zip(states(&kept, at(now))) {
            prop_assert!(was == is || !was.is_published(), "{key:?}: {was:?} became {is:?}");
        }
        prop_assert_eq!(next_sequence(&keys), next_sequence(&kept));
    }

    /// SEC-64: keys read five minutes ago, clocks five minutes apart -> the key of every token is known until it is over
    #[test]
    fn no_verifier_meets_an_unknown_key(
        rotations in prop::collection::vec(7200_u64..100_000, 1..6),
        signed in 0_u64..400_000,
        signer_ahead in -300_i64..=300,
        cached_for in 0_u64..=PUBLISHED_MAX_AGE.as_secs(),
        read_after in 0_u64..=60,
        lifetime in 1_u64..=LONGEST_TOKEN.as_secs(),
    ) {
        prop_assert!(CLOCK_DIFFERENCE.as_secs() == 300);
        let mut keys = vec![key(1, 0, 0)];
        let mut now = 0;
        for gap in rotations {
            now += gap;
            keys.push(made(&keys, at(now), Due::Age));
        }
        let true_time = signed + 1000;
        let by_signer = at(true_time.saturating_add_signed(signer_ahead));
        // The signer has read every row that exists by the time it signs; a row is made by the true clock.
        let read = |by: u64| -> Vec<KeyTimes> {
            keys.iter().filter(|key| key.created_at <= at(by)).copied().collect()
        };
        let signer = read(true_time);
        let found = states(&signer, by_signer);
        let kid = signer.iter().zip(found).find(|(_, state)| *state == KeyState::Current).unwrap().0.sequence;
        // What a replica published when the verifier read it, and what it publishes while the token lives.
        let fetched = true_time.saturating_sub(cached_for);
        let known_then = read(fetched.saturating_sub(read_after));
        let published = |keys: &[KeyTimes], now| {
            let found = states(keys, now);
            keys.iter().zip(found).any(|(key, state)| key.sequence == kid && state.is_published())
        };
        prop_assert!(published(&known_then, at(fetched)), "unknown when fresh");
        for age in [0, lifetime / 2, lifetime] {
            let later = true_time + age;
            prop_assert!(published(&read(later), at(later)), "gone while a token lives");
        }
    }
}
