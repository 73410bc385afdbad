//! What the benches have in common: threads on cores, and what a process used.

pub mod pin;
pub mod usage;

/// How a bench function ends.
pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
