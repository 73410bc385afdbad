//! `private_key_jwt`: a client proves who it is with an assertion that it signed (RFC 7523 §2.2).

use oidc_verify::{
    CheckedClientAssertion, ClientAssertion, ClientAssertionRules, Rejected, UnverifiedClientAssertion,
    VerifyError,
};

use super::keys;
use crate::{
    error::{Unavailable, chain},
    random::Digest,
    server::Server,
    store::{Client, ClientKeys},
};

/// The one kind of assertion (RFC 7523 §2.2).
pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The client that an assertion claims to be from.
pub(super) fn claimed_client_id(assertion: &str) -> Option<String> {
    UnverifiedClientAssertion::parse(assertion).ok()?.client_id().map(str::to_owned)
}

/// Whether the client with these keys signed this assertion, for this server, and sent it for the first time.
pub(super) async fn accepts(
    server: &Server,
    client: &Client,
    own: &ClientKeys,
    assertion: &str,
) -> Result<bool, Unavailable> {
    let registered = client.settings.token_endpoint_auth_signing_alg.as_deref();
    let Ok(algorithm) = registered.map(str::parse).transpose() else { return Ok(false) };
    let now = server.now();
    let rules =
        ClientAssertionRules { client_id: &client.id, audience: &server.config.public_url, algorithm, now };
    let checked = UnverifiedClientAssertion::parse(assertion).and_then(|unverified| unverified.check(&rules));
    let verified = match checked {
        Ok(checked) => verify(server, own, &checked).await?,
        Err(error) => Err(error),
    };
    match verified {
        Ok(verified) => {
            // Each client has its own identifiers.
            let used = ["client_assertion", &client.id, &Digest::of_text(verified.jwt_id()).to_text()];
            let key = Digest::of_parts(&used);
            Ok(server.store.use_once(&key, verified.expires_at(), now).await?)
        }
        Err(error) => {
            // The client is told one thing whatever is wrong; the operator can help it.
            tracing::info!(client_id = client.id, error = chain(&error), "a client assertion was refused");
            Ok(false)
        }
    }
}

async fn verify(
    server: &Server,
    own: &ClientKeys,
    checked: &CheckedClientAssertion<'_>,
) -> Result<Result<ClientAssertion, VerifyError>, Unavailable> {
    let source = server.client_keys.as_ref();
    let known = keys::of(source, own, false).await?;
    match (own, checked.verify(&known)) {
        (ClientKeys::Uri(_), Err(VerifyError::Rejected(Rejected::UnknownKey))) => {
            Ok(checked.verify(keys::of(source, own, true).await?.as_ref()))
        }
        (_, verified) => Ok(verified),
    }
}
