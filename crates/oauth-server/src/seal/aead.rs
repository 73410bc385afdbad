//! Sealing with a key that this process holds.

use std::fmt;

use async_trait::async_trait;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use secrecy::{ExposeSecret, SecretSlice, SecretString, zeroize::Zeroizing};

use super::{SealError, Sealer, short_id};

const KEY_LEN: usize = 32;

/// Base64 is taken with and without padding.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// The text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sealing key is 32 random bytes in base64 or hexadecimal: make one with `openssl rand -base64 32`")]
pub struct SealKeyError;

/// AES-256-GCM with a random nonce: nonce, ciphertext, tag. The context is authenticated and not kept.
pub struct AeadSealer {
    key: RandomizedNonceKey,
    id: String,
}

impl AeadSealer {
    /// A sealer with the 32 bytes that `text` spells in base64 or hexadecimal.
    ///
    /// # Errors
    /// [`SealKeyError`] when it spells anything else.
    pub fn new(text: &SecretString) -> Result<Self, SealKeyError> {
        let bytes = key_bytes(text.expose_secret().trim()).ok_or(SealKeyError)?;
        Self::of_key(&bytes)
    }

    /// A sealer with this key of 32 bytes.
    pub(crate) fn of_key(bytes: &[u8]) -> Result<Self, SealKeyError> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, bytes).map_err(|_| SealKeyError)?;
        Ok(Self { key, id: short_id("aes", bytes) })
    }
}

#[async_trait]
impl Sealer for AeadSealer {
    fn key_id(&self) -> &str {
        &self.id
    }

    async fn seal(&self, context: &str, secret: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut sealed = secret.to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(context), &mut sealed)
            .map_err(|_| SealError::Encryption)?;
        Ok([nonce.as_ref().as_slice(), &sealed].concat())
    }

    async fn open(&self, context: &str, sealed: &[u8]) -> Result<SecretSlice<u8>, SealError> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(SealError::Damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Damaged)?;
        let mut buffer = Zeroizing::new(sealed.to_vec());
        let secret =
            self.key.open_in_place(nonce, Aad::from(context), &mut buffer).map_err(|_| SealError::Damaged)?;
        Ok(SecretSlice::from(secret.to_vec()))
    }
}

impl fmt::Debug for AeadSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AeadSealer").field("id", &self.id).finish_non_exhaustive()
    }
}

fn key_bytes(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = if text.len() == 2 * KEY_LEN {
        hex(text)?
    } else {
        let alphabets = [&STANDARD, &URL_SAFE];
        let decoded = |alphabet| GeneralPurpose::new(alphabet, LENIENT).decode(text).ok();
        alphabets.into_iter().find_map(decoded)?
    };
    (bytes.len() == KEY_LEN).then(|| Zeroizing::new(bytes))
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks_exact(2);
    pairs.map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.last()?)?)).collect()
}
