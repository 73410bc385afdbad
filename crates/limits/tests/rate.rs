//! The rate, the burst and the wait, on a clock that the test moves.
#![expect(clippy::unwrap_used, reason = "a failed set-up fails the test")]

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use governor::clock::FakeRelativeClock;
use limits::{Limited, MAX_BURST, RateLimit};
use proptest::prelude::*;

fn limit(per_minute: u32, burst: u32) -> (RateLimit<FakeRelativeClock>, FakeRelativeClock) {
    let clock = FakeRelativeClock::default();
    let limit = RateLimit::with_clock(count(per_minute), count(burst), clock.clone());
    (limit, clock)
}

fn count(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

/// How many of `calls` pass now.
fn passed<C: governor::clock::Clock + Clone>(limit: &RateLimit<C>, calls: usize) -> usize {
    (0..calls).filter(|_| limit.check().is_ok()).count()
}

#[test]
fn a_burst_passes_then_the_rate() {
    let (limit, clock) = limit(60, 5);
    assert_eq!(passed(&limit, 20), 5);
    clock.advance(Duration::from_secs(1));
    assert_eq!(passed(&limit, 20), 1);
    clock.advance(Duration::from_secs(3));
    assert_eq!(passed(&limit, 20), 3);
    clock.advance(Duration::from_hours(1));
    assert_eq!(passed(&limit, 20), 5, "a pause earns no more than the burst");
}

#[test]
fn the_wait_is_exact_and_suffices() {
    let (limit, clock) = limit(6, 1);
    assert_eq!(limit.check(), Ok(()));
    let limited = limit.check().unwrap_err();
    assert_eq!(limited, Limited { retry_after: Duration::from_secs(10) });
    assert_eq!(limited.retry_after_seconds(), 10);
    clock.advance(Duration::from_millis(9_999));
    assert_eq!(limit.check().unwrap_err().retry_after, Duration::from_millis(1));
    clock.advance(Duration::from_millis(1));
    assert_eq!(limit.check(), Ok(()));
}

#[test]
fn refused_calls_do_not_extend_the_wait() {
    let (limit, _clock) = limit(1, 1);
    assert_eq!(passed(&limit, 10_000), 1);
    assert_eq!(limit.check().unwrap_err().retry_after, Duration::from_mins(1));
}

#[test]
fn the_header_is_whole_seconds_and_never_zero() {
    for (nanoseconds, expected) in
        [(0, 1), (1, 1), (999_999_999, 1), (1_000_000_000, 1), (1_000_000_001, 2), (59_500_000_000, 60)]
    {
        let limited = Limited { retry_after: Duration::from_nanos(nanoseconds) };
        assert_eq!(limited.retry_after_seconds(), expected, "{nanoseconds}");
    }
    assert_eq!(Limited { retry_after: Duration::MAX }.retry_after_seconds(), u64::MAX);
    let limited = Limited { retry_after: Duration::from_millis(1500) };
    assert_eq!(limited.to_string(), "too many calls; retry in 2 s");
}

#[test]
fn extreme_numbers_neither_overflow_nor_open_the_gate() {
    let (slowest, clock) = limit(1, u32::MAX);
    assert_eq!(passed(&slowest, MAX_BURST as usize + 10), MAX_BURST as usize);
    clock.advance(Duration::from_mins(1));
    assert_eq!(passed(&slowest, 10), 1);
    let (fastest, _clock) = limit(u32::MAX, 1);
    assert_eq!(passed(&fastest, 10), 1);
}

#[test]
fn threads_share_one_burst() {
    let (limit, _clock) = limit(1, 100);
    let total = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| total.fetch_add(passed(&limit, 200), Ordering::Relaxed));
        }
    });
    assert_eq!(total.into_inner(), 100);
}

#[test]
fn the_real_clock_works_too() {
    let limit = RateLimit::new(count(1), count(3));
    assert_eq!(passed(&limit, 10), 3);
    assert!(format!("{limit:?}").contains("RateLimit"));
}

proptest! {
    /// Over any stretch of time, no more passes than the burst and what the rate earned.
    #[test]
    fn never_more_than_burst_and_rate(
        per_minute in 1..10_000_u32, burst in 1..100_u32, steps in prop::collection::vec((0..5_000_u64, 0..50_usize), 0..40),
    ) {
        let (limit, clock) = limit(per_minute, burst);
        let (mut elapsed, mut total) = (0_u64, 0_u64);
        for (milliseconds, calls) in steps {
            clock.advance(Duration::from_millis(milliseconds));
            elapsed += milliseconds;
            total += passed(&limit, calls) as u64;
            // A call takes 60e9 / per_minute ns rounded down, which earns at most one call more than the exact rate
            // here.
            let earned = elapsed * u64::from(per_minute) / 60_000 + 1;
            prop_assert!(total <= u64::from(burst) + earned);
        }
    }
}
