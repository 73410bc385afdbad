//! The table.

use std::time::Duration;

/// One operation on one database.
pub(crate) struct Row {
    pub(crate) database: &'static str,
    pub(crate) operation: &'static str,
    pub(crate) count: usize,
    pub(crate) elapsed: Duration,
    /// Of the server's processor.
    pub(crate) used: Duration,
    /// In kB, afterwards.
    pub(crate) resident: u64,
}

pub(crate) fn print(rows: &[Row]) {
    println!(
        "{:<12} {:<16} {:>8} {:>9} {:>9} {:>12} {:>7}",
        "database", "operation", "count", "seen/s", "CPU µs", "per core s", "RSS MB"
    );
    for row in rows {
        let count = f64::from(u32::try_from(row.count).unwrap_or(u32::MAX));
        let processor = row.used.as_secs_f64() / count;
        println!(
            "{:<12} {:<16} {:>8} {:>9.0} {:>9.1} {:>12.0} {:>7.1}",
            row.database,
            row.operation,
            row.count,
            count / row.elapsed.as_secs_f64(),
            processor * 1e6,
            1.0 / processor,
            f64::from(u32::try_from(row.resident).unwrap_or(u32::MAX)) / 1024.0,
        );
    }
}
