//! Medians and ratios.

use std::time::Duration;

/// One round of one proxy.
#[derive(Clone, Copy)]
pub(crate) struct Round {
    pub(crate) per_second: f64,
    pub(crate) processor_micros: f64,
    /// The part of it that the audit thread took.
    pub(crate) audit_micros: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) resident_kb: u64,
}

/// All rounds of one proxy.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) rounds: Vec<Round>,
}

pub(crate) fn print(rows: &[Row]) {
    println!(
        "{:<32} {:>9} {:>6} {:>9} {:>6} {:>9} {:>8} {:>8} {:>7}",
        "medians of the rounds",
        "req/s",
        "ratio",
        "CPU µs",
        "ratio",
        "audit µs",
        "p50 µs",
        "p99 µs",
        "RSS MB"
    );
    let base = rows.first();
    for row in rows {
        let ratio = |of: fn(&Round) -> f64| {
            // Each round beside the same round of the pass-through.
            let pairs = row.rounds.iter().zip(base.map(|base| base.rounds.as_slice()).unwrap_or_default());
            median(pairs.map(|(round, base)| of(round) / of(base)).collect())
        };
        let value = |of: fn(&Round) -> f64| median(row.rounds.iter().map(of).collect());
        println!(
            "{:<32} {:>9.0} {:>6.2} {:>9.2} {:>6.2} {:>9.2} {:>8.0} {:>8.0} {:>7.1}",
            row.name,
            value(|round| round.per_second),
            ratio(|round| round.per_second),
            value(|round| round.processor_micros),
            ratio(|round| round.processor_micros),
            value(|round| round.audit_micros),
            value(|round| round.p50.as_secs_f64() * 1e6),
            value(|round| round.p99.as_secs_f64() * 1e6),
            value(|round| f64::from(u32::try_from(round.resident_kb).unwrap_or(u32::MAX)) / 1024.0),
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
