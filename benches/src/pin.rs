//! Threads on cores.

use rustix::thread::{CpuSet, sched_setaffinity};

use crate::Outcome;

/// Keeps this thread, and every process and thread that it starts, on a core.
///
/// # Errors
/// When there is no such core.
pub fn to(core: usize) -> Outcome {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores).map_err(|error| format!("cannot run on core {core}: {error}").into())
}
