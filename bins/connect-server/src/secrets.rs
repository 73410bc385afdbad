//! Secrets that live in AWS Secrets Manager.

use aws_config::BehaviorVersion;
use aws_sdk_secretsmanager::{Client, error::DisplayErrorContext};
use secrecy::SecretString;
use settings::Secret;

/// A secret could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Secrets Manager did not give it.
    #[error("secret {arn} cannot be read from Secrets Manager: {reason}")]
    Unavailable {
        /// The secret.
        arn: String,
        /// What the service or the connection says.
        reason: String,
    },
    /// It is not text.
    #[error("secret {arn} holds no text")]
    NotText {
        /// The secret.
        arn: String,
    },
}

/// The value of a secret; one in Secrets Manager is fetched with the process's own AWS role.
///
/// # Errors
/// When Secrets Manager does not give it.
pub(crate) async fn resolve(secret: &Secret) -> Result<SecretString, SecretError> {
    let arn = match secret {
        Secret::Here(value) => return Ok(value.clone()),
        Secret::SecretsManager(arn) => arn,
    };
    let client = Client::new(&aws_config::load_defaults(BehaviorVersion::latest()).await);
    let answer = client.get_secret_value().secret_id(arn).send().await.map_err(|error| {
        SecretError::Unavailable { arn: arn.clone(), reason: DisplayErrorContext(&error).to_string() }
    })?;
    match answer.secret_string() {
        Some(text) => Ok(SecretString::from(text)),
        None => Err(SecretError::NotText { arn: arn.clone() }),
    }
}
