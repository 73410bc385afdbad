//! A device code becomes tokens, once a person has let the client in (RFC 8628 §3.4).

use std::time::{Duration, SystemTime};

use audit::{Action, Outcome};
use axum::response::Response;

use super::{TokenError, TokenRequest, issue};
use crate::{
    clock::before,
    device,
    error::Unavailable,
    random::Digest,
    sign_in::party_of,
    store::{DeviceCode, DeviceState, Grant, GrantType},
};

const DEVICE_CODE: &str = "device_code";

/// What asking too early adds to the time between two requests (RFC 8628 §3.5).
const SLOW_DOWN: Duration = Duration::from_secs(5);

/// The longest time between two requests: the answer must come while the code lives.
const MAX_INTERVAL: Duration = Duration::from_mins(1);

impl TokenRequest<'_> {
    pub(super) async fn redeem_device_code(&self) -> Result<Response, TokenError> {
        let plain = self.form.value(DEVICE_CODE).ok_or(TokenError::Missing(DEVICE_CODE))?;
        if !device::is_allowed(self.server, &self.client) {
            return Err(TokenError::NotRegistered(GrantType::DeviceCode));
        }
        let digest = Digest::of_text(plain);
        let found = self.server.store.device(&digest).await.map_err(Unavailable::from)?;
        let Some((code, grant)) = found.filter(|(code, _)| code.client_id == self.client.id) else {
            return Err(self.deny(Action::TokenIssue, issue::client_party(&self.client), DEVICE_CODE));
        };
        let now = self.server.now();
        match (code.state, grant) {
            (DeviceState::Denied, _) => Err(TokenError::AccessDenied),
            (DeviceState::Used, _) => {
                Err(self.deny(Action::TokenIssue, issue::client_party(&self.client), DEVICE_CODE))
            }
            _ if code.expires_at <= now => Err(TokenError::Expired),
            (DeviceState::Approved, Some(grant)) => self.issue_to_device(&digest, &grant, now).await,
            (DeviceState::Waiting | DeviceState::Approved, _) => self.wait(&code, now).await,
        }
    }

    /// Nobody has decided yet. Whoever asks too early waits longer from then on, at every replica.
    async fn wait(&self, code: &DeviceCode, now: SystemTime) -> Result<Response, TokenError> {
        // A time in the future is a clock that was put back: it must not keep the client waiting.
        let early = code.polled_at.is_some_and(|at| at > before(now, code.interval) && at <= now);
        let interval = if early { (code.interval + SLOW_DOWN).min(MAX_INTERVAL) } else { code.interval };
        let noted = self.server.store.note_poll(&code.digest, code.polled_at, now, interval).await;
        // When another request was noted meanwhile, this one came too early too.
        if early || !noted.map_err(Unavailable::from)? {
            Err(TokenError::SlowDown)
        } else {
            Err(TokenError::Pending)
        }
    }

    async fn issue_to_device(
        &self,
        digest: &Digest,
        grant: &Grant,
        now: SystemTime,
    ) -> Result<Response, TokenError> {
        if !self.is_in_force(grant, now) {
            return Err(self.deny(Action::TokenIssue, party_of(grant), DEVICE_CODE));
        }
        self.check_target(grant)?;
        let access = self.access_token(grant, &grant.scope, now)?;
        let refreshes = self.client.may(GrantType::RefreshToken);
        let refresh = if refreshes { Some(self.new_refresh_token(grant, now)?) } else { None };
        self.use_proof(now).await?;
        let event = self.event(Action::TokenIssue, Outcome::Success, grant);
        let confirm = || self.server.record(event.clone());
        let kept = refresh.as_ref().map(|token| &token.kept);
        let holder = self.holder().map(|holder| holder.to_string());
        let redeemed = self.server.store.redeem_device(digest, kept, holder.as_deref(), now, &confirm).await;
        if !redeemed.map_err(Unavailable::from)? {
            // Another request of the client was faster; it has the tokens.
            return Err(self.deny(Action::TokenIssue, party_of(grant), DEVICE_CODE));
        }
        Ok(issue::answer(&access, &grant.scope, refresh.as_ref()))
    }
}
