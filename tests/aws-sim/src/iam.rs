//! IAM policies: parsing them strictly and deciding requests by them.
//!
//! The rules are those of the IAM user guide's policy evaluation logic. Whatever is not understood (an element, an
//! operator, a principal type, a malformed pattern) is an error when the policy is loaded; nothing is skipped.

mod condition;
mod context;
mod document;
mod evaluate;
mod operand;
mod parse;
mod pattern;
mod principal;

pub use context::Context;
pub use document::PolicyDocument;
pub use evaluate::{Decision, Denial, DenialSource, Policies, Request, evaluate};
pub use parse::{Policy, PolicyError, PolicyKind};
pub use principal::Principal;
pub(crate) use principal::is_account;
