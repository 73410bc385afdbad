//! Where an issuer's keys come from.

mod cache;
mod fetch;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;

use crate::algorithm::Algorithm;
use crate::error::{Rejected, VerifyError};
use crate::keys::{KeySet, VerificationKey};

pub use cache::JwksCache;
pub(crate) use fetch::FETCH_TIMEOUT;
pub use fetch::{FetchClient, FetchClientError, JwksLocation};

/// A clock to be injected.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// How long keys are used before they must be read again, if their source answers.
pub const KEY_MAX_AGE: Duration = Duration::from_mins(5);

/// Where an issuer's keys come from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum KeySource {
    /// Keys that this process holds, for example our own.
    Shared(SharedKeys),
    /// Keys that the issuer publishes.
    Remote(JwksCache),
}

impl From<SharedKeys> for KeySource {
    fn from(keys: SharedKeys) -> Self {
        Self::Shared(keys)
    }
}

impl From<JwksCache> for KeySource {
    fn from(keys: JwksCache) -> Self {
        Self::Remote(keys)
    }
}

/// A key to verify a token with, and until when it is known to be the issuer's.
pub(crate) struct SelectedKey {
    pub(crate) key: Arc<VerificationKey>,
    pub(crate) good_until: SystemTime,
}

impl KeySource {
    pub(crate) async fn select(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
        now: SystemTime,
    ) -> Result<SelectedKey, VerifyError> {
        match self {
            Self::Shared(keys) => Ok(keys.select(key_id, algorithm, now)?),
            Self::Remote(keys) => keys.select(key_id, algorithm).await,
        }
    }
}

/// Keys that this process holds and may replace at any time; clones share them.
#[derive(Clone)]
pub struct SharedKeys {
    current: Arc<ArcSwap<KeySet>>,
}

impl SharedKeys {
    /// Starts with `keys`.
    #[must_use]
    pub fn new(keys: KeySet) -> Self {
        Self { current: Arc::new(ArcSwap::from_pointee(keys)) }
    }

    /// Uses `keys` instead from now on.
    pub fn replace(&self, keys: KeySet) {
        self.current.store(Arc::new(keys));
    }

    fn select(
        &self,
        key_id: Option<&str>,
        algorithm: Algorithm,
        now: SystemTime,
    ) -> Result<SelectedKey, Rejected> {
        let key = self.current.load().select(key_id, algorithm)?;
        Ok(SelectedKey { key, good_until: now + KEY_MAX_AGE })
    }
}

impl fmt::Debug for SharedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedKeys").field(&self.current.load()).finish()
    }
}
