//! A code becomes tokens (RFC 6749 §4.1.3).

use audit::{Action, Outcome};
use axum::response::Response;

use super::{CODE, TokenError, TokenRequest, issue};
use crate::{
    error::Unavailable,
    params::Params,
    random::Digest,
    sign_in::party_of,
    store::{Code, GrantType},
};

impl TokenRequest<'_> {
    pub(super) async fn redeem_code(&self) -> Result<Response, TokenError> {
        let Self { client, form, .. } = self;
        let plain = form.value(CODE).ok_or(TokenError::Missing(CODE))?;
        let verifier = form.value("code_verifier").ok_or(TokenError::Missing("code_verifier"))?;
        if !is_verifier(verifier) {
            return Err(TokenError::VerifierForm);
        }
        let digest = Digest::of_text(plain);
        let found = self.server.store.code(&digest).await.map_err(Unavailable::from)?;
        let Some((code, grant)) = found.filter(|(_, grant)| grant.client_id == client.id) else {
            return Err(self.deny(Action::TokenIssue, issue::client_party(client), CODE));
        };
        if !belongs(&code, form, verifier) {
            return Err(self.deny(Action::TokenIssue, party_of(&grant), CODE));
        }
        self.check_code_key(&code, &grant)?;
        self.check_target(&grant)?;
        let now = self.server.now();
        // Everything about this request is right, so whoever sends it knows all that the client knows: the first use may
        // have been somebody else's (SEC-8).
        if code.used_at.is_some() {
            return Err(self.revoke_replayed(&grant, CODE, now).await);
        }
        if code.expires_at <= now || !self.is_in_force(&grant, now) {
            return Err(self.deny(Action::TokenIssue, party_of(&grant), CODE));
        }
        let access = self.tokens_of(&grant, &grant.scope, code.nonce.as_deref(), now)?;
        let refresh = if client.may(GrantType::RefreshToken) {
            Some(self.new_refresh_token(&grant, now)?)
        } else {
            None
        };
        self.use_proof(now).await?;
        let event = self.event(Action::TokenIssue, Outcome::Success, &grant);
        let confirm = || self.server.record(event.clone());
        let kept = refresh.as_ref().map(|token| &token.kept);
        let holder = self.holder().map(|holder| holder.to_string());
        let redeemed = self.server.store.redeem_code(&digest, kept, holder.as_deref(), now, &confirm).await;
        if !redeemed.map_err(Unavailable::from)? {
            return Err(self.revoke_replayed(&grant, CODE, now).await);
        }
        Ok(issue::answer(&access, &grant.scope, refresh.as_ref()))
    }
}

/// Whether a code was issued for exactly this redirect and PKCE challenge.
fn belongs(code: &Code, form: &Params, verifier: &str) -> bool {
    let redirect = match &code.redirect_uri {
        // RFC 6749 §4.1.3: identical to what the authorization request named.
        Some(named) => form.value("redirect_uri") == Some(named),
        None => true,
    };
    let proven = Digest::from_text(&code.code_challenge)
        .is_some_and(|challenge| Digest::of_text(verifier).matches(&challenge));
    redirect && proven
}

fn is_verifier(text: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&text.len()) && text.bytes().all(unreserved)
}
