//! From policies to a decision.

use super::Context;
use super::parse::{Effect, Policy, Statement};
use super::principal::{Principal, PrincipalMatch};

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// The action, `service:Name`.
    pub action: &'a str,
    /// The resource's ARN.
    pub resource: &'a str,
    /// The account that owns the resource.
    pub resource_account: &'a str,
    /// Condition keys.
    pub context: &'a Context,
}

/// The policies that bear on a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policies<'a> {
    /// The requester's own policies.
    pub identity: &'a [Policy],
    /// The policies its session was limited to, if it was.
    pub session: Option<&'a [Policy]>,
    /// The resource's policy, if it has one.
    pub resource: Option<&'a Policy>,
    /// The resource policy is a role's trust policy: without its consent nothing is allowed, whatever the account.
    pub trust: bool,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Every policy that has to agree does.
    Allowed,
    /// At least one does not.
    Denied(Denial),
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    /// A `Deny` statement applied, rather than no `Allow`.
    pub explicit: bool,
    /// The kind of policy that said no.
    pub source: DenialSource,
}

/// The kind of policy that denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenialSource {
    /// The requester's policies.
    Identity,
    /// The policies of its session.
    Session,
    /// The resource's policy.
    Resource,
}

impl DenialSource {
    /// As AWS writes it in an error message.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity-based",
            Self::Session => "session",
            Self::Resource => "resource-based",
        }
    }
}

/// Decides a request: an explicit denial wins; within one account either side's consent suffices unless the resource is
/// a role; between accounts both sides must consent; a session policy must consent in every case.
#[must_use]
pub fn evaluate(request: &Request<'_>, policies: &Policies<'_>) -> Decision {
    let identity = verdict(policies.identity, request);
    let session = policies.session.map(|session| verdict(session, request));
    let resource = policies.resource.map(|resource| verdict(std::slice::from_ref(resource), request));

    for (verdict, source) in [
        (Some(identity), DenialSource::Identity),
        (session, DenialSource::Session),
        (resource, DenialSource::Resource),
    ] {
        if verdict == Some(Verdict::Deny) {
            return Decision::Denied(Denial { explicit: true, source });
        }
    }
    let implicit = |source| Decision::Denied(Denial { explicit: false, source });
    if session.is_some_and(|session| session == Verdict::Silent) {
        return implicit(DenialSource::Session);
    }
    let identity_allows = identity != Verdict::Silent;
    let same_account = request.principal.account() == Some(request.resource_account);
    let is_service = request.principal.account().is_none();
    match resource.unwrap_or(Verdict::Silent) {
        Verdict::AllowDirect if same_account || is_service || identity_allows => Decision::Allowed,
        Verdict::AllowAccount if identity_allows => Decision::Allowed,
        Verdict::AllowDirect | Verdict::AllowAccount => implicit(DenialSource::Identity),
        _ if same_account && !policies.trust => {
            if identity_allows {
                Decision::Allowed
            } else {
                implicit(DenialSource::Identity)
            }
        }
        _ => implicit(DenialSource::Resource),
    }
}

/// What a set of policies says; the later, the stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Silent,
    AllowAccount,
    AllowDirect,
    Deny,
}

fn verdict(policies: &[Policy], request: &Request<'_>) -> Verdict {
    let says = |statement: &Statement| match (statement.effect, statement.applies(request)) {
        (_, None) => Verdict::Silent,
        (Effect::Deny, Some(_)) => Verdict::Deny,
        (Effect::Allow, Some(PrincipalMatch::Direct)) => Verdict::AllowDirect,
        (Effect::Allow, Some(PrincipalMatch::Account)) => Verdict::AllowAccount,
    };
    policies.iter().flat_map(|policy| &policy.statements).map(says).max().unwrap_or(Verdict::Silent)
}
