//! How a client proves who it is at `/token` and `/revoke` (RFC 6749 §2.3, OAuth 2.1 §2.4).

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, header};

use crate::{
    clients,
    error::Unavailable,
    params::{Params, decode},
    random::Digest,
    server::Server,
    store::{Client, ClientAuthentication},
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
    /// The store is down.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// What a request says about its client.
struct Presented {
    client_id: String,
    secret: Option<String>,
}

/// The client behind a request.
pub(crate) async fn authenticate(
    server: &Server,
    headers: &HeaderMap,
    form: &Params,
) -> Result<Client, ClientError> {
    let presented = match from_header(headers)? {
        Some(presented) => {
            let other_id = form.value("client_id").is_some_and(|id| id != presented.client_id);
            if other_id || form.value("client_secret").is_some() {
                return Err(ClientError::Several);
            }
            presented
        }
        None => Presented {
            client_id: form.value("client_id").ok_or(ClientError::Refused)?.to_owned(),
            secret: form.value("client_secret").map(str::to_owned),
        },
    };
    let client = clients::find(server, &presented.client_id).await?;
    let client = client.ok_or(ClientError::Refused)?;
    // A confidential client may send its secret either way: it is the secret that counts.
    let accepted = match (&client.authentication, &presented.secret) {
        (ClientAuthentication::None, None) => true,
        (ClientAuthentication::Secret { digest, .. }, Some(secret)) => {
            Digest::of_text(secret).matches(digest)
        }
        (ClientAuthentication::None, Some(_)) | (ClientAuthentication::Secret { .. }, None) => false,
    };
    if accepted { Ok(client) } else { Err(ClientError::Refused) }
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
    Some(Presented { client_id: decode(client_id).ok()?, secret: Some(decode(secret).ok()?) })
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, prelude::BASE64_STANDARD};

    use super::basic;

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
            let found = basic(header.as_bytes()).map(|found| (found.client_id, found.secret.unwrap()));
            let expected = expected.map(|(id, secret)| (id.to_owned(), secret.to_owned()));
            assert_eq!(found, expected, "{joined}");
        }
        for header in ["Basic", "Basic ", "Basic ?", "", "Basic \u{e9}"] {
            assert!(basic(header.as_bytes()).is_none(), "{header}");
        }
    }
}
