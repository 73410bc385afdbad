//! How long a refresh token that was used may be sent again.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// The time after its use in which the same client is told the same again: its answer may have been lost, or two parts of
/// it refreshed at once. From 0, which means never, to 300 seconds; 30 seconds by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct ReplayWindow(Duration);

/// The span is longer than 300 seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a replay window is {} s: expected 0 s to {} s", found.as_secs(), ReplayWindow::MAX.0.as_secs())]
pub struct ReplayWindowTooLong {
    /// The span.
    pub found: Duration,
}

impl ReplayWindow {
    /// The longest.
    pub const MAX: Self = Self(Duration::from_mins(5));

    /// A window of this length.
    ///
    /// # Errors
    /// When it is longer than [`MAX`](Self::MAX).
    pub fn new(length: Duration) -> Result<Self, ReplayWindowTooLong> {
        if length > Self::MAX.0 { Err(ReplayWindowTooLong { found: length }) } else { Ok(Self(length)) }
    }

    /// Its length.
    #[must_use]
    pub const fn length(self) -> Duration {
        self.0
    }

    /// Whether a token that was used at `used_at` may be sent again at `now`.
    ///
    /// Where clocks differ or step back, the use may lie in the future (SEC-66). It counts as near as if it lay in the
    /// past: replicas that differ by less than the window lose no family, and a step by more leaves the window shut.
    pub(crate) fn is_open(self, used_at: SystemTime, now: SystemTime) -> bool {
        let since = now.duration_since(used_at).unwrap_or_else(|future| future.duration());
        !self.0.is_zero() && since <= self.0
    }
}

impl Default for ReplayWindow {
    fn default() -> Self {
        Self(Duration::from_secs(30))
    }
}

impl TryFrom<u64> for ReplayWindow {
    type Error = ReplayWindowTooLong;

    fn try_from(seconds: u64) -> Result<Self, Self::Error> {
        Self::new(Duration::from_secs(seconds))
    }
}

impl From<ReplayWindow> for u64 {
    fn from(window: ReplayWindow) -> Self {
        window.0.as_secs()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::ReplayWindow;

    /// SEC-66: a use in the future of this clock by more than the window, a step of the clock -> the window is shut
    #[test]
    fn it_is_open_as_long_as_it_says_on_either_side() {
        let used_at = UNIX_EPOCH + Duration::from_hours(500_000);
        let [millisecond, second, hour] =
            [Duration::from_millis(1), Duration::from_secs(1), Duration::from_hours(1)];
        let window = ReplayWindow::default();
        let cases = [
            (used_at, true),
            (used_at + 30 * second, true),
            (used_at + 30 * second + millisecond, false),
            (used_at + hour, false),
            (used_at - 30 * second, true),
            (used_at - 30 * second - millisecond, false),
            (used_at - hour, false),
        ];
        for (now, open) in cases {
            assert_eq!(window.is_open(used_at, now), open, "{now:?}");
        }
        assert!(!ReplayWindow::try_from(0).unwrap().is_open(used_at, used_at), "never");
    }

    #[test]
    fn it_is_at_most_five_minutes() {
        assert_eq!(ReplayWindow::try_from(300).unwrap(), ReplayWindow::MAX);
        let error = ReplayWindow::try_from(301).unwrap_err();
        assert_eq!(error.to_string(), "a replay window is 301 s: expected 0 s to 300 s");
        assert_eq!(serde_json::from_str::<ReplayWindow>("45").unwrap().length(), Duration::from_secs(45));
        assert!(serde_json::from_str::<ReplayWindow>("301").is_err());
        assert_eq!(serde_json::to_string(&ReplayWindow::default()).unwrap(), "30");
    }
}
