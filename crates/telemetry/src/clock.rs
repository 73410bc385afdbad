//! The wall clock.

use std::time::SystemTime;

/// The wall clock as a value, to be handed to everything that takes a clock.
pub fn system_clock() -> impl Fn() -> SystemTime + Clone + Send + Sync + 'static {
    #[expect(clippy::disallowed_methods, reason = "the one place where the wall clock is read")]
    SystemTime::now
}

#[cfg(test)]
mod tests {
    use super::system_clock;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn the_clock_reads_a_time_of_this_century_and_can_be_shared() {
        let clock = system_clock();
        let copy = clock.clone();
        let elsewhere = std::thread::spawn(copy).join().unwrap();
        let year_2026 = UNIX_EPOCH + Duration::from_hours(56 * 365 * 24);
        assert!(elsewhere > year_2026);
        assert!(clock() > year_2026);
    }
}
