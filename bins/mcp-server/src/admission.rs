//! The door: a request enters with exactly one decision and leaves it as the context of its calls.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use aws_credential_types::provider::SharedCredentialsProvider;
use axum::{
    Json,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use decision::{Acceptance, Decision, DecisionRefused, Incoming, POLICY_CONTEXT};
use http::{HeaderMap, HeaderName, StatusCode, header};
use mcp_core::CallContext;
use serde_json::json;
use sts_session::{AssumeRoleRequest, CachedSession, SessionCache, StsClient};

use crate::{
    config::{Config, TransitiveTags},
    recorder::{Cause, RecordedAssumption, Recorder, party_of},
};

/// Turns decisions into the contexts that calls run in.
pub(crate) struct Admission {
    acceptance: Acceptance,
    region: String,
    external_id: Option<String>,
    transitive_tags: TransitiveTags,
    session_policies: BTreeMap<String, String>,
    sessions: SessionCache,
    sts: StsClient,
    recorder: Recorder,
}

/// Why a request is not let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the decision is refused")]
    Decision(#[source] DecisionRefused),
    #[error("the decision names a session policy that this server does not have")]
    UnknownSessionPolicy,
    #[error("the audit log cannot record the call")]
    Unrecordable,
}

impl Admission {
    pub(crate) fn new(config: &Config, sessions: SessionCache, sts: StsClient, recorder: Recorder) -> Self {
        Self {
            acceptance: Acceptance {
                allowed_accounts: Some(config.allowed_accounts.clone()),
                partition: config.partition,
            },
            region: config.region.as_str().to_owned(),
            external_id: config.external_id.clone(),
            transitive_tags: config.transitive_tags.clone(),
            session_policies: config.session_policies.clone(),
            sessions,
            sts,
            recorder,
        }
    }

    /// The context of a request with these headers.
    fn admit(&self, headers: &HeaderMap) -> Result<CallContext, Refusal> {
        let (decision, request_id) =
            Incoming::from_headers(headers, &self.acceptance).map_err(Refusal::Decision)?;
        let session = self.session_of(&decision)?;
        let party = Arc::new(party_of(&decision));
        if !self.recorder.is_healthy() {
            self.recorder.refused_unrecordable(party, &request_id);
            return Err(Refusal::Unrecordable);
        }
        let cause = Cause { recorder: self.recorder.clone(), party, request_id };
        let source = RecordedAssumption { inner: self.sts.clone(), cause: cause.clone() };
        let credentials = CachedSession::new(self.sessions.clone(), session, source);
        Ok(CallContext {
            decision: Some(Arc::new(decision)),
            request_id: Some(request_id),
            credentials: SharedCredentialsProvider::new(credentials),
            observer: Arc::new(cause),
        })
    }

    /// What STS is asked for: the decision, whole, and this server's settings.
    fn session_of(&self, decision: &Decision) -> Result<AssumeRoleRequest, Refusal> {
        let policy =
            decision.context.session_policy.as_deref().map(|policy| self.policy(policy)).transpose()?;
        let identity = decision.source_identity.as_str();
        let mut request = AssumeRoleRequest::new(decision.role.as_str(), identity, &self.region);
        request.tags = decision.tags.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        request.transitive_tag_keys = self.transitive_tags.among(decision.tags.iter().map(|(key, _)| key));
        request.policy = policy;
        request.external_id.clone_from(&self.external_id);
        request.duration = Duration::from_secs(decision.context.session_duration_seconds.into());
        Ok(request)
    }

    /// A decision carries the document itself, or the name of one that this server has.
    fn policy(&self, policy: &str) -> Result<String, Refusal> {
        if policy.starts_with('{') {
            return Ok(policy.to_owned());
        }
        self.session_policies.get(policy).cloned().ok_or(Refusal::UnknownSessionPolicy)
    }
}

/// Lets a request in with its context, or answers why not. The body is not read and `Authorization` goes no further.
pub(crate) async fn decision_layer(
    State(admission): State<Arc<Admission>>,
    mut request: Request,
    next: Next,
) -> Response {
    match admission.admit(request.headers()) {
        Ok(context) => {
            request.headers_mut().remove(header::AUTHORIZATION);
            request.extensions_mut().insert(context);
            next.run(request).await
        }
        Err(refusal) => {
            admission.recorder.meters().refused(refusal.reason());
            let header = refusal.header();
            let header = header.as_ref().map(HeaderName::as_str);
            tracing::warn!(reason = refusal.reason(), header, "a request was refused");
            refusal.into_response()
        }
    }
}

impl Refusal {
    fn reason(&self) -> &'static str {
        match self {
            Self::Decision(refused) => refused.reason(),
            Self::UnknownSessionPolicy => "unknown_session_policy",
            Self::Unrecordable => "audit_unavailable",
        }
    }

    fn header(&self) -> Option<HeaderName> {
        match self {
            Self::Decision(refused) => Some(refused.header().clone()),
            Self::UnknownSessionPolicy => Some(POLICY_CONTEXT),
            Self::Unrecordable => None,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Decision(_) | Self::UnknownSessionPolicy => StatusCode::FORBIDDEN,
            Self::Unrecordable => StatusCode::SERVICE_UNAVAILABLE,
        };
        // The body was not read, so the request's own id is not known (JSON-RPC 2.0 §5).
        let body = json!({
            "jsonrpc": "2.0",
            "id": null,
            "error": {
                "code": -32000,
                "message": self.to_string(),
                "data": { "reason": self.reason(), "header": self.header().as_ref().map(HeaderName::as_str) },
            },
        });
        (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
    }
}
