//! Points in time as the protocol and the store write them.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Gives the present time. The binary passes the system's clock, a test its own.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Whole seconds since 1970, as in a JWT (RFC 7519 §2, `NumericDate`). A time before 1970 is 0.
pub(crate) fn unix_seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Cuts a time to the milliseconds that every store keeps, so that what is read equals what was written.
pub(crate) fn to_millis(at: SystemTime) -> i64 {
    let millis = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    i64::try_from(millis).unwrap_or(i64::MAX)
}

/// The time that [`to_millis`] wrote. Anything negative is 1970.
#[cfg(feature = "sea-orm")]
pub(crate) fn from_millis(millis: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// The time of whole seconds since 1970, if there is such a time.
pub(crate) fn from_seconds(seconds: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// `at` plus `by`, or `at` if there is no such time: what would last for ever is over at once.
pub(crate) fn after(at: SystemTime, by: Duration) -> SystemTime {
    at.checked_add(by).unwrap_or(at)
}

/// `at` minus `by`, or 1970.
pub(crate) fn before(at: SystemTime, by: Duration) -> SystemTime {
    at.checked_sub(by).unwrap_or(UNIX_EPOCH)
}
