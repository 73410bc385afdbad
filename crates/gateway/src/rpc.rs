//! What the gateway reads of a JSON-RPC message, and how it answers one.

mod agreement;
mod answer;
mod scan;

pub(crate) use agreement::{Disagreement, check_agreement};
pub(crate) use answer::{Failure, failure};
pub(crate) use scan::{Call, Scanner, Unreadable};
