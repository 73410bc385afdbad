//! The event and what it says.

use std::{borrow::Cow, collections::BTreeMap, fmt::Write as _, sync::Arc, time::SystemTime};

use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use crate::text::push_json_text;

/// What was attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A person signed in at an identity source.
    Login,
    /// A person signed out of a browser.
    Logout,
    /// A person allowed or refused a client to act for them.
    Consent,
    /// A client registered.
    Registration,
    /// A client asked to be let in from another device, or a person typed its code.
    DeviceAuthorization,
    /// Tokens were issued for an authorization code.
    TokenIssue,
    /// Tokens were issued for a refresh token.
    TokenRefresh,
    /// A token, or the whole grant behind it, was revoked.
    TokenRevoke,
    /// The gateway allowed a call.
    Allow,
    /// The gateway refused a call.
    Deny,
    /// An IAM role was assumed for a decision.
    RoleAssumption,
    /// A tool ran.
    ToolCall,
    /// The mapping or another setting was changed by an operator.
    AdminChange,
}

impl Action {
    /// The name written to the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Logout => "logout",
            Self::Consent => "consent",
            Self::Registration => "registration",
            Self::DeviceAuthorization => "device_authorization",
            Self::TokenIssue => "token_issue",
            Self::TokenRefresh => "token_refresh",
            Self::TokenRevoke => "token_revoke",
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::RoleAssumption => "role_assumption",
            Self::ToolCall => "tool_call",
            Self::AdminChange => "admin_change",
        }
    }
}

/// How the attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was refused by a rule or by the person.
    Denied,
    /// It could not be carried out.
    Failure,
}

impl Outcome {
    /// The name written to the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Denied => "denied",
            Self::Failure => "failure",
        }
    }
}

/// Whom an event concerns. It is constant for one decision and shared by every event of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Party {
    /// Issuer of the identity.
    pub issuer: Option<String>,
    /// Subject at that issuer.
    pub subject: Option<String>,
    /// Tenant the subject belongs to.
    pub tenant: Option<String>,
    /// OAuth client identifier.
    pub client: Option<String>,
    /// STS source identity.
    pub source_identity: Option<String>,
    /// ARN of the decided role.
    pub role_arn: Option<String>,
    /// Session tags of the decision.
    pub tags: BTreeMap<String, String>,
    /// The rule that decided.
    pub policy_id: Option<String>,
    /// Joins the gateway's decision, the STS session and the tool calls under it.
    pub decision_id: Option<String>,
}

/// One audit event.
#[derive(Clone, Debug)]
pub struct Event {
    /// What was attempted.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
    /// Whom it concerns.
    pub party: Arc<Party>,
    /// The request that caused it, if one did.
    pub request_id: Option<String>,
    /// A stable machine-readable word for why, e.g. `no_rule`.
    pub reason: Option<Cow<'static, str>>,
    /// What the action was on: a tool name, a service, a redirect host.
    pub target: Option<String>,
}

impl Event {
    /// An event without request, reason or target.
    #[must_use]
    pub fn new(action: Action, outcome: Outcome, party: Arc<Party>) -> Self {
        Self { action, outcome, party, request_id: None, reason: None, target: None }
    }

    /// Names the request that caused the event.
    #[must_use]
    pub fn request_id(mut self, id: impl Into<String>) -> Self {
        self.request_id = Some(id.into());
        self
    }

    /// Says why, in a stable machine-readable word.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<Cow<'static, str>>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Names what the action was on.
    #[must_use]
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// The event as one JSON object on one line, without the line's end.
    pub(crate) fn render(&self, id: Uuid, at: SystemTime, line: &mut String) {
        let time = OffsetDateTime::from(at).format(&Rfc3339).unwrap_or_default();
        // Writing into a `String` cannot fail.
        let _ = write!(line, r#"{{"time":"{time}","event_id":"{id}""#);
        let _ = write!(line, r#","action":"{}","outcome":"{}""#, self.action.as_str(), self.outcome.as_str());
        push_member(line, "request_id", self.request_id.as_deref());
        push_member(line, "reason", self.reason.as_deref());
        push_member(line, "target", self.target.as_deref());
        push_party(line, &self.party);
        line.push('}');
    }
}

fn push_member(line: &mut String, name: &str, value: Option<&str>) {
    let Some(value) = value else { return };
    line.push_str(",\"");
    line.push_str(name);
    line.push_str("\":");
    push_json_text(line, value);
}

fn push_party(line: &mut String, party: &Party) {
    for (name, value) in [
        ("issuer", &party.issuer),
        ("subject", &party.subject),
        ("tenant", &party.tenant),
        ("client", &party.client),
        ("source_identity", &party.source_identity),
        ("role_arn", &party.role_arn),
        ("policy_id", &party.policy_id),
        ("decision_id", &party.decision_id),
    ] {
        push_member(line, name, value.as_deref());
    }
    if party.tags.is_empty() {
        return;
    }
    line.push_str(",\"tags\":{");
    for (index, (key, value)) in party.tags.iter().enumerate() {
        if index > 0 {
            line.push(',');
        }
        push_json_text(line, key);
        line.push(':');
        push_json_text(line, value);
    }
    line.push('}');
}
