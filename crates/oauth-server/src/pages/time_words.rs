//! Points in time as people read them.

use std::time::{Duration, SystemTime};

use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

/// A point in time: for a program and in words.
pub(super) struct Moment {
    pub(super) machine: String,
    pub(super) words: String,
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

impl Moment {
    /// With date and time of day.
    pub(super) fn exact(at: SystemTime) -> Self {
        let format = format_description!("[day padding:none] [month repr:short] [year], [hour]:[minute] UTC");
        Self::new(at, |at| at.format(format).unwrap_or_default())
    }

    /// With the date.
    pub(super) fn day(at: SystemTime) -> Self {
        let format = format_description!("[day padding:none] [month repr:long] [year]");
        Self::new(at, |at| at.format(format).unwrap_or_default())
    }

    /// With how long ago it was, and with the date once that is clearer.
    pub(super) fn ago(at: SystemTime, now: SystemTime) -> Self {
        let Ok(passed) = now.duration_since(at) else { return Self::exact(at) };
        let seconds = passed.as_secs();
        let unit = |each: u64, name: &str| {
            let count = seconds / each;
            format!("{count} {name}{} ago", if count == 1 { "" } else { "s" })
        };
        let words = match seconds {
            0..MINUTE => "just now".to_owned(),
            MINUTE..HOUR => unit(MINUTE, "minute"),
            HOUR..DAY => unit(HOUR, "hour"),
            _ if passed < Duration::from_secs(7 * DAY) => unit(DAY, "day"),
            _ => return Self::day(at),
        };
        Self { words, ..Self::day(at) }
    }

    fn new(at: SystemTime, words: impl FnOnce(OffsetDateTime) -> String) -> Self {
        let at = OffsetDateTime::from(at).truncate_to_second();
        Self { machine: at.format(&Rfc3339).unwrap_or_default(), words: words(at) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::Moment;

    #[test]
    fn moments_read_well() {
        let now = UNIX_EPOCH + Duration::from_millis(1_800_000_000_123);
        let exact = Moment::exact(now);
        assert_eq!(
            (exact.machine.as_str(), exact.words.as_str()),
            ("2027-01-15T08:00:00Z", "15 Jan 2027, 08:00 UTC")
        );
        assert_eq!(Moment::day(now).words, "15 January 2027");
        for (seconds, words) in [
            (0, "just now"),
            (59, "just now"),
            (60, "1 minute ago"),
            (3599, "59 minutes ago"),
            (3600, "1 hour ago"),
            (86_399, "23 hours ago"),
            (86_400, "1 day ago"),
            (604_799, "6 days ago"),
            (604_800, "8 January 2027"),
        ] {
            let moment = Moment::ago(now - Duration::from_secs(seconds), now);
            assert_eq!(moment.words, words);
        }
        let later = Moment::ago(now + Duration::from_mins(1), now);
        assert_eq!(later.words, "15 Jan 2027, 08:01 UTC", "a clock that was put back");
    }
}
