//! Sealing: what may not be readable in a database or its backups is encrypted before it is kept.
//!
//! Sealing protects what is read. Who can write into the database can make grants, and needs no key for that.

mod aead;

use std::{error::Error, fmt, sync::Arc};

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use secrecy::SecretSlice;

pub use aead::{AeadSealer, SealKeyError};

/// What is sealed starts with this, the key's identifier and a colon. Everything else is kept as it is.
const MARK: &[u8] = b"sealed:1:";

/// Seals under one key. What it seals it opens under the same context only: the blob of one row is worthless in another.
#[async_trait]
pub trait Sealer: Send + Sync + 'static {
    /// Names the key without telling anything about it: letters, digits and hyphens. It is written before what is sealed.
    fn key_id(&self) -> &str;

    /// Encrypts a secret and binds it to `context`.
    ///
    /// # Errors
    /// When that cannot be done now.
    async fn seal(&self, context: &str, secret: &[u8]) -> Result<Vec<u8>, SealError>;

    /// Decrypts what [`seal`](Self::seal) gave for the same context.
    ///
    /// # Errors
    /// [`SealError::Damaged`] when it is anything else.
    async fn open(&self, context: &str, sealed: &[u8]) -> Result<SecretSlice<u8>, SealError>;
}

/// Why a secret cannot be sealed or opened. No variant shows anything of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// None of the configured keys sealed it.
    #[error(
        "it is sealed with the key {found}, and {configured}: name that key as the one that seals, or among the previous ones"
    )]
    WrongKey {
        /// The key that sealed it.
        found: String,
        /// Which keys are configured.
        configured: String,
    },
    /// It was changed, cut short, or sealed as something else.
    #[error("it is damaged, or was sealed as something else")]
    Damaged,
    /// A later version wrote it.
    #[error("it is sealed in a form that this version does not know")]
    Form,
    /// The key's identifier cannot be written.
    #[error("the sealing key's identifier {0:?} is not 1 to 64 letters, digits and hyphens")]
    KeyId(String),
    /// Encryption failed.
    #[error("it cannot be encrypted")]
    Encryption,
    /// The service that has the key did not answer, or refused.
    #[error("the service that keeps the sealing key does not seal or open")]
    Service(#[source] Box<dyn Error + Send + Sync>),
}

/// How secrets are sealed: with one key, or not at all; and what opens those that were sealed before.
#[derive(Clone, Default)]
pub struct Sealing {
    sealer: Option<Arc<dyn Sealer>>,
    previous: Vec<Arc<dyn Sealer>>,
}

/// A secret that was kept.
pub(crate) struct Opened {
    pub(crate) secret: SecretSlice<u8>,
    /// Whether it should be sealed anew: it was not, or with a previous key.
    pub(crate) is_stale: bool,
}

impl Sealing {
    /// Secrets are kept as they are, for trying things out. What was sealed before cannot be opened.
    #[must_use]
    pub fn unsealed() -> Self {
        Self::default()
    }

    /// Seals with `sealer`, and opens with `previous` too. What these sealed, and what was not sealed, is sealed anew at
    /// the next start.
    ///
    /// # Errors
    /// [`SealError::KeyId`] for an identifier that cannot be written.
    pub fn new(sealer: Arc<dyn Sealer>, previous: Vec<Arc<dyn Sealer>>) -> Result<Self, SealError> {
        let ids = std::iter::once(&sealer).chain(&previous).map(|sealer| sealer.key_id());
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        for id in ids {
            if !(1..=64).contains(&id.len()) || !id.bytes().all(legal) {
                return Err(SealError::KeyId(id.to_owned()));
            }
        }
        Ok(Self { sealer: Some(sealer), previous })
    }

    /// The key that seals, if there is one.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.sealer.as_deref().map(Sealer::key_id)
    }

    /// The form in which a secret is kept.
    pub(crate) async fn seal(&self, context: &str, secret: &[u8]) -> Result<SecretSlice<u8>, SealError> {
        let Some(with) = &self.sealer else { return Ok(SecretSlice::from(secret.to_vec())) };
        let sealed = with.seal(context, secret).await?;
        Ok(SecretSlice::from([MARK, with.key_id().as_bytes(), b":", &sealed].concat()))
    }

    /// The secret that was kept.
    pub(crate) async fn open(&self, context: &str, kept: &[u8]) -> Result<Opened, SealError> {
        let Some(sealed_with) = sealed_with(kept)? else {
            return Ok(Opened { secret: SecretSlice::from(kept.to_vec()), is_stale: self.sealer.is_some() });
        };
        let SealedWith { key_id, sealed } = sealed_with;
        let found = self.sealers().find(|sealer| sealer.key_id() == key_id);
        let sealer = found
            .ok_or_else(|| SealError::WrongKey { found: key_id.to_owned(), configured: self.to_string() })?;
        let secret = sealer.open(context, sealed).await?;
        Ok(Opened { secret, is_stale: self.key_id() != Some(key_id) })
    }

    fn sealers(&self) -> impl Iterator<Item = &Arc<dyn Sealer>> {
        self.sealer.iter().chain(&self.previous)
    }
}

impl fmt::Display for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sealer.is_none() {
            return f.write_str("no sealing key is configured");
        }
        let ids: Vec<&str> = self.sealers().map(|sealer| sealer.key_id()).collect();
        write!(f, "the configured sealing keys are {}", ids.join(", "))
    }
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&str> = self.sealers().map(|sealer| sealer.key_id()).collect();
        f.debug_struct("Sealing").field("keys", &ids).finish()
    }
}

/// What is written about a sealed secret.
pub(crate) struct SealedWith<'a> {
    pub(crate) key_id: &'a str,
    sealed: &'a [u8],
}

/// The key that a kept secret is sealed with; `None` when it is not sealed.
pub(crate) fn sealed_with(kept: &[u8]) -> Result<Option<SealedWith<'_>>, SealError> {
    let Some(rest) = kept.strip_prefix(MARK) else {
        return if kept.starts_with(b"sealed:") { Err(SealError::Form) } else { Ok(None) };
    };
    let end = rest.iter().position(|byte| *byte == b':').ok_or(SealError::Damaged)?;
    let (key_id, sealed) = rest.split_at_checked(end).ok_or(SealError::Damaged)?;
    let key_id = std::str::from_utf8(key_id).map_err(|_| SealError::Damaged)?;
    Ok(Some(SealedWith { key_id, sealed: sealed.strip_prefix(b":").ok_or(SealError::Damaged)? }))
}

/// A short name for something that need not be told: 64 bits of its SHA-256.
#[must_use]
pub fn short_id(kind: &str, value: &[u8]) -> String {
    let hash = digest(&SHA256, &[kind.as_bytes(), b"\0", value].concat());
    let start = hash.as_ref().iter().take(8).fold(0_u64, |start, byte| start << 8 | u64::from(*byte));
    format!("{kind}-{start:016x}")
}

#[cfg(test)]
mod tests;
