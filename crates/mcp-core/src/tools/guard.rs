//! Every call is recorded once, also one that is abandoned half way.

use crate::{CallContext, Ending, FinishedCall, failure::ToolFailure};

/// A call under way. Dropped before [`Recorded::finish`], it records that the caller went away.
pub(super) struct Recorded<'a> {
    tool: &'static str,
    context: &'a CallContext,
    finished: bool,
}

impl<'a> Recorded<'a> {
    pub(super) fn start(tool: &'static str, context: &'a CallContext) -> Self {
        Self { tool, context, finished: false }
    }

    /// Records how the call ended. What could not be recorded is not answered.
    pub(super) fn finish<T>(mut self, result: Result<T, ToolFailure>) -> Result<T, ToolFailure> {
        self.finished = true;
        let ending = result.as_ref().err().map_or(Ending::Done, ToolFailure::ending);
        match self.context.observer.finished(&FinishedCall::new(self.tool, ending)) {
            Ok(()) => result,
            Err(_) => Err(ToolFailure::NotRecorded),
        }
    }
}

impl Drop for Recorded<'_> {
    fn drop(&mut self) {
        if !self.finished {
            // Nobody is left to be refused.
            let _ =
                self.context.observer.finished(&FinishedCall::new(self.tool, Ending::Failed("abandoned")));
        }
    }
}
