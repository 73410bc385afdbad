//! Proofs of possession at the services: nonces, and proofs that were used, which replicas must agree on.

use std::{sync::Arc, time::SystemTime};

use gateway::{DpopRules, ProofReplays, Recording, ReplaysUnavailable};
use oauth_server::OAuthServer;

use crate::config::Config;

const PURPOSE: &str = "dpop at the services";

/// Used proofs in the database, for all replicas.
struct SharedReplays(OAuthServer);

impl ProofReplays for SharedReplays {
    fn use_once(&self, key: [u8; 32], expires_at: SystemTime, now: SystemTime) -> Recording<'_> {
        Box::pin(async move {
            self.0.use_once(PURPOSE, &key, expires_at, now).await.map_err(|error| {
                tracing::warn!(error = &error as &dyn std::error::Error, "a used proof cannot be recorded");
                ReplaysUnavailable
            })
        })
    }
}

/// A single process remembers used proofs itself; several share the database.
pub(super) fn rules(config: &Config, oauth: &OAuthServer) -> DpopRules {
    let mut rules = DpopRules::in_process(&oauth.shared_secret(PURPOSE));
    rules.is_nonce_required = config.tokens.dpop_nonce_required;
    if config.replicas > 1 {
        rules.replays = Arc::new(SharedReplays(oauth.clone()));
    }
    rules
}
