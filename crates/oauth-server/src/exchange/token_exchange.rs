//! A service exchanges the token that it was called with for one that it can call another service with (RFC 8693).
//!
//! The person stays the subject, so the other service decides about the person; the service becomes the actor. Nothing is
//! gained by it: no scope that the person's client did not have, no longer life, no escape from revocation, and from a
//! token that is bound to a key no token that is bound to none.

use std::{collections::BTreeSet, time::SystemTime};

use audit::{Action, Outcome};
use axum::response::Response;
use http::StatusCode;
use oidc_verify::VerifiedToken;
use serde_json::{Map, Value, json};

use super::{TokenError, TokenRequest, issue::client_party, machine::scopes_of};
use crate::{
    config::Resource,
    error::{Unavailable, json_no_store},
    store::Grant,
    token::{Delegation, NARROWED},
};

/// The only type of token that is taken and given (RFC 8693 §3).
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// How many services may follow each other in one chain.
const MAX_ACTORS: usize = 4;

/// Why a token is not exchanged (RFC 8693 §2.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ExchangeError {
    /// What comes in.
    #[error("subject_token_type must be {ACCESS_TOKEN}")]
    SubjectType,
    /// What goes out.
    #[error("requested_token_type must be {ACCESS_TOKEN} or absent")]
    RequestedType,
    /// Who acts is who authenticated.
    #[error("actor_token and actor_token_type are not supported: the client is the actor")]
    Actor,
    /// One answer for every token that this client cannot have been called with.
    #[error(
        "the subject_token is not an access token of this server that counts now, for a resource that this client serves"
    )]
    Subject,
    /// Whoever holds what comes out needs no key, although who holds what comes in does.
    #[error(
        "the subject_token is bound to a key: send a DPoP proof, so that what it is exchanged for is bound too"
    )]
    Bound,
    /// The chain would be too long.
    #[error("the subject_token was exchanged {MAX_ACTORS} times already")]
    TooManyActors,
}

/// What was presented, by a service that was called with it.
struct Presented {
    token: VerifiedToken,
    grant: Grant,
}

impl TokenRequest<'_> {
    pub(super) async fn exchange_token(&self) -> Result<Response, TokenError> {
        self.check_is_operators()?;
        let subject_token = self.check_exchange_form()?;
        let now = self.server.now();
        self.server.machine_tokens.check(&self.client.id)?;
        let Presented { token, grant } = self.presented(subject_token, now).await?;
        if token.claims().contains_key("cnf") && self.holder().is_none() {
            return Err(ExchangeError::Bound.into());
        }
        let act = self.extended_chain(token.claims().get("act"))?;
        let (source, target) = self.source_and_target(&token)?;
        let is_narrowed = is_narrowed(&token, source);
        let scope = self.scope_shared_with(&self.delegable(&token, is_narrowed, target))?;
        let delegation = Delegation {
            client_id: &self.client.id,
            resource: &target.uri,
            act,
            is_narrowed,
            expires_at: token.expires_at(),
        };
        let access = self.access_token_for(&grant, &scope, Some(&delegation), now)?;
        let mut event = self.event(Action::TokenIssue, Outcome::Success, &grant).reason("token_exchange");
        let mut party = audit::Party::clone(&event.party);
        party.client = Some(self.client.id.clone());
        event.party = party.into();
        event.target = Some(target.uri.clone());
        self.use_proof(now).await?;
        self.server.record(event).map_err(Unavailable::from)?;
        // RFC 8693 §2.2.1.
        let answer = json!({
            "access_token": access.token,
            "issued_token_type": ACCESS_TOKEN,
            "token_type": access.token_type,
            "expires_in": access.lifetime.as_secs(),
            "scope": scope,
        });
        Ok(json_no_store(StatusCode::OK, &answer))
    }

    /// What the form says besides resource and scope; gives the subject token.
    fn check_exchange_form(&self) -> Result<&str, TokenError> {
        let value = |name| self.form.value(name);
        if value("actor_token").is_some() || value("actor_token_type").is_some() {
            return Err(ExchangeError::Actor.into());
        }
        if value("requested_token_type").is_some_and(|wanted| wanted != ACCESS_TOKEN) {
            return Err(ExchangeError::RequestedType.into());
        }
        if value("audience").is_some() {
            return Err(TokenError::Resource("is what names the service here, instead of audience"));
        }
        let token = value("subject_token").ok_or(TokenError::Missing("subject_token"))?;
        let kind = value("subject_token_type").ok_or(TokenError::Missing("subject_token_type"))?;
        if kind == ACCESS_TOKEN { Ok(token) } else { Err(ExchangeError::SubjectType.into()) }
    }

    /// The token that this service was called with, and the grant that it stands for.
    async fn presented(&self, token: &str, now: SystemTime) -> Result<Presented, TokenError> {
        let refused = || {
            self.deny(Action::TokenIssue, client_party(&self.client), "subject_token");
            TokenError::from(ExchangeError::Subject)
        };
        let token = self.server.own_tokens.verify(token, now).await.map_err(|_| refused())?;
        // Whoever is not the audience stole it, or was handed it by one who may not (SEC-20).
        let serves = self.client.settings.serves.iter().any(|served| served == token.audience());
        let session = token.text_claim("sid").filter(|_| serves).ok_or_else(refused)?;
        let grant = self.server.store.grant(session).await.map_err(Unavailable::from)?;
        let in_force = |grant: &Grant| grant.revoked_at.is_none() && grant.expires_at > now;
        let grant = grant.filter(in_force).ok_or_else(refused)?;
        Ok(Presented { token, grant })
    }

    fn source_and_target(&self, token: &VerifiedToken) -> Result<(&Resource, &Resource), TokenError> {
        let target = self.resource_among(&self.client.settings.resources)?;
        let resources = self.server.config.resources.iter();
        let source = resources.clone().find(|resource| resource.uri == token.audience());
        let source = source.ok_or(ExchangeError::Subject)?;
        if source.uri == target.uri {
            return Err(TokenError::Resource("is that of the subject_token: name the service to call"));
        }
        Ok((source, target))
    }

    /// What may be had for `target`: what the operator lets this client have, and from a token that was narrowed only what
    /// it has by the same name.
    fn delegable<'a>(
        &self,
        token: &VerifiedToken,
        is_narrowed: bool,
        target: &'a Resource,
    ) -> BTreeSet<&'a str> {
        let mut delegable = scopes_of(target, &self.client.settings.scopes);
        delegable.retain(|scope| !is_narrowed || token.scopes().iter().any(|held| held == scope));
        delegable
    }

    /// RFC 8693 §4.1: this client, and within it whoever acted before.
    fn extended_chain(&self, before: Option<&Value>) -> Result<Value, TokenError> {
        let mut actors = 0;
        let mut link = before;
        while let Some(actor) = link {
            actors += 1;
            link = actor.get("act");
        }
        if actors >= MAX_ACTORS {
            return Err(ExchangeError::TooManyActors.into());
        }
        let mut act = Map::new();
        act.insert("sub".to_owned(), json!(self.client.id));
        if let Some(before) = before {
            act.insert("act".to_owned(), before.clone());
        }
        Ok(Value::Object(act))
    }
}

/// Whether a token has less than all that there is for its resource, or comes from one that had less. What it lacks must
/// not come back at the end of a chain.
fn is_narrowed(token: &VerifiedToken, source: &Resource) -> bool {
    let holds = |name: &String| token.scopes().contains(name);
    token.claims().contains_key(NARROWED) || !source.scopes.iter().all(|scope| holds(&scope.name))
}
