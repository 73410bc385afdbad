//! Why a tool could not do what was asked, in words for the person who asked.

use crate::Ending;

/// The most characters of a message that quotes the caller.
const MOST_QUOTED: usize = 300;

/// Why a tool failed. The text reaches the caller: it names what to change and holds nothing secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ToolFailure {
    #[error("{name}: {problem}")]
    Argument { name: &'static str, problem: String },
    #[error("the arguments do not fit this tool: {0}")]
    Arguments(String),
    #[error("no credentials for {role}: {problem}")]
    Credentials { role: String, problem: String },
    #[error(
        "{role} may not {action} on {resource}: allow it in the role's policy, and see that no session policy, bucket \
         policy or key policy stands against it"
    )]
    Denied { role: String, action: String, resource: String },
    #[error("{resource} does not exist")]
    NotFound { resource: String },
    #[error("{resource} is in {bucket_region}, but this server works in {region}")]
    OtherRegion { resource: String, bucket_region: String, region: String },
    #[error("the session for {role} has ended or is not valid: try again")]
    SessionEnded { role: String },
    #[error("S3 is throttling requests for {resource}: try again in a few seconds")]
    Throttled { resource: String },
    #[error("S3 cannot be reached, or failed, for {resource}: try again")]
    Unavailable { resource: String },
    #[error("S3 refuses {action} on {resource} with {code}")]
    Refused { action: String, resource: String, code: String },
    #[error("the call cannot be recorded in the audit log, so its answer is withheld: try again later")]
    NotRecorded,
}

impl ToolFailure {
    pub(crate) fn argument(name: &'static str, problem: impl Into<String>) -> Self {
        Self::Argument { name, problem: problem.into() }
    }

    /// `problem` may quote the arguments, which may be of any length.
    pub(crate) fn arguments(problem: &impl ToString) -> Self {
        let problem = problem.to_string();
        let cut: String = problem.chars().take(MOST_QUOTED).collect();
        let more = if cut.len() < problem.len() { "…" } else { "" };
        Self::Arguments(cut + more)
    }

    /// How the record of the call says it ended.
    pub(crate) fn ending(&self) -> Ending {
        match self {
            Self::Argument { .. } | Self::Arguments(_) => Ending::Failed("bad_arguments"),
            Self::Credentials { .. } => Ending::Failed("no_credentials"),
            Self::Denied { .. } => Ending::Denied("aws_denied"),
            Self::NotFound { .. } => Ending::Failed("not_found"),
            Self::OtherRegion { .. } => Ending::Failed("other_region"),
            Self::SessionEnded { .. } => Ending::Failed("session_ended"),
            Self::Throttled { .. } => Ending::Failed("throttled"),
            Self::Unavailable { .. } => Ending::Failed("unavailable"),
            Self::Refused { .. } => Ending::Failed("aws_refused"),
            Self::NotRecorded => Ending::Failed("not_recorded"),
        }
    }
}
