//! The audit events of the server: role assumptions and tool calls.

use std::{collections::BTreeMap, sync::Arc};

use audit::{Action, AuditLog, AuditUnavailable, Event, Outcome, Party};
use decision::{Decision, RequestId};
use mcp_core::{CallObserver, Ending, FinishedCall, NotRecorded};
use sts_session::{AssumeRole, AssumeRoleError, AssumeRoleRequest, SessionCredentials, UnavailableCause};

use crate::meters::Meters;

/// Writes events and counts them.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    log: AuditLog,
    meters: Meters,
}

impl Recorder {
    pub(crate) fn new(log: AuditLog, meters: Meters) -> Self {
        Self { log, meters }
    }

    pub(crate) fn meters(&self) -> &Meters {
        &self.meters
    }

    pub(crate) fn is_healthy(&self) -> bool {
        self.log.is_healthy()
    }

    /// Records, as soon as that is possible again, that a call was refused because nothing can be recorded.
    pub(crate) fn refused_unrecordable(&self, party: Arc<Party>, request_id: &RequestId) {
        let event = Event::new(Action::Deny, Outcome::Failure, party);
        // The caller is refused either way.
        let _ = self.log.record(event.request_id(request_id.as_str()).reason("audit_unavailable"));
    }

    pub(crate) fn flush(&self) {
        self.log.flush();
    }

    fn assumption(
        &self,
        request: &AssumeRoleRequest,
        outcome: &Result<SessionCredentials, AssumeRoleError>,
    ) -> Result<(), AuditUnavailable> {
        let party = Arc::new(Party {
            source_identity: Some(request.source_identity.clone()),
            role_arn: Some(request.role_arn.clone()),
            tags: request.tags.clone(),
            ..Party::default()
        });
        let (event, aws_request_id) = match outcome {
            Ok(session) => {
                (Event::new(Action::RoleAssumption, Outcome::Success, party), session.aws_request_id())
            }
            Err(error) => {
                let outcome = match error {
                    AssumeRoleError::Denied(_) => Outcome::Denied,
                    _ => Outcome::Failure,
                };
                let event = Event::new(Action::RoleAssumption, outcome, party).reason(error.reason());
                (event, error.aws_request_id())
            }
        };
        self.meters.assumed(outcome.as_ref().err().map_or("success", AssumeRoleError::reason));
        // The id under which CloudTrail has the same call.
        let target = aws_request_id.map(|id| format!("sts:AssumeRole/{id}"));
        self.log.record(event.target(target.unwrap_or_else(|| "sts:AssumeRole".to_owned())))
    }
}

/// The party of a decision, for every event under it.
pub(crate) fn party_of(decision: &Decision) -> Party {
    let tags: BTreeMap<String, String> =
        decision.tags.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    Party {
        tenant: Some(decision.context.tenant.clone()),
        source_identity: Some(decision.source_identity.as_str().to_owned()),
        role_arn: Some(decision.role.as_str().to_owned()),
        tags,
        policy_id: Some(decision.context.policy_id.clone()),
        decision_id: Some(decision.context.decision_id.clone()),
        ..Party::default()
    }
}

/// Assumes roles and records every call to STS. A session whose assumption is not recorded is not used.
#[derive(Debug)]
pub(crate) struct RecordedAssumption<A> {
    inner: A,
    recorder: Recorder,
}

impl<A> RecordedAssumption<A> {
    pub(crate) fn new(inner: A, recorder: Recorder) -> Self {
        Self { inner, recorder }
    }
}

impl<A: AssumeRole> AssumeRole for RecordedAssumption<A> {
    async fn assume_role(&self, request: &AssumeRoleRequest) -> Result<SessionCredentials, AssumeRoleError> {
        let outcome = self.inner.assume_role(request).await;
        if let Err(error) = &outcome {
            let principal = match error {
                AssumeRoleError::Denied(denied) => denied.principal.as_deref(),
                _ => None,
            };
            let aws_request_id = error.aws_request_id();
            tracing::warn!(%error, principal, aws_request_id, "a role could not be assumed");
        }
        match self.recorder.assumption(request, &outcome) {
            Ok(()) => outcome,
            Err(AuditUnavailable) => outcome
                .and(Err(AssumeRoleError::unavailable(&request.role_arn, UnavailableCause::Unrecorded))),
        }
    }
}

/// Records the tool calls of one request.
pub(crate) struct RecordedCalls {
    pub(crate) recorder: Recorder,
    pub(crate) party: Arc<Party>,
    pub(crate) request_id: RequestId,
}

impl CallObserver for RecordedCalls {
    fn finished(&self, call: &FinishedCall<'_>) -> Result<(), NotRecorded> {
        let (outcome, reason) = match call.ending {
            Ending::Done => (Outcome::Success, None),
            Ending::Denied(reason) => (Outcome::Denied, Some(reason)),
            Ending::Failed(reason) => (Outcome::Failure, Some(reason)),
        };
        self.recorder.meters.tool(call.tool, reason.unwrap_or("success"));
        let event = Event::new(Action::ToolCall, outcome, Arc::clone(&self.party))
            .request_id(self.request_id.as_str())
            .target(call.tool);
        let event = match reason {
            Some(reason) => event.reason(reason),
            None => event,
        };
        self.recorder.log.record(event).map_err(|AuditUnavailable| NotRecorded)
    }
}
