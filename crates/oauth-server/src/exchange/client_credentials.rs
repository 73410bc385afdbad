//! A client acts for itself (RFC 6749 §4.4).

use axum::response::Response;

use super::{
    TokenError, TokenRequest,
    machine::{Single, scopes_of},
};
use crate::{identity::Identity, store::GrantKind};

/// Who vouches for a client is this server. It is no id that an identity source could have.
const SOURCE: &str = "(client)";

impl TokenRequest<'_> {
    pub(super) async fn client_credentials(&self) -> Result<Response, TokenError> {
        self.check_is_operators()?;
        let (client, settings) = (&self.client, &self.client.settings);
        let now = self.server.now();
        let resource = self.resource_among(&settings.resources)?;
        let scope = self.scope_within(&scopes_of(resource, &settings.scopes))?;
        let identity = Identity {
            // RFC 9068 §2.2: the client is the subject. Among subjects of its own, so that nobody's `sub` at a provider
            // makes them a client.
            issuer: self.server.config.clients_issuer(),
            subject: client.id.clone(),
            tenant: settings.tenant.clone(),
            display_name: client.name.clone(),
            email: None,
            hints: settings.hints.clone(),
        };
        let single = Single {
            identity,
            identity_source: SOURCE.to_owned(),
            resource: resource.uri.clone(),
            scope,
            authenticated_at: now,
            kind: GrantKind::ClientCredentials,
        };
        self.issue_single(single, None, "client_credentials", now).await
    }
}
