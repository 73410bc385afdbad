//! What a process used, from `/proc`.

use std::{fs, time::Duration};

use crate::Outcome;

/// The processor time of a process.
#[derive(Clone, Copy, Default)]
pub struct ProcessorTime {
    /// Of all threads. Those that ended are not in it; the proxies end none.
    pub all: Duration,
    /// Of the thread that writes audit events.
    pub audit: Duration,
}

impl ProcessorTime {
    /// What was used between two readings.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self { all: self.all.saturating_sub(before.all), audit: self.audit.saturating_sub(before.audit) }
    }
}

/// What a process has used so far.
///
/// # Errors
/// When there is no such process.
pub fn processor_time(process: u32) -> Outcome<ProcessorTime> {
    let mut time = ProcessorTime::default();
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let thread = thread?.path();
        let text = fs::read_to_string(thread.join("schedstat"))?;
        let nanos = text.split_whitespace().next().ok_or("schedstat is empty")?;
        let used = Duration::from_nanos(nanos.parse()?);
        time.all += used;
        if fs::read_to_string(thread.join("comm"))?.trim() == "audit" {
            time.audit += used;
        }
    }
    Ok(time)
}

/// The memory of a process that is in use now, in kB.
///
/// # Errors
/// When there is no such process.
pub fn resident(process: u32) -> Outcome<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
