//! What belongs to one call, and who is told how it ended.

use std::{fmt, sync::Arc};

use aws_credential_types::provider::SharedCredentialsProvider;
use decision::{Decision, RequestId};

/// Everything that belongs to the caller of one request. It travels in the request's extensions and is dropped with it.
#[derive(Clone)]
pub struct CallContext {
    /// What was decided about the caller; `None` where a person runs the server for themselves.
    pub decision: Option<Arc<Decision>>,
    /// The request's id; `None` where nobody gave one.
    pub request_id: Option<RequestId>,
    /// Credentials of exactly this decision.
    pub credentials: SharedCredentialsProvider,
    /// Is told how each tool call ended.
    pub observer: Arc<dyn CallObserver>,
}

impl CallContext {
    /// The caller's role, in words for a message.
    pub(crate) fn role(&self) -> String {
        self.decision.as_ref().map_or_else(
            || "your AWS profile".to_owned(),
            |decision| format!("role {}", decision.role.as_str()),
        )
    }
}

impl fmt::Debug for CallContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallContext")
            .field("decision", &self.decision)
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}

/// Is told how tool calls end, to record them.
pub trait CallObserver: Send + Sync {
    /// Records the end of a call, before its answer is given.
    ///
    /// # Errors
    /// When it could not be recorded; the answer is then withheld.
    fn finished(&self, call: &FinishedCall<'_>) -> Result<(), NotRecorded>;
}

/// How a tool call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FinishedCall<'a> {
    /// Name of the tool.
    pub tool: &'a str,
    /// How it ended.
    pub ending: Ending,
}

impl<'a> FinishedCall<'a> {
    pub(crate) fn new(tool: &'a str, ending: Ending) -> Self {
        Self { tool, ending }
    }
}

/// The ways in which a tool call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It did what was asked.
    Done,
    /// AWS refused, for this stable reason.
    Denied(&'static str),
    /// It could not be done, for this stable reason.
    Failed(&'static str),
}

/// The end of a call could not be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the end of the call could not be recorded")]
pub struct NotRecorded;

/// Keeps no record: for a person who runs the server for themselves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl CallObserver for Unobserved {
    fn finished(&self, _: &FinishedCall<'_>) -> Result<(), NotRecorded> {
        Ok(())
    }
}
