//! The secret that all replicas share, and what is derived from it.

use std::{fmt, time::SystemTime};

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretSlice};

use crate::{
    random::{Digest, Randomness},
    seal::{AeadSealer, SealKeyError, Sealing},
    server::StartError,
    store::{SecretRecord, Store, StoreError},
};

const NAME: &str = "server";
const LENGTH: usize = 32;

/// What it is sealed as.
const CONTEXT: &str = "secret:server";

/// 32 random bytes that every replica reads from the store. They are used through [`derive`](Self::derive) only.
pub(crate) struct ServerSecret(hmac::Key);

impl ServerSecret {
    /// Reads the secret, after making it if there is none, and seals it with the present key. Processes that start at once on
    /// one store end with the same.
    pub(crate) async fn load(
        store: &dyn Store,
        sealing: &Sealing,
        randomness: &dyn Randomness,
        now: SystemTime,
    ) -> Result<Self, StartError> {
        let mut bytes = vec![0; LENGTH];
        randomness.fill(&mut bytes)?;
        let bytes = SecretSlice::from(bytes);
        let wrapped = sealing.seal(CONTEXT, bytes.expose_secret()).await.map_err(StartError::Secret)?;
        let made = SecretRecord { name: NAME.to_owned(), wrapped, created_at: now };
        let kept = store.secret_or_insert(&made).await?;
        let opened = sealing.open(CONTEXT, kept.wrapped.expose_secret()).await.map_err(StartError::Secret)?;
        let bytes = opened.secret.expose_secret();
        if opened.is_stale {
            let sealed = sealing.seal(CONTEXT, bytes).await.map_err(StartError::Secret)?;
            // Another process that starts may have done it first: both forms open.
            store.replace_secret(NAME, &kept.wrapped, &sealed).await?;
        }
        if bytes.len() != LENGTH {
            return Err(StoreError::Corrupt { what: "shared secret" }.into());
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
    }

    /// Whether the secret opens, if there is one.
    pub(crate) async fn check(store: &dyn Store, sealing: &Sealing) -> Result<(), StartError> {
        if let Some(kept) = store.secret(NAME).await? {
            sealing.open(CONTEXT, kept.wrapped.expose_secret()).await.map_err(StartError::Secret)?;
        }
        Ok(())
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

impl ServerSecret {
    /// Seals what must be kept and used again, for one purpose.
    pub(crate) fn sealer(&self, purpose: &str) -> Result<AeadSealer, SealKeyError> {
        AeadSealer::of_key(self.derive("sealing", &[purpose.as_bytes()]).as_bytes())
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

    use std::sync::Arc;

    use secrecy::{ExposeSecret as _, SecretString};

    use super::ServerSecret;
    use crate::{
        random::SystemRandomness,
        seal::{AeadSealer, Sealer, Sealing},
        server::StartError,
        store::{MemoryStore, SecretRecord, SecretStore as _},
    };

    async fn load(store: &MemoryStore, sealing: &Sealing) -> Result<ServerSecret, StartError> {
        ServerSecret::load(store, sealing, &SystemRandomness, UNIX_EPOCH).await
    }

    fn sealer(byte: u8) -> Arc<dyn Sealer> {
        let key = format!("{byte:02x}").repeat(32);
        Arc::new(AeadSealer::new(&SecretString::from(key)).unwrap())
    }

    #[tokio::test]
    async fn replicas_derive_the_same_and_purposes_differ() {
        let store = MemoryStore::default();
        let sealing = Sealing::unsealed();
        let one = load(&store, &sealing).await.unwrap();
        let two = load(&store, &sealing).await.unwrap();
        let other = load(&MemoryStore::default(), &sealing).await.unwrap();
        let value = one.derive("a", &[b"bc"]);
        assert_eq!(value, two.derive("a", &[b"bc"]));
        assert_ne!(value, other.derive("a", &[b"bc"]));
        for (purpose, inputs) in [("ab", vec![&b"c"[..]]), ("a", vec![b"b", b"c"]), ("abc", vec![])] {
            assert_ne!(value, one.derive(purpose, &inputs), "{purpose}");
        }
        assert_eq!(format!("{one:?}"), "ServerSecret(..)");
    }
    /// SEC-64: a shared secret sealed with another key -> the server does not start
    #[tokio::test]
    async fn it_is_sealed_at_the_next_start_and_opens_with_that_key_only() {
        let store = MemoryStore::default();
        let plain = load(&store, &Sealing::unsealed()).await.unwrap();
        let mut sealing = Sealing::unsealed();
        // Sealed for the first time, then with the next key, each time with the same secret inside.
        for (present, previous) in [(1, vec![]), (1, vec![]), (2, vec![sealer(1)])] {
            sealing = Sealing::new(sealer(present), previous).unwrap();
            let sealed = load(&store, &sealing).await.unwrap();
            assert_eq!(sealed.derive("a", &[]), plain.derive("a", &[]));
        }
        let any = SecretRecord { name: super::NAME.into(), wrapped: vec![].into(), created_at: UNIX_EPOCH };
        let kept = store.secret_or_insert(&any).await.unwrap();
        let start = format!("sealed:1:{}:", sealing.key_id().unwrap());
        assert!(kept.wrapped.expose_secret().starts_with(start.as_bytes()));
        for wrong in [Sealing::unsealed(), Sealing::new(sealer(1), vec![]).unwrap()] {
            assert!(matches!(load(&store, &wrong).await, Err(StartError::Secret(_))), "{wrong}");
        }
    }

    #[tokio::test]
    async fn what_is_sealed_opens_for_its_purpose_only() {
        let one = load(&MemoryStore::default(), &Sealing::unsealed()).await.unwrap();
        let other = load(&MemoryStore::default(), &Sealing::unsealed()).await.unwrap();
        let sealed = one.sealer("a").unwrap().seal("owner", b"secret").await.unwrap();
        let opened = one.sealer("a").unwrap().open("owner", &sealed).await.unwrap();
        assert_eq!(opened.expose_secret(), b"secret");
        for wrong in [one.sealer("b"), other.sealer("a")] {
            assert!(wrong.unwrap().open("owner", &sealed).await.is_err());
        }
    }
}
