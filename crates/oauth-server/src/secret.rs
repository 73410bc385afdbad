//! The secret that all replicas share, and what is derived from it.

use std::{fmt, time::SystemTime};

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretSlice};

use crate::{
    random::{Digest, Randomness},
    server::StartError,
    store::{SecretRecord, Store, StoreError},
};

const NAME: &str = "server";
const LENGTH: usize = 32;

/// 32 random bytes that every replica reads from the store. They are used through [`derive`](Self::derive) only.
pub(crate) struct ServerSecret(hmac::Key);

impl ServerSecret {
    /// Reads the secret, after making it if there is none. Processes that start at once on one store end with the same.
    pub(crate) async fn load(
        store: &dyn Store,
        randomness: &dyn Randomness,
        now: SystemTime,
    ) -> Result<Self, StartError> {
        let mut bytes = vec![0; LENGTH];
        randomness.fill(&mut bytes)?;
        let made = SecretRecord { name: NAME.to_owned(), wrapped: SecretSlice::from(bytes), created_at: now };
        let kept = store.secret_or_insert(&made).await?;
        let bytes = kept.wrapped.expose_secret();
        if bytes.len() != LENGTH {
            return Err(StoreError::Corrupt { what: "shared secret" }.into());
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
    }

    /// A value for one purpose that nobody else can make: HMAC-SHA-256 over the purpose and the inputs, each after its
    /// length, so that none can be shifted into another.
    pub(crate) fn derive(&self, purpose: &str, inputs: &[&[u8]]) -> Digest {
        let mut context = hmac::Context::with_key(&self.0);
        for part in std::iter::once(purpose.as_bytes()).chain(inputs.iter().copied()) {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        Digest::from_tag(&context.sign())
    }
}

impl fmt::Debug for ServerSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::ServerSecret;
    use crate::{random::SystemRandomness, store::MemoryStore};

    #[tokio::test]
    async fn replicas_derive_the_same_and_purposes_differ() {
        let store = MemoryStore::default();
        let one = ServerSecret::load(&store, &SystemRandomness, UNIX_EPOCH).await.unwrap();
        let two = ServerSecret::load(&store, &SystemRandomness, UNIX_EPOCH).await.unwrap();
        let other = ServerSecret::load(&MemoryStore::default(), &SystemRandomness, UNIX_EPOCH).await.unwrap();
        let value = one.derive("a", &[b"bc"]);
        assert_eq!(value, two.derive("a", &[b"bc"]));
        assert_ne!(value, other.derive("a", &[b"bc"]));
        for (purpose, inputs) in [("ab", vec![&b"c"[..]]), ("a", vec![b"b", b"c"]), ("abc", vec![])] {
            assert_ne!(value, one.derive(purpose, &inputs), "{purpose}");
        }
        assert_eq!(format!("{one:?}"), "ServerSecret(..)");
    }
}
