//! What the grant types have in common: is the grant in force, what is issued under it, what is recorded.

use std::{sync::Arc, time::SystemTime};

use audit::{Action, Event, Outcome, Party};
use axum::response::Response;
use http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{CODE, REFRESH_TOKEN, TokenError, TokenRequest};
use crate::{
    clock::after,
    device,
    error::{Unavailable, json_no_store},
    http_layer::RequestId,
    openid,
    random::Digest,
    refresh_token,
    server::Server,
    sign_in::party_of,
    store::{ActivityKind, Client, Grant, GrantKind, RefreshToken},
    token::{self, AccessToken, Delegation, Subject},
};

/// A refresh token on its way out.
pub(super) struct NewRefreshToken {
    pub(super) plain: SecretString,
    pub(super) kept: RefreshToken,
}

impl TokenRequest<'_> {
    /// Whether a grant still counts: neither revoked nor over; what it is for and who vouched for the person are still
    /// configured; and the client is still the one that was allowed, and one that may receive codes here.
    pub(super) fn is_in_force(&self, grant: &Grant, now: SystemTime) -> bool {
        let resource = self.server.config.resources.iter().any(|resource| resource.uri == grant.resource);
        let source = self.server.identity_sources.iter().any(|source| source.id() == grant.identity_source);
        let listed = match grant.kind {
            GrantKind::Code => {
                let mut redirects = self.client.redirect_uris.iter();
                redirects.any(|redirect| self.server.redirects.check(redirect).is_ok())
            }
            // It needs no redirect.
            GrantKind::Device => device::is_allowed(self.server, &self.client),
            // One access token and nothing after it.
            GrantKind::ClientCredentials
            | GrantKind::Workload
            | GrantKind::IdentityAssertion
            | GrantKind::Portal => false,
        };
        // A client that changed what people relied on asks them again. Grants from before this was kept have none.
        let relied_on = grant.client_fingerprint.as_ref();
        let same_client =
            relied_on.is_none_or(|relied_on| self.client.fingerprint().as_ref() == Some(relied_on));
        grant.revoked_at.is_none() && grant.expires_at > now && resource && source && listed && same_client
    }

    /// RFC 8707 §2.2: the resource may be named again, never changed.
    pub(super) fn check_target(&self, grant: &Grant) -> Result<(), TokenError> {
        let Some(requested) = self.form.value("resource") else { return Ok(()) };
        match self.server.config.resource(requested) {
            Some(resource) if resource.uri == grant.resource => Ok(()),
            _ => Err(TokenError::Target),
        }
    }

    pub(super) fn access_token(
        &self,
        grant: &Grant,
        scope: &str,
        now: SystemTime,
    ) -> Result<AccessToken, Unavailable> {
        self.tokens_of(grant, scope, None, now)
    }

    /// An access token, and the ID token with it if one was granted.
    pub(super) fn tokens_of(
        &self,
        grant: &Grant,
        scope: &str,
        nonce: Option<&str>,
        now: SystemTime,
    ) -> Result<AccessToken, Unavailable> {
        let id_token = openid::id_token(self.server, grant, scope, nonce, now)?;
        Ok(AccessToken { id_token, ..self.access_token_for(grant, scope, None, now)? })
    }

    /// The same, or one for somebody else under the same grant. It is bound to the key that was proven, if one was.
    pub(super) fn access_token_for(
        &self,
        grant: &Grant,
        scope: &str,
        delegation: Option<&Delegation<'_>>,
        now: SystemTime,
    ) -> Result<AccessToken, Unavailable> {
        let holder = self.holder();
        let subject = Subject { issuer: &self.server.config.public_url, grant, scope, delegation, holder };
        let lifetime = self.server.config.access_lifetime;
        token::issue(&self.server.keys, self.server.randomness.as_ref(), &subject, lifetime, now)
    }

    /// The first refresh token of a grant.
    pub(super) fn new_refresh_token(
        &self,
        grant: &Grant,
        now: SystemTime,
    ) -> Result<NewRefreshToken, Unavailable> {
        let randomness = self.server.randomness.as_ref();
        let plain = refresh_token::first(&self.server.secret, randomness, &grant.id, now)?;
        Ok(self.kept_refresh_token(plain, grant, now))
    }

    /// A refresh token with what is kept of it.
    pub(super) fn kept_refresh_token(
        &self,
        plain: SecretString,
        grant: &Grant,
        now: SystemTime,
    ) -> NewRefreshToken {
        let idle = after(now, self.server.config.refresh_idle_lifetime);
        let kept = RefreshToken {
            digest: Digest::of(&plain),
            grant_id: grant.id.clone(),
            expires_at: idle.min(grant.expires_at),
            used_at: None,
        };
        NewRefreshToken { plain, kept }
    }

    pub(super) fn event(&self, action: Action, outcome: Outcome, grant: &Grant) -> Event {
        event(self.request_id, action, outcome, grant)
    }

    pub(super) fn deny(&self, action: Action, party: Party, what: &'static str) -> TokenError {
        let event = Event::new(action, Outcome::Denied, Arc::new(party));
        self.server.record_refusal(event.request_id(self.request_id.0.as_str()).reason("invalid_grant"));
        TokenError::Grant(what)
    }

    pub(super) async fn revoke_replayed(
        &self,
        grant: &Grant,
        what: &'static str,
        now: SystemTime,
    ) -> TokenError {
        let reason = if what == CODE { "code_replayed" } else { "refresh_token_replayed" };
        match self.revoke(grant, reason, now).await {
            Ok(()) => TokenError::Replay(what),
            Err(error) => error.into(),
        }
    }

    /// Ends a grant with everything that was issued under it.
    pub(super) async fn revoke(
        &self,
        grant: &Grant,
        reason: &'static str,
        now: SystemTime,
    ) -> Result<(), Unavailable> {
        revoke(self.server, self.request_id, grant, reason, now).await
    }
}

/// Ends a grant with everything that was issued under it.
pub(super) async fn revoke(
    server: &Server,
    request_id: &RequestId,
    grant: &Grant,
    reason: &'static str,
    now: SystemTime,
) -> Result<(), Unavailable> {
    let revoked = server.store.revoke_grant(&grant.id, now).await?;
    server.revocations.insert(&grant.id, now);
    if revoked {
        let event = event(request_id, Action::TokenRevoke, Outcome::Success, grant);
        server.record_refusal(event.reason(reason));
        // Otherwise the identity provider no longer vouches for the person.
        if reason.ends_with("_replayed") {
            server.note((&grant.identity).into(), ActivityKind::DisconnectedAfterReplay, None, None).await;
        }
    }
    Ok(())
}

fn event(request_id: &RequestId, action: Action, outcome: Outcome, grant: &Grant) -> Event {
    Event::new(action, outcome, Arc::new(party_of(grant)))
        .request_id(request_id.0.as_str())
        .target(grant.resource.as_str())
}

/// Whom an event concerns when the client has no grant that it may speak for.
pub(super) fn client_party(client: &Client) -> Party {
    Party { client: Some(client.id.clone()), ..Party::default() }
}

/// RFC 6749 §5.1.
pub(super) fn answer(access: &AccessToken, scope: &str, refresh: Option<&NewRefreshToken>) -> Response {
    let mut body = json!({
        "access_token": access.token,
        "token_type": access.token_type,
        "expires_in": access.lifetime.as_secs(),
        "scope": scope,
    });
    if let (Some(refresh), Some(members)) = (refresh, body.as_object_mut()) {
        members.insert(REFRESH_TOKEN.to_owned(), json!(refresh.plain.expose_secret()));
    }
    if let (Some(id_token), Some(members)) = (&access.id_token, body.as_object_mut()) {
        members.insert("id_token".to_owned(), json!(id_token));
    }
    json_no_store(StatusCode::OK, &body)
}
