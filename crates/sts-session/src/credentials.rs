//! The session itself.

use std::{fmt, time::SystemTime};

use secrecy::{ExposeSecret as _, SecretString};

/// Temporary credentials of one role session. Secrets are shown by the `expose_*` accessors only and overwritten when
/// the last copy is dropped.
#[derive(Clone)]
pub struct SessionCredentials {
    access_key_id: String,
    secret_access_key: SecretString,
    session_token: SecretString,
    expires_at: SystemTime,
    aws_request_id: Option<String>,
}

impl SessionCredentials {
    /// Credentials as STS returned them.
    #[must_use]
    pub fn new(
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<SecretString>,
        session_token: impl Into<SecretString>,
        expires_at: SystemTime,
    ) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
            session_token: session_token.into(),
            expires_at,
            aws_request_id: None,
        }
    }

    /// Adds the id under which AWS recorded the call.
    #[must_use]
    pub fn with_aws_request_id(mut self, id: Option<String>) -> Self {
        self.aws_request_id = id;
        self
    }

    /// The access key id, which is not secret: CloudTrail shows it.
    #[must_use]
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// The secret access key.
    #[must_use]
    pub fn expose_secret_access_key(&self) -> &str {
        self.secret_access_key.expose_secret()
    }

    /// The session token.
    #[must_use]
    pub fn expose_session_token(&self) -> &str {
        self.session_token.expose_secret()
    }

    /// When AWS stops accepting the credentials.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }

    /// The id under which AWS recorded the `AssumeRole` call.
    #[must_use]
    pub fn aws_request_id(&self) -> Option<&str> {
        self.aws_request_id.as_deref()
    }
}

impl fmt::Debug for SessionCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCredentials")
            .field("access_key_id", &self.access_key_id)
            .field("expires_at", &self.expires_at)
            .field("aws_request_id", &self.aws_request_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let credentials =
            SessionCredentials::new("ASIA1", "canary-secret", "canary-token", SystemTime::UNIX_EPOCH);
        let shown = format!("{credentials:?} {credentials:#?}");
        assert!(shown.contains("ASIA1") && !shown.contains("canary"), "{shown}");
    }
}
