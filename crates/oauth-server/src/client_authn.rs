//! How a client proves who it is, wherever one must (RFC 6749 §2.3, OAuth 2.1 §2.4).

mod assertion;
pub(crate) mod keys;

use std::time::SystemTime;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, header};

use crate::{
    clients,
    error::Unavailable,
    params::{Params, decode},
    random::Digest,
    server::Server,
    store::{Client, ClientAuthentication, PreviousSecret},
};

/// Why a client was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ClientError {
    /// Two ways at once, or two identifiers.
    #[error("the client authenticates in more than one way")]
    Several,
    /// It does not say who it is, is not registered, has the wrong secret, or none although it registered for one. Which
    /// of these it is, is not told.
    #[error("the client is unknown or did not authenticate")]
    Refused,
    /// It presented an assertion that does not count. Why is not told, nor whether there is such a client.
    #[error(
        "the client_assertion was not accepted: it needs client_assertion_type {}, iss and sub equal to client_id, aud \
         equal to our issuer as one string, exp at most five minutes ahead, a jti never used before, and a registered key",
        assertion::JWT_BEARER
    )]
    AssertionRefused,
    /// The store is down.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// What a request says about its client.
struct Presented {
    client_id: String,
    credential: Credential,
}

/// How it says so.
enum Credential {
    Nothing,
    Secret(String),
    Assertion(String),
}

/// The client behind a request.
pub(crate) async fn authenticate(
    server: &Server,
    headers: &HeaderMap,
    form: &Params,
) -> Result<Client, ClientError> {
    let presented = presented(headers, form)?;
    let refused = || match presented.credential {
        Credential::Nothing | Credential::Secret(_) => ClientError::Refused,
        Credential::Assertion(_) => ClientError::AssertionRefused,
    };
    let client = clients::find(server, &presented.client_id).await?.ok_or_else(refused)?;
    let accepted = match (&client.authentication, &presented.credential) {
        (ClientAuthentication::None, Credential::Nothing) => true,
        // A confidential client may send its secret either way: it is the secret that counts.
        (ClientAuthentication::Secret { digest, previous, .. }, Credential::Secret(secret)) => {
            is_secret(secret, digest, previous.as_ref(), server.now())
        }
        (ClientAuthentication::PrivateKeyJwt(keys), Credential::Assertion(assertion)) => {
            assertion::accepts(server, &client, keys, assertion).await?
        }
        (
            ClientAuthentication::None
            | ClientAuthentication::Secret { .. }
            | ClientAuthentication::PrivateKeyJwt(_),
            _,
        ) => false,
    };
    if accepted { Ok(client) } else { Err(refused()) }
}

fn is_secret(secret: &str, current: &Digest, previous: Option<&PreviousSecret>, now: SystemTime) -> bool {
    let presented = Digest::of_text(secret);
    let previous = previous.filter(|previous| previous.ends_at > now);
    presented.matches(current) || previous.is_some_and(|previous| presented.matches(&previous.digest))
}

/// One way of saying who the client is, never two (RFC 6749 §2.3).
fn presented(headers: &HeaderMap, form: &Params) -> Result<Presented, ClientError> {
    let from_header = from_header(headers)?;
    let named = form.value("client_id");
    let assertion = form.value("client_assertion");
    let ways = [from_header.is_some(), form.value("client_secret").is_some(), assertion.is_some()];
    if ways.into_iter().filter(|used| *used).count() > 1 {
        return Err(ClientError::Several);
    }
    if let Some(presented) = from_header {
        let other_id = named.is_some_and(|id| id != presented.client_id);
        return if other_id { Err(ClientError::Several) } else { Ok(presented) };
    }
    if let Some(assertion) = assertion {
        if form.value("client_assertion_type") != Some(assertion::JWT_BEARER) {
            return Err(ClientError::AssertionRefused);
        }
        // RFC 7521 §4.2: client_id may be left out, and must fit if it is there.
        let claimed = || assertion::claimed_client_id(assertion);
        let client_id = named.map(str::to_owned).or_else(claimed).ok_or(ClientError::AssertionRefused)?;
        return Ok(Presented { client_id, credential: Credential::Assertion(assertion.to_owned()) });
    }
    let credential = match form.value("client_secret") {
        Some(secret) => Credential::Secret(secret.to_owned()),
        None => Credential::Nothing,
    };
    Ok(Presented { client_id: named.ok_or(ClientError::Refused)?.to_owned(), credential })
}

/// `client_secret_basic`: both halves are form-encoded before they are joined (RFC 6749 §2.3.1).
fn from_header(headers: &HeaderMap) -> Result<Option<Presented>, ClientError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(ClientError::Several);
    }
    basic(value.as_bytes()).map(Some).ok_or(ClientError::Refused)
}

fn basic(value: &[u8]) -> Option<Presented> {
    let (scheme, credentials) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let joined = String::from_utf8(BASE64_STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (client_id, secret) = joined.split_once(':')?;
    let credential = Credential::Secret(decode(secret).ok()?);
    Some(Presented { client_id: decode(client_id).ok()?, credential })
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, prelude::BASE64_STANDARD};

    use super::{Credential, basic};

    #[test]
    fn basic_credentials_are_read_as_the_standard_writes_them() {
        let cases = [
            ("Basic", "id:secret", Some(("id", "secret"))),
            ("bAsIc", "i%3Ad:se+cr%25et", Some(("i:d", "se cr%et"))),
            ("Basic", "id:", Some(("id", ""))),
            ("Basic", "id:a:b", Some(("id", "a:b"))),
            ("Basic", "id", None),
            ("Basic", "id:%zz", None),
            ("Bearer", "id:secret", None),
        ];
        for (scheme, joined, expected) in cases {
            let header = format!("{scheme} {}", BASE64_STANDARD.encode(joined));
            let found = basic(header.as_bytes()).map(|found| match found.credential {
                Credential::Secret(secret) => (found.client_id, secret),
                Credential::Nothing | Credential::Assertion(_) => panic!("{joined}"),
            });
            let expected = expected.map(|(id, secret)| (id.to_owned(), secret.to_owned()));
            assert_eq!(found, expected, "{joined}");
        }
        for header in ["Basic", "Basic ", "Basic ?", "", "Basic \u{e9}"] {
            assert!(basic(header.as_bytes()).is_none(), "{header}");
        }
    }
}
