//! Whose key the tokens are bound to, and who may use what is bound to a key (RFC 9449 §5 and §10).

use std::time::SystemTime;

use audit::{Action, Event, Outcome};
use axum::response::Response;
use http::{HeaderMap, Uri};
use oidc_verify::{DpopError, DpopProof, KeyThumbprint};

use super::{CODE, REFRESH_TOKEN, TokenError, TokenRequest};
use crate::{
    dpop::{self, ProofError},
    server::Server,
    sign_in::party_of,
    store::{Client, ClientAuthentication, Code, Grant},
};

/// The proof of a token request, if there is one. A client that agreed to bound tokens must send one (§5.2).
pub(super) fn check(
    server: &Server,
    headers: &HeaderMap,
    uri: &Uri,
    client: &Client,
) -> Result<Option<DpopProof>, TokenError> {
    let proof = dpop::proof(server, headers, uri.path(), server.now())?;
    if proof.is_none() && client.settings.dpop_bound_access_tokens {
        return Err(ProofError::Refused(DpopError::Missing).into());
    }
    Ok(proof)
}

impl TokenRequest<'_> {
    /// The key that was proven.
    pub(super) fn holder(&self) -> Option<KeyThumbprint> {
        self.proof.as_ref().map(DpopProof::thumbprint)
    }

    /// A code that was asked for with a key is for whoever holds that one (§10).
    pub(super) fn check_code_key(&self, code: &Code, grant: &Grant) -> Result<(), TokenError> {
        match &code.dpop_jkt {
            Some(bound) if !self.proves(bound) => Err(self.deny_key(Action::TokenIssue, grant, CODE)),
            _ => Ok(()),
        }
    }

    /// A refresh token of a public client is for whoever holds the key of its grant (§5). A confidential client has proven
    /// who it is and may change its key; what was bound stays bound.
    pub(super) fn check_refresh_key(&self, grant: &Grant) -> Result<(), TokenError> {
        if self.may_refresh(grant) {
            Ok(())
        } else {
            Err(self.deny_key(Action::TokenRefresh, grant, REFRESH_TOKEN))
        }
    }

    /// The same as a question.
    pub(super) fn may_refresh(&self, grant: &Grant) -> bool {
        let Some(bound) = &grant.dpop_jkt else { return true };
        let may_change = self.client.authentication != ClientAuthentication::None && self.proof.is_some();
        may_change || self.proves(bound)
    }

    fn proves(&self, bound: &str) -> bool {
        self.holder().is_some_and(|holder| bound.parse() == Ok(holder))
    }

    fn deny_key(&self, action: Action, grant: &Grant, what: &'static str) -> TokenError {
        let event = Event::new(action, Outcome::Denied, party_of(grant).into());
        self.server.record_refusal(event.request_id(self.request_id.0.as_str()).reason("dpop_other_key"));
        TokenError::OtherKey(what)
    }

    /// Uses the proof up. The last thing before something changes: nothing is remembered of what strangers send.
    pub(super) async fn use_proof(&self, now: SystemTime) -> Result<(), TokenError> {
        let Some(proof) = &self.proof else { return Ok(()) };
        Ok(dpop::use_up(self.server, proof, now).await?)
    }

    /// Tells a client that sent a proof which nonce the next one needs.
    pub(super) fn hand_out_nonce(&self, response: &mut Response) {
        if self.proof.is_some() {
            self.server.dpop.hand_out_nonce(response, self.server.now());
        }
    }
}
