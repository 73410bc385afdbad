//! What seals the secrets in the database, as configured.

mod kms;

use std::sync::Arc;

use aws_config::BehaviorVersion;
use oauth_server::seal::{AeadSealer, SealError, SealKeyError, Sealer, Sealing};
use settings::KeyReference;

use self::kms::KmsSealer;
use crate::{
    config::Config,
    secrets::{self, SecretError},
};

/// The sealing keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealingError {
    /// A key cannot be had.
    #[error("a sealing key is not available")]
    Secret(#[from] SecretError),
    /// What was found is no key.
    #[error("keys.seal or one of keys.previous is no key")]
    Key(#[from] SealKeyError),
    /// The keys do not go together.
    #[error("the sealing keys cannot be used")]
    Seal(#[from] SealError),
}

/// Gets the keys from where they are.
///
/// # Errors
/// When one of them is not there, or is no key.
pub(crate) async fn sealing(config: &Config) -> Result<Sealing, SealingError> {
    let Some(present) = &config.keys.seal else { return Ok(Sealing::unsealed()) };
    let mut previous = Vec::new();
    for reference in &config.keys.previous {
        previous.push(sealer(reference).await?);
    }
    Ok(Sealing::new(sealer(present).await?, previous)?)
}

async fn sealer(reference: &KeyReference) -> Result<Arc<dyn Sealer>, SealingError> {
    Ok(match reference {
        KeyReference::Secret(secret) => Arc::new(AeadSealer::new(&secrets::resolve(secret).await?)?),
        KeyReference::Kms(arn) => {
            let settings = aws_config::load_defaults(BehaviorVersion::latest()).await;
            Arc::new(KmsSealer::new(aws_sdk_kms::Client::new(&settings), arn.clone()))
        }
    })
}
