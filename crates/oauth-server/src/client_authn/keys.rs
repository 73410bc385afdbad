//! The public keys of a client that signs assertions.

use std::sync::Arc;

use async_trait::async_trait;
use oidc_verify::{KeyRefusal, KeySet, KeySetError};

use crate::store::ClientKeys;

/// Why a key set cannot be that of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientKeysProblem {
    /// It is none.
    #[error("is not usable: {0}")]
    KeySet(KeySetError),
    /// Whoever reads it can sign as the client.
    #[error("holds a private or symmetric key: give the public keys only")]
    Private,
    /// There is nothing to verify an assertion with.
    #[error("has no key to verify with: {}", .0.map_or_else(|| "it is empty".to_owned(), |why| format!("a key {why}")))]
    NoKey(Option<KeyRefusal>),
}

impl ClientKeys {
    /// The keys of a JSON Web Key Set.
    ///
    /// # Errors
    /// [`ClientKeysProblem`] when no assertion could be verified with it, or when it holds more than public keys.
    pub fn inline(jwks: String) -> Result<Self, ClientKeysProblem> {
        let keys = KeySet::from_jwks_json(jwks.as_bytes()).map_err(ClientKeysProblem::KeySet)?;
        let refusals = || keys.refused().iter().map(|refused| refused.reason);
        if refusals().any(|reason| matches!(reason, KeyRefusal::PrivateMember(_))) {
            return Err(ClientKeysProblem::Private);
        }
        if keys.is_empty() {
            Err(ClientKeysProblem::NoKey(refusals().next()))
        } else {
            Ok(Self::Inline(jwks))
        }
    }
}

/// The keys of a client cannot be read now.
#[derive(Debug, thiserror::Error)]
#[error("the keys at the client's jwks_uri cannot be read")]
pub(crate) struct ClientKeysUnavailable(#[source] pub(crate) Box<dyn std::error::Error + Send + Sync>);

/// Reads the keys that clients publish. What it is given is an address that a stranger named.
#[async_trait]
pub(crate) trait ClientKeysSource: Send + Sync + 'static {
    /// The keys at this address, read within the last minutes. `anew` asks for newer ones than it gave before, because
    /// the key of an assertion was not among them; it may still give the same, so that nobody makes it read on command
    /// (SEC-28).
    async fn keys(&self, uri: &str, anew: bool) -> Result<Arc<KeySet>, ClientKeysUnavailable>;
}

/// The keys of a client, newer ones if it is asked `anew`.
pub(super) async fn of(
    source: &dyn ClientKeysSource,
    keys: &ClientKeys,
    anew: bool,
) -> Result<Arc<KeySet>, ClientKeysUnavailable> {
    match keys {
        ClientKeys::Inline(jwks) => match KeySet::from_jwks_json(jwks.as_bytes()) {
            Ok(keys) => Ok(Arc::new(keys)),
            Err(error) => Err(ClientKeysUnavailable(Box::new(error))),
        },
        ClientKeys::Uri(uri) => source.keys(uri, anew).await,
    }
}
