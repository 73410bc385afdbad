//! `AssumeRole`: who may, and what the session then is.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use super::parameters::Parameters;
use super::validate::Requested;
use crate::answer::{ApiError, escape};
use crate::clock::rfc3339;
use crate::credentials::{Credential, Session, Tags, base32};
use crate::iam::{Context, Decision, Denial, Policy, Principal, Request, evaluate};
use crate::world::{Inbound, Role, World};

const DEFAULT_DURATION: u32 = 3600;
/// The longest session that a session may start.
const CHAINED_DURATION: u32 = 3600;
const MAX_SESSION_TAGS: usize = 50;

/// Decides and answers a call; the credential it gives is the new session's.
pub(super) fn assume_role(
    world: &World,
    inbound: &Inbound,
    parameters: &Parameters,
) -> Result<(String, Arc<Credential>), ApiError> {
    let requested = Requested::read(world, parameters)?;
    let caller = inbound.caller.credential.as_ref();
    let Some(role) = world.role(&requested.role_arn) else {
        return Err(denied(caller, "sts:AssumeRole", &requested.role_arn, None));
    };
    let inherited =
        caller.session.as_ref().map(|session| session.transitive_tags.clone()).unwrap_or_default();
    let source_identity = source_identity(caller, &requested)?;
    authorize(world, inbound, role, &requested, &inherited, source_identity.as_deref())?;

    let session_tags = session_tags(&requested, &inherited)?;
    let duration = duration(caller, role, requested.duration_seconds)?;
    let mut transitive_tags = inherited;
    for key in &requested.transitive_keys {
        if let Some((key, value)) = requested.tags.get(key) {
            transitive_tags.set(key, value);
        }
    }
    let new = NewSession {
        role,
        name: &requested.session_name,
        session_tags,
        transitive_tags,
        source_identity,
        policies: requested.policies,
        duration,
    };
    let credential = issue(world, new)?;
    Ok((result(&credential, requested.packed_percent), credential))
}

/// The source identity of the new session: once set, it stays for the whole chain.
fn source_identity(caller: &Credential, requested: &Requested) -> Result<Option<String>, ApiError> {
    match (caller.source_identity(), &requested.source_identity) {
        (Some(set), Some(wanted)) if set != wanted => {
            Err(denied(caller, "sts:SetSourceIdentity", &requested.role_arn, None))
        }
        (Some(set), _) => Ok(Some(set.to_owned())),
        (None, wanted) => Ok(wanted.clone()),
    }
}

/// Evaluates `sts:AssumeRole` and, where tags or a source identity go along, the actions that permit these.
fn authorize(
    world: &World,
    inbound: &Inbound,
    role: &Role,
    requested: &Requested,
    inherited: &Tags,
    source_identity: Option<&str>,
) -> Result<(), ApiError> {
    let caller = inbound.caller.credential.as_ref();
    let mut actions = vec!["sts:AssumeRole"];
    if !requested.tags.is_empty() || !inherited.is_empty() {
        actions.push("sts:TagSession");
    }
    if source_identity.is_some() {
        actions.push("sts:SetSourceIdentity");
    }
    for action in actions {
        let context = context(action, world, inbound, role, requested, source_identity);
        let request = Request {
            principal: &caller.principal,
            action,
            resource: &role.arn,
            resource_account: &role.account,
            context: &context,
        };
        if let Decision::Denied(denial) = evaluate(&request, &caller.policies(Some(&role.trust), true)) {
            return Err(denied(caller, action, &role.arn, Some(denial)));
        }
    }
    Ok(())
}

/// The keys that the service authorization reference gives each of the three actions, and no others: a condition on
/// a key that an action lacks does not hold for it.
fn context(
    action: &str,
    world: &World,
    inbound: &Inbound,
    role: &Role,
    requested: &Requested,
    source_identity: Option<&str>,
) -> Context {
    let mut context = world.context(inbound);
    let assumes = action == "sts:AssumeRole";
    if assumes {
        context.set("sts:RoleSessionName", requested.session_name.as_str());
    }
    if let Some(external_id) = requested.external_id.as_deref().filter(|_| assumes) {
        context.set("sts:ExternalId", external_id);
    }
    if let Some(source_identity) = source_identity.filter(|_| assumes || action == "sts:SetSourceIdentity") {
        context.set("sts:SourceIdentity", source_identity);
    }
    if assumes || action == "sts:TagSession" {
        for (key, value) in requested.tags.iter() {
            context.set(&format!("aws:RequestTag/{key}"), value);
        }
        context.set_many("aws:TagKeys", requested.tags.iter().map(|(key, _)| key));
        context.set_many("sts:TransitiveTagKeys", requested.transitive_keys.iter().map(String::as_str));
    }
    context.set("aws:ResourceAccount", role.account.as_str());
    for (key, value) in role.tags.iter() {
        context.set(&format!("aws:ResourceTag/{key}"), value);
        context.set(&format!("iam:ResourceTag/{key}"), value);
    }
    context
}

/// Session tags of the request and of the chain; those of the chain cannot be overridden.
fn session_tags(requested: &Requested, inherited: &Tags) -> Result<Tags, ApiError> {
    if requested.tags.iter().any(|(key, _)| inherited.get(key).is_some()) {
        let message = "One of the specified tag keys can't be set because it conflicts with a transitive tag key from \
                       the calling session.";
        return Err(ApiError::new(400, "InvalidParameterValue", message));
    }
    let tags = inherited.overlaid(&requested.tags);
    if tags.len() > MAX_SESSION_TAGS {
        let message = "The session would have more than 50 session tags.";
        return Err(ApiError::new(400, "InvalidParameterValue", message));
    }
    Ok(tags)
}

fn duration(caller: &Credential, role: &Role, requested: Option<u32>) -> Result<Duration, ApiError> {
    let seconds = requested.unwrap_or(DEFAULT_DURATION);
    if caller.session.is_some() && seconds > CHAINED_DURATION {
        let message = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role \
                       chaining.";
        return Err(ApiError::validation(message));
    }
    if seconds > role.max_session_duration {
        let message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        return Err(ApiError::validation(message));
    }
    Ok(Duration::from_secs(seconds.into()))
}

/// What a new session is made of.
pub(crate) struct NewSession<'a> {
    pub(crate) role: &'a Role,
    pub(crate) name: &'a str,
    pub(crate) session_tags: Tags,
    pub(crate) transitive_tags: Tags,
    pub(crate) source_identity: Option<String>,
    pub(crate) policies: Option<Vec<Policy>>,
    pub(crate) duration: Duration,
}

/// Makes credentials for a session that was decided elsewhere.
pub(crate) fn issue(world: &World, new: NewSession<'_>) -> Result<Arc<Credential>, ApiError> {
    let failure = || ApiError::new(500, "InternalFailure", "credentials cannot be made");
    let principal = Principal::session(&new.role.arn, new.name).ok_or_else(failure)?;
    let mut random = [0_u8; 160];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| failure())?;
    let text = base32(&random);
    let (key, rest) = text.split_at_checked(16).ok_or_else(failure)?;
    let (secret, token) = rest.split_at_checked(40).ok_or_else(failure)?;
    let issued_at = world.now();
    Ok(world.keyring.add(Credential {
        access_key_id: format!("ASIA{key}"),
        secret_access_key: secret.to_owned(),
        user_id: format!("{}:{}", new.role.id, new.name),
        tags: new.role.tags.overlaid(&new.session_tags),
        policies: Arc::clone(&new.role.policies),
        session: Some(Session {
            // Real tokens are base 64: the special characters show what forgets to encode them.
            token: format!("{token}+/=="),
            issued_at,
            expires_at: issued_at + new.duration,
            source_identity: new.source_identity,
            transitive_tags: new.transitive_tags,
            policies: new.policies,
        }),
        principal,
    }))
}

fn result(credential: &Credential, packed_percent: Option<usize>) -> String {
    let Some(session) = &credential.session else { return String::new() };
    let mut xml = format!(
        "<AssumedRoleUser><AssumedRoleId>{}</AssumedRoleId><Arn>{}</Arn></AssumedRoleUser><Credentials><AccessKeyId>{}\
         </AccessKeyId><SecretAccessKey>{}</SecretAccessKey><SessionToken>{}</SessionToken><Expiration>{}</Expiration>\
         </Credentials><SessionTokenSize>{}</SessionTokenSize>",
        escape(&credential.user_id),
        escape(credential.principal.arn()),
        credential.access_key_id,
        credential.secret_access_key,
        escape(&session.token),
        rfc3339(session.expires_at),
        session.token.len()
    );
    if let Some(percent) = packed_percent {
        let _ = write!(xml, "<PackedPolicySize>{percent}</PackedPolicySize>");
    }
    if let Some(source_identity) = &session.source_identity {
        let _ = write!(xml, "<SourceIdentity>{}</SourceIdentity>", escape(source_identity));
    }
    xml
}

fn denied(caller: &Credential, action: &str, resource: &str, denial: Option<Denial>) -> ApiError {
    let mut message = format!(
        "User: {} is not authorized to perform: {action} on resource: {resource}",
        caller.principal.arn()
    );
    if let Some(denial) = denial.filter(|denial| denial.explicit) {
        let _ = write!(message, " with an explicit deny in a {} policy", denial.source.as_str());
    }
    ApiError::new(403, "AccessDenied", message)
}
