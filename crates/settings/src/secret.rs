//! Where a secret is, or what it is.

use secrecy::SecretString;

/// A secret that the configuration refers to.
#[derive(Clone, Debug)]
pub enum Secret {
    /// Read from a file or an environment variable.
    Here(SecretString),
    /// Kept in AWS Secrets Manager under this ARN; the program fetches it at the start.
    SecretsManager(String),
}

/// Where a key is that encrypts something.
#[derive(Clone, Debug)]
pub enum KeyReference {
    /// Its bytes are a secret.
    Secret(Secret),
    /// It is in AWS KMS under this ARN, and never leaves it.
    Kms(String),
}
