//! What the grant types without a browser have in common: a grant for one token, and which resource and scopes it has.

use std::{collections::BTreeSet, time::SystemTime};

use audit::{Action, Event, Outcome};
use axum::response::Response;

use super::{TokenError, TokenRequest, issue};
use crate::{
    assertions::AssertionError,
    clock::after,
    config::Resource,
    error::Unavailable,
    identity::Identity,
    metadata::OFFLINE_ACCESS,
    random::identifier,
    store::{ClientAuthentication, ClientOrigin, Grant, GrantKind, UsedAssertion},
};

/// What is granted.
pub(super) struct Single {
    pub(super) identity: Identity,
    /// Who vouches.
    pub(super) identity_source: String,
    pub(super) resource: String,
    pub(super) scope: String,
    pub(super) authenticated_at: SystemTime,
    pub(super) kind: GrantKind,
}

impl TokenRequest<'_> {
    /// Only clients that the operator registered, and that prove who they are, act for themselves or for others.
    pub(super) fn check_is_operators(&self) -> Result<(), TokenError> {
        let confidential = self.client.authentication != ClientAuthentication::None;
        if self.client.origin == ClientOrigin::Operator && confidential {
            Ok(())
        } else {
            Err(TokenError::NotForClient("clients that the operator registered and that authenticate"))
        }
    }

    /// A grant, and the one access token that lives under it. A refresh token would outlive what was proven.
    pub(super) async fn issue_single(
        &self,
        single: Single,
        assertion: Option<&UsedAssertion>,
        reason: &'static str,
        now: SystemTime,
    ) -> Result<Response, TokenError> {
        self.server.machine_tokens.check(&self.client.id)?;
        let grant = Grant {
            id: identifier(self.server.randomness.as_ref()).map_err(Unavailable::from)?,
            client_id: self.client.id.clone(),
            identity: single.identity,
            identity_source: single.identity_source,
            resource: single.resource,
            scope: single.scope,
            authenticated_at: single.authenticated_at,
            expires_at: after(now, self.server.config.access_lifetime),
            revoked_at: None,
            kind: single.kind,
            last_used_at: Some(now),
            dpop_jkt: self.holder().map(|holder| holder.to_string()),
            device: None,
            upstream_session: None,
            client_fingerprint: None,
        };
        let access = self.access_token(&grant, &grant.scope, now)?;
        let event = self.event(Action::TokenIssue, Outcome::Success, &grant).reason(reason);
        let confirm = || self.server.record(event.clone());
        self.use_proof(now).await?;
        let kept = self.server.store.insert_grant(&grant, assertion, now, &confirm).await;
        if !kept.map_err(Unavailable::from)? {
            return Err(self.deny_asserted(&grant.identity, AssertionError::Used));
        }
        Ok(issue::answer(&access, &grant.scope, None))
    }

    /// Refuses what is genuine.
    pub(super) fn deny_asserted(&self, identity: &Identity, error: AssertionError) -> TokenError {
        let party = audit::Party {
            issuer: Some(identity.issuer.clone()),
            subject: Some(identity.subject.clone()),
            tenant: identity.tenant.clone(),
            client: Some(self.client.id.clone()),
            ..audit::Party::default()
        };
        let event = Event::new(Action::TokenIssue, Outcome::Denied, party.into());
        self.server.record_refusal(event.request_id(self.request_id.0.as_str()).reason(error.reason()));
        TokenError::Assertion(error)
    }

    /// The resource that is asked for, if it is among these; without a word the only one of them (RFC 8707 §2).
    pub(super) fn resource_among(&self, allowed: &[String]) -> Result<&Resource, TokenError> {
        let config = &self.server.config;
        let found = match self.form.value("resource") {
            Some(requested) => config.resource(requested).filter(|found| allowed.contains(&found.uri)),
            None => match allowed {
                [only] => config.resources.iter().find(|resource| resource.uri == *only),
                _ => return Err(TokenError::Resource("is missing: name one")),
            },
        };
        found.ok_or(TokenError::Resource("is not one that may be had this way"))
    }

    /// The requested scopes, none of which may be beyond these, or all of these when none are requested.
    pub(super) fn scope_within(&self, allowed: &BTreeSet<&str>) -> Result<String, TokenError> {
        let requested = self.requested_scopes();
        if !requested.is_subset(allowed) {
            return Err(TokenError::Scope);
        }
        joined(if requested.is_empty() { allowed } else { &requested })
    }

    /// As many of the requested scopes as are among these, or all of these when none are requested.
    pub(super) fn scope_shared_with(&self, allowed: &BTreeSet<&str>) -> Result<String, TokenError> {
        let requested = self.requested_scopes();
        if requested.is_empty() {
            return joined(allowed);
        }
        joined(&requested.intersection(allowed).copied().collect())
    }

    fn requested_scopes(&self) -> BTreeSet<&str> {
        let requested = self.form.value("scope").unwrap_or_default().split(' ');
        requested.filter(|scope| !scope.is_empty() && *scope != OFFLINE_ACCESS).collect()
    }
}

/// The scopes of a resource that are among these too.
pub(super) fn scopes_of<'a>(resource: &'a Resource, allowed: &[String]) -> BTreeSet<&'a str> {
    let names = resource.scopes.iter().map(|scope| scope.name.as_str());
    names.filter(|name| allowed.iter().any(|allowed| allowed == name)).collect()
}

fn joined(scopes: &BTreeSet<&str>) -> Result<String, TokenError> {
    if scopes.is_empty() {
        return Err(TokenError::NoScope);
    }
    Ok(scopes.iter().copied().collect::<Vec<_>>().join(" "))
}
