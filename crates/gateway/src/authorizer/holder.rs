//! Whether the caller holds the key that a token is bound to (RFC 9449 §7).

use std::{fmt, num::NonZeroU32, sync::Arc, time::SystemTime};

use http::{HeaderMap, HeaderValue, Method};
use oidc_verify::{DpopCall, DpopError, DpopNonces, DpopServer, DpopUrl, DpopWindow, NonceRule, verify_dpop};

use super::{Authorizer, Denial, Permit, ProcessReplays, ProofReplays, Wanted};

/// How long each nonce is the current one, in seconds.
const NONCE_PERIOD: NonZeroU32 = NonZeroU32::new(300).unwrap();

/// How a token came.
#[derive(Clone, Copy, Debug)]
pub enum Presented<'a> {
    /// By `Authorization: Bearer`.
    Bearer,
    /// By `Authorization: DPoP`.
    Dpop {
        /// The request's headers, of which `DPoP` is the proof.
        headers: &'a HeaderMap,
        /// The request's method.
        method: &'a Method,
        /// Where the request went, by the public URL and the routed path.
        url: &'a DpopUrl,
    },
}

/// How proofs of possession are checked.
#[derive(Clone)]
pub struct DpopRules {
    /// Our nonces. All replicas need the same.
    pub nonces: DpopNonces,
    /// Whether a proof must have a nonce. One that it has must be ours in any case.
    pub is_nonce_required: bool,
    /// The proofs that were used.
    pub replays: Arc<dyn ProofReplays>,
}

impl DpopRules {
    /// Nonces of this secret, which are not required, and proofs that only this process remembers.
    #[must_use]
    pub fn in_process(secret: &[u8; 32]) -> Self {
        Self {
            nonces: DpopNonces::new(secret, DpopServer::Resource, NONCE_PERIOD),
            is_nonce_required: false,
            replays: Arc::new(ProcessReplays::new()),
        }
    }
}

impl fmt::Debug for DpopRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DpopRules")
            .field("is_nonce_required", &self.is_nonce_required)
            .finish_non_exhaustive()
    }
}

/// Whether there is nothing to prove: the common way, and one comparison long.
pub(super) fn is_plain_bearer(permit: &Permit, presented: Presented<'_>, wanted: Wanted<'_>) -> bool {
    matches!(presented, Presented::Bearer) && permit.holder().is_none() && !wanted.is_dpop_required
}

impl Authorizer {
    /// What is checked of a call whose token is bound, ought to be, or came with a proof.
    pub(super) async fn check_holder(
        &self,
        permit: &Permit,
        token: &str,
        presented: Presented<'_>,
        now: SystemTime,
    ) -> Result<(), Denial> {
        let Some(holder) = permit.holder() else { return Err(Denial::NotBound) };
        let Presented::Dpop { headers, method, url } = presented else { return Err(Denial::Downgraded) };
        let rules = &self.config.dpop;
        let nonces = if rules.is_nonce_required { NonceRule::Required } else { NonceRule::Optional };
        let call = DpopCall {
            method: method.as_str(),
            url,
            now,
            window: DpopWindow::default(),
            nonces: nonces(&rules.nonces),
            access_token: Some(token),
            thumbprint: Some(holder),
        };
        let values = headers.get_all("dpop").iter().map(HeaderValue::as_bytes);
        let proof = verify_dpop(values, &call).map_err(|error| match error {
            DpopError::Nonce => Denial::NonceNeeded(rules.nonces.current(now)),
            error => Denial::Proof(error),
        })?;
        // Only what would be allowed is recorded: nobody fills the record with what counts for nothing.
        self.check_use(permit)?;
        match rules.replays.use_once(proof.replay_key(), proof.expires_at(), now).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Denial::Replayed),
            Err(_) => Err(Denial::ReplaysUnavailable),
        }
    }
}
