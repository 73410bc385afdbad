//! A session as the AWS SDK wants it.

use std::fmt;

use aws_credential_types::{
    Credentials,
    provider::{self, ProvideCredentials, error::CredentialsError, future},
};

use crate::{AssumeRole, AssumeRoleRequest, SessionCache};

/// The credentials of one request, for AWS clients that work for exactly that request.
pub struct CachedSession<A> {
    cache: SessionCache,
    request: AssumeRoleRequest,
    source: A,
}

impl<A> CachedSession<A> {
    /// Credentials of `request` from `cache`, obtained through `source`.
    #[must_use]
    pub fn new(cache: SessionCache, request: AssumeRoleRequest, source: A) -> Self {
        Self { cache, request, source }
    }
}

impl<A: AssumeRole + Clone + 'static> CachedSession<A> {
    async fn load(&self) -> provider::Result {
        // The error travels as the source, where a caller finds it by downcast.
        let session = self.cache.credentials(&self.request, self.source.clone()).await;
        let session = session.map_err(CredentialsError::provider_error)?;
        Ok(Credentials::new(
            session.access_key_id(),
            session.expose_secret_access_key(),
            Some(session.expose_session_token().to_owned()),
            Some(session.expires_at()),
            "CachedSession",
        ))
    }
}

impl<A: AssumeRole + Clone + 'static> ProvideCredentials for CachedSession<A> {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.load())
    }
}

impl<A> fmt::Debug for CachedSession<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedSession")
            .field("role_arn", &self.request.role_arn)
            .field("source_identity", &self.request.source_identity)
            .finish_non_exhaustive()
    }
}
