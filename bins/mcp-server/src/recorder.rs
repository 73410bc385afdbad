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

/// On whose account something is done, by which request, and where that is recorded.
#[derive(Clone)]
pub(crate) struct Cause {
    pub(crate) recorder: Recorder,
    pub(crate) party: Arc<Party>,
    pub(crate) request_id: RequestId,
}

impl Cause {
    fn event(&self, action: Action, outcome: Outcome, reason: Option<&'static str>) -> Event {
        let event = Event::new(action, outcome, Arc::clone(&self.party)).request_id(self.request_id.as_str());
        match reason {
            Some(reason) => event.reason(reason),
            None => event,
        }
    }

    fn assumption(
        &self,
        outcome: &Result<SessionCredentials, AssumeRoleError>,
    ) -> Result<(), AuditUnavailable> {
        let (ending, reason, aws_request_id) = match outcome {
            Ok(session) => (Outcome::Success, None, session.aws_request_id()),
            Err(error) => {
                let denied = matches!(error, AssumeRoleError::Denied(_));
                let ending = if denied { Outcome::Denied } else { Outcome::Failure };
                (ending, Some(error.reason()), error.aws_request_id())
            }
        };
        self.recorder.meters.assumed(reason.unwrap_or("success"));
        // The id under which CloudTrail has the same call.
        let target =
            aws_request_id.map_or_else(|| "sts:AssumeRole".to_owned(), |id| format!("sts:AssumeRole/{id}"));
        self.recorder.log.record(self.event(Action::RoleAssumption, ending, reason).target(target))
    }
}

/// Assumes a role for a request, and records the call to STS with that request, though its session then serves others
/// of the same decision too. A session whose assumption is not recorded is not used.
#[derive(Clone)]
pub(crate) struct RecordedAssumption<A> {
    pub(crate) inner: A,
    pub(crate) cause: Cause,
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
        match self.cause.assumption(&outcome) {
            Ok(()) => outcome,
            Err(AuditUnavailable) => outcome
                .and(Err(AssumeRoleError::unavailable(&request.role_arn, UnavailableCause::Unrecorded))),
        }
    }
}

impl CallObserver for Cause {
    fn finished(&self, call: &FinishedCall<'_>) -> Result<(), NotRecorded> {
        let (outcome, reason) = match call.ending {
            Ending::Done => (Outcome::Success, None),
            Ending::Denied(reason) => (Outcome::Denied, Some(reason)),
            Ending::Failed(reason) => (Outcome::Failure, Some(reason)),
        };
        self.recorder.meters.tool(call.tool, reason.unwrap_or("success"));
        let event = self.event(Action::ToolCall, outcome, reason).target(call.tool);
        self.recorder.log.record(event).map_err(|AuditUnavailable| NotRecorded)
    }
}
