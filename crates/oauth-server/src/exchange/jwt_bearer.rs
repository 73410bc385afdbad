//! An assertion of another issuer becomes a token (RFC 7523): that of a workload about itself, or that of the
//! organisation's identity provider about a person who uses a client (enterprise-managed authorization).

use std::time::SystemTime;

use axum::response::Response;
use http::{HeaderMap, header};
use oidc_verify::VerifiedToken;
use serde_json::Value;

use super::{
    TokenError, TokenRequest,
    machine::{Single, scopes_of},
};
use crate::{
    assertions::{
        self, Asserted, AssertionError, IdentityAssertionIssuer, NotAsserted, WorkloadIssuer, use_of,
    },
    client_authn::ClientError,
    clients,
    params::Params,
    server::Server,
    store::{Client, ClientAuthentication, GrantKind, GrantType},
};

const ASSERTION: &str = "assertion";

impl From<NotAsserted> for TokenError {
    fn from(not: NotAsserted) -> Self {
        match not {
            NotAsserted::Refused(error) => Self::Assertion(error),
            NotAsserted::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

/// The client that a workload's assertion alone stands for, when the request says nothing of a client: the one that the
/// operator's rule names.
pub(super) async fn client_of_rule(
    server: &Server,
    headers: &HeaderMap,
    form: &Params,
) -> Result<Option<Client>, TokenError> {
    let says_who = headers.contains_key(header::AUTHORIZATION)
        || ["client_id", "client_secret", "client_assertion"].iter().any(|name| form.value(name).is_some());
    let is_asserted = form.value("grant_type") == Some(GrantType::JwtBearer.as_str());
    if says_who || !is_asserted || server.assertions.is_empty() {
        return Ok(None);
    }
    let Asserted::Workload(trusted, token) = verified(server, form, server.now()).await? else {
        return Err(ClientError::Refused.into());
    };
    let rule = trusted.rule_for(&all_claims(&token)).ok_or(AssertionError::NoRule);
    let named = rule.map_err(TokenError::Assertion)?.client_id.as_deref().ok_or(ClientError::Refused)?;
    let client = clients::find(server, named).await?;
    Ok(Some(client.ok_or(ClientError::Refused)?))
}

async fn verified<'a>(
    server: &'a Server,
    form: &Params,
    now: SystemTime,
) -> Result<Asserted<'a>, TokenError> {
    let assertion = form.value(ASSERTION).ok_or(TokenError::Missing(ASSERTION))?;
    Ok(server.assertions.verify(assertion, now).await?)
}

fn all_claims(token: &VerifiedToken) -> Value {
    Value::Object(token.claims().clone())
}

impl TokenRequest<'_> {
    pub(super) async fn present_assertion(&self) -> Result<Response, TokenError> {
        let now = self.server.now();
        match verified(self.server, &self.form, now).await? {
            Asserted::Workload(trusted, token) => self.workload(trusted, &token, now).await,
            Asserted::Identity(trusted, token) => self.identity_assertion(trusted, &token, now).await,
        }
    }

    async fn workload(
        &self,
        trusted: &WorkloadIssuer,
        token: &VerifiedToken,
        now: SystemTime,
    ) -> Result<Response, TokenError> {
        let rule = trusted.rule_for(&all_claims(token));
        let tenant = rule.and_then(|rule| rule.tenant.as_deref());
        let identity = assertions::identity(&trusted.issuer, token, tenant).map_err(TokenError::Assertion)?;
        let Some(rule) = rule else { return Err(self.deny_asserted(&identity, AssertionError::NoRule)) };
        match &rule.client_id {
            Some(named) if *named != self.client.id => {
                return Err(self.deny_asserted(&identity, AssertionError::OtherClient));
            }
            // Anybody could name a client that proves nothing; then the rule must say that it is this one.
            None if self.client.authentication == ClientAuthentication::None => {
                return Err(TokenError::NotForClient("clients that authenticate or that a rule names"));
            }
            Some(_) | None => {}
        }
        let resource = self.resource_among(&rule.resources)?;
        let scope = self.scope_within(&scopes_of(resource, &rule.scopes))?;
        let single = Single {
            identity,
            identity_source: trusted.issuer.issuer.clone(),
            resource: resource.uri.clone(),
            scope,
            authenticated_at: token.issued_at(),
            kind: GrantKind::Workload,
        };
        let used = use_of(&trusted.issuer, token, self.form.value(ASSERTION).unwrap_or_default());
        self.issue_single(single, Some(&used), "workload_identity", now).await
    }

    /// Enterprise-managed authorization: the provider decided that this client may act for this person at this resource.
    async fn identity_assertion(
        &self,
        trusted: &IdentityAssertionIssuer,
        token: &VerifiedToken,
        now: SystemTime,
    ) -> Result<Response, TokenError> {
        if self.client.authentication == ClientAuthentication::None {
            return Err(TokenError::NotForClient("clients that authenticate"));
        }
        let identity = assertions::identity(&trusted.issuer, token, None).map_err(TokenError::Assertion)?;
        if token.text_claim("client_id") != Some(self.client.id.as_str()) {
            return Err(self.deny_asserted(&identity, AssertionError::OtherClient));
        }
        // The provider names the resource; the request may repeat it.
        let asserted = token.text_claim("resource").and_then(|named| self.server.config.resource(named));
        let asserted =
            asserted.ok_or(TokenError::Resource("in the assertion is not one of this server's"))?;
        let resource = self.resource_among(std::slice::from_ref(&asserted.uri))?;
        // Of what the resource has, what the provider allows, and of that what was asked for. One that names no scope allows
        // none.
        let scope = self.scope_shared_with(&scopes_of(resource, token.scopes()))?;
        let single = Single {
            identity,
            identity_source: trusted.source.clone(),
            resource: resource.uri.clone(),
            scope,
            authenticated_at: token.issued_at(),
            kind: GrantKind::IdentityAssertion,
        };
        let used = use_of(&trusted.issuer, token, self.form.value(ASSERTION).unwrap_or_default());
        self.issue_single(single, Some(&used), "identity_assertion", now).await
    }
}
