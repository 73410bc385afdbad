//! Time as the simulator sees and writes it.

use std::sync::Arc;
use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// `2026-01-31T09:30:00Z`, whole seconds.
pub(crate) fn rfc3339(at: SystemTime) -> String {
    let at = OffsetDateTime::from(at).replace_nanosecond(0).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.format(&Rfc3339).unwrap_or_default()
}

/// Seconds since 1970.
pub(crate) fn epoch_seconds(at: SystemTime) -> i64 {
    OffsetDateTime::from(at).unix_timestamp()
}
