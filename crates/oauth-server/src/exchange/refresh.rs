//! A refresh token becomes tokens (RFC 6749 §6).
//!
//! Every use replaces the token (RFC 9700 §4.14.2): the legitimate client and a thief cannot both hold the newest one, and
//! whoever comes second ends the family. Honest clients come second too: their answer was lost, or they run on two
//! machines that refresh at once. Within the [`ReplayWindow`](crate::ReplayWindow) they are told the same again.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, SystemTime},
};

use audit::{Action, Outcome};
use axum::response::Response;
use secrecy::{ExposeSecret, SecretString};

use super::{
    REFRESH_TOKEN, TokenError, TokenRequest,
    issue::{self, NewRefreshToken},
};
use crate::{
    clock::after,
    error::{Unavailable, chain},
    http_layer::RequestId,
    identity::Identity,
    metadata::OFFLINE_ACCESS,
    random::Digest,
    recheck::{self, RecheckError},
    refresh_token,
    server::Server,
    sign_in::party_of,
    store::{Grant, RefreshToken},
};

/// How many times a family may have moved on within one window for its tokens to count as sent again. A client that
/// refreshes more often than that does not repeat itself by accident.
const MAX_STEPS: usize = 8;

/// How much later than everything that is known of its family a token must have been issued to show that the database
/// forgot something. Clocks of replicas differ by less.
const FORGOTTEN: Duration = Duration::from_mins(1);

impl TokenRequest<'_> {
    pub(super) async fn refresh(&self) -> Result<Response, TokenError> {
        let presented = self.form.value(REFRESH_TOKEN).ok_or(TokenError::Missing(REFRESH_TOKEN))?;
        let now = self.server.now();
        let Some((token, mut grant)) = self.find(presented).await? else {
            return Err(self.refuse_unknown(presented, now).await?);
        };
        if grant.client_id != self.client.id {
            return Err(self.deny(Action::TokenRefresh, issue::client_party(&self.client), REFRESH_TOKEN));
        }
        // Before anything else: a thief without the key learns nothing and ends nothing.
        self.check_refresh_key(&grant)?;
        if token.expires_at > now && self.is_in_force(&grant, now) {
            grant = self.rechecked(grant, now).await?;
        }
        match token.used_at {
            None => self.rotate(presented, &token, &grant, now).await,
            Some(used_at) => {
                // A request that somebody recorded ends nothing either: it would need a proof of its own.
                self.use_proof(now).await?;
                self.repeat(presented, used_at, &grant, now).await
            }
        }
    }

    /// The grant of a person who may still sign in at their identity provider. When they may not, it is revoked.
    async fn rechecked(&self, mut grant: Grant, now: SystemTime) -> Result<Grant, TokenError> {
        if recheck::rechecking(self.server, &grant.identity_source).is_none() {
            return Ok(grant);
        }
        let (server, request_id, asked) = (Arc::clone(self.server), self.request_id.clone(), grant.clone());
        // In a task of its own: a client that goes away does not keep the answer from having its consequence.
        let check = tokio::spawn(async move { ask_again(&server, &request_id, &asked, now).await });
        let identity = check.await.unwrap_or_else(|_| Err(Unavailable::TooSlow.into()))?;
        grant.identity = identity.unwrap_or(grant.identity);
        Ok(grant)
    }

    async fn find(&self, token: &str) -> Result<Option<(RefreshToken, Grant)>, Unavailable> {
        Ok(self.server.store.refresh_token(&Digest::of_text(token)).await?)
    }

    async fn rotate(
        &self,
        presented: &str,
        token: &RefreshToken,
        grant: &Grant,
        now: SystemTime,
    ) -> Result<Response, TokenError> {
        if token.expires_at <= now || !self.is_in_force(grant, now) {
            return Err(self.deny(Action::TokenRefresh, party_of(grant), REFRESH_TOKEN));
        }
        self.check_target(grant)?;
        let scope = narrowed(self.form.value("scope"), &grant.scope)?;
        let access = self.access_token(grant, &scope, now)?;
        let plain = refresh_token::successor(&self.server.secret, presented, &grant.id, now);
        let successor = self.kept_refresh_token(plain, grant, now);
        let event = self.event(Action::TokenRefresh, Outcome::Success, grant);
        let confirm = || self.server.record(event.clone());
        self.use_proof(now).await?;
        let store = &self.server.store;
        let rotated = store.rotate_refresh_token(&token.digest, &successor.kept, now, &confirm).await;
        if rotated.map_err(Unavailable::from)? {
            return Ok(issue::answer(&access, &scope, Some(&successor)));
        }
        // Somebody else was first, or the grant has just ended.
        let found = self.find(presented).await?;
        match found.and_then(|(token, grant)| Some((token.used_at?, grant))) {
            Some((used_at, grant)) => self.repeat(presented, used_at, &grant, now).await,
            None => Err(self.deny(Action::TokenRefresh, party_of(grant), REFRESH_TOKEN)),
        }
    }

    /// Answers a token that was used before: within the window as the first time, afterwards by ending the family.
    ///
    /// The window begins with the first use and no repetition moves it. What a thief of the token gains by it is what a
    /// thief who comes first has anyway: the newest token, shared with the client. Whoever of the two uses that one later
    /// than the other by more than the window ends the family.
    async fn repeat(
        &self,
        presented: &str,
        used_at: SystemTime,
        grant: &Grant,
        now: SystemTime,
    ) -> Result<Response, TokenError> {
        let window = self.client.settings.refresh_replay.unwrap_or(self.server.config.refresh_replay);
        if !window.is_open(used_at, now) {
            return Err(self.revoke_replayed(grant, REFRESH_TOKEN, now).await);
        }
        if !self.is_in_force(grant, now) {
            return Err(self.deny(Action::TokenRefresh, party_of(grant), REFRESH_TOKEN));
        }
        self.check_target(grant)?;
        let scope = narrowed(self.form.value("scope"), &grant.scope)?;
        let Some(newest) = self.newest(presented, used_at, grant).await? else {
            return Err(self.revoke_replayed(grant, REFRESH_TOKEN, now).await);
        };
        let access = self.access_token(grant, &scope, now)?;
        let event =
            self.event(Action::TokenRefresh, Outcome::Success, grant).reason("refresh_token_repeated");
        self.server.record(event).map_err(Unavailable::from)?;
        Ok(issue::answer(&access, &scope, Some(&newest)))
    }

    /// The token of the family that nobody has used yet: the successor of `presented`, or what followed it meanwhile.
    ///
    /// When the successor was used too, giving it out again would be of no use: the client would present it after its
    /// window and end its own family. Whoever presents a token within its window is within the window of every later one,
    /// so that this gives no more than presenting them one after the other would.
    async fn newest(
        &self,
        presented: &str,
        mut used_at: SystemTime,
        grant: &Grant,
    ) -> Result<Option<NewRefreshToken>, Unavailable> {
        let mut plain = SecretString::from(presented);
        for _ in 0..MAX_STEPS {
            plain = refresh_token::successor(&self.server.secret, plain.expose_secret(), &grant.id, used_at);
            match self.find(plain.expose_secret()).await? {
                Some((RefreshToken { used_at: Some(at), .. }, _)) => used_at = at,
                Some((kept, _)) => return Ok(Some(NewRefreshToken { plain, kept })),
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    /// A token that the store does not hold. Used ones are forgotten soon; their tag tells them from inventions, so that
    /// a family ends also when the replay comes weeks later.
    async fn refuse_unknown(&self, presented: &str, now: SystemTime) -> Result<TokenError, Unavailable> {
        let denied = || self.deny(Action::TokenRefresh, issue::client_party(&self.client), REFRESH_TOKEN);
        let Some(issued) = refresh_token::read(&self.server.secret, presented) else { return Ok(denied()) };
        let grant = self.server.store.grant(&issued.grant_id).await?;
        let Some(grant) = grant.filter(|grant| grant.client_id == self.client.id) else {
            return Ok(denied());
        };
        // When nobody used it in time, nobody else has what follows it.
        let was_followed = grant.last_used_at.is_some_and(|at| at > issued.at);
        let idle = !was_followed && after(issued.at, self.server.config.refresh_idle_lifetime) <= now;
        if idle || !self.is_in_force(&grant, now) || !self.may_refresh(&grant) {
            return Ok(self.deny(Action::TokenRefresh, party_of(&grant), REFRESH_TOKEN));
        }
        if issued.at > after(grant.last_used_at.unwrap_or(grant.authenticated_at), FORGOTTEN) {
            self.alarm_of_older_database(&grant);
        }
        Ok(self.revoke_replayed(&grant, REFRESH_TOKEN, now).await)
    }

    /// This server issued a token that its database knows nothing of: an older copy was put back, in which whatever was
    /// revoked since is in force again (SEC-65). The family ends; about the others only the operator can know.
    fn alarm_of_older_database(&self, grant: &Grant) {
        let event = self.event(Action::TokenRefresh, Outcome::Denied, grant);
        self.server.record_refusal(event.reason("refresh_token_newer_than_database"));
        tracing::error!(
            request_id = self.request_id.0,
            "a client has a refresh token that the database does not know yet: was an older copy put back? What was \
             revoked since is in force again until you run `connect-server revoke --all`"
        );
    }
}

/// Asks the identity provider, and ends the grant of a person who may not sign in any more.
async fn ask_again(
    server: &Server,
    request_id: &RequestId,
    grant: &Grant,
    now: SystemTime,
) -> Result<Option<Identity>, TokenError> {
    match recheck::check(server, grant).await {
        Ok(identity) => Ok(identity),
        Err(RecheckError::Unavailable(error)) => Err(error.into()),
        Err(error @ RecheckError::Refused(_)) => {
            tracing::info!(request_id = request_id.0, error = chain(&error), "a grant ends");
            issue::revoke(server, request_id, grant, "upstream_refused", now).await?;
            recheck::abandon(server, grant).await?;
            Err(TokenError::Grant(REFRESH_TOKEN))
        }
    }
}

/// The requested part of what was granted; never more (RFC 6749 §6). All of it when none is requested.
fn narrowed(requested: Option<&str>, granted: &str) -> Result<String, TokenError> {
    let requested: BTreeSet<&str> = requested
        .unwrap_or_default()
        .split(' ')
        .filter(|scope| !scope.is_empty() && *scope != OFFLINE_ACCESS)
        .collect();
    if requested.is_empty() {
        return Ok(granted.to_owned());
    }
    if requested.is_subset(&granted.split(' ').collect()) {
        Ok(requested.into_iter().collect::<Vec<_>>().join(" "))
    } else {
        Err(TokenError::Scope)
    }
}
