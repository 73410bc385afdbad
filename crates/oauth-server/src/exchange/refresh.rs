//! A refresh token becomes tokens (RFC 6749 §6).

use std::collections::BTreeSet;

use audit::{Action, Outcome};
use axum::response::Response;

use super::{REFRESH_TOKEN, TokenError, TokenRequest, issue};
use crate::{error::Unavailable, metadata::OFFLINE_ACCESS, random::Digest, sign_in::party_of};

impl TokenRequest<'_> {
    pub(super) async fn refresh(&self) -> Result<Response, TokenError> {
        let Self { client, form, .. } = self;
        let plain = form.value(REFRESH_TOKEN).ok_or(TokenError::Missing(REFRESH_TOKEN))?;
        let digest = Digest::of_text(plain);
        let found = self.server.store.refresh_token(&digest).await.map_err(Unavailable::from)?;
        let Some((token, grant)) = found.filter(|(_, grant)| grant.client_id == client.id) else {
            return Err(self.deny(Action::TokenRefresh, issue::client_party(client), REFRESH_TOKEN));
        };
        let now = self.server.now();
        // Rotation (RFC 9700 §4.14.2): the legitimate client and a thief cannot both hold the newest one.
        if token.used_at.is_some() {
            return Err(self.revoke_replayed(&grant, REFRESH_TOKEN, now).await);
        }
        if token.expires_at <= now || !self.is_in_force(&grant, now) {
            return Err(self.deny(Action::TokenRefresh, party_of(&grant), REFRESH_TOKEN));
        }
        self.check_target(&grant)?;
        let scope = narrowed(form.value("scope"), &grant.scope)?;
        let access = self.access_token(&grant, &scope, now)?;
        let successor = self.successor(plain, &grant, now);
        let event = self.event(Action::TokenRefresh, Outcome::Success, &grant);
        let confirm = || self.server.record(event.clone());
        let rotated = self.server.store.rotate_refresh_token(&digest, &successor.kept, now, &confirm).await;
        if !rotated.map_err(Unavailable::from)? {
            return Err(self.revoke_replayed(&grant, REFRESH_TOKEN, now).await);
        }
        Ok(issue::answer(&access, &scope, Some(&successor)))
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
