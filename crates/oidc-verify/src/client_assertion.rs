//! What a client signs to say who it is (RFC 7523 §2.2 and §3): a JWT about itself, for this server, used once.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::claims::{date, text};
use crate::error::{Rejected, VerifyError};
use crate::jws::UnverifiedToken;
use crate::keys::KeySet;
use crate::verifier::media_subtype;

/// The algorithms that an assertion may be signed with, as metadata publish them. `Ed25519` is the newer name of `EdDSA`
/// (RFC 9864).
pub const CLIENT_ASSERTION_ALGORITHMS: [&str; 6] = ["ES256", "ES384", "EdDSA", "Ed25519", "PS256", "RS256"];

/// How far ahead `exp` may be.
pub const CLIENT_ASSERTION_MAX_LIFETIME: Duration = Duration::from_mins(5);

/// How far ahead of ours the client's clock may be.
const LEEWAY: Duration = Duration::from_secs(30);

/// The longest `jti`, in bytes.
const MAX_ID_BYTES: usize = 256;

/// What an assertion must say.
#[derive(Clone, Copy, Debug)]
pub struct ClientAssertionRules<'a> {
    /// The client that it must be about.
    pub client_id: &'a str,
    /// The issuer identifier of this server: the one value that `aud` may have.
    pub audience: &'a str,
    /// The one algorithm that the client registered for. `None` for any of [`CLIENT_ASSERTION_ALGORITHMS`].
    pub algorithm: Option<Algorithm>,
    /// The time.
    pub now: SystemTime,
}

/// A client said who it is, with its key. Only [`UnverifiedClientAssertion::verify`] makes one.
///
/// Whether it was used before is for the caller to refuse: the client and [`jwt_id`](Self::jwt_id) are to be kept until
/// [`expires_at`](Self::expires_at).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAssertion {
    jwt_id: String,
    expires_at: SystemTime,
}

impl ClientAssertion {
    /// `jti`, never empty.
    #[must_use]
    pub fn jwt_id(&self) -> &str {
        &self.jwt_id
    }

    /// `exp`.
    #[must_use]
    pub fn expires_at(&self) -> SystemTime {
        self.expires_at
    }
}

/// An assertion that was read and not yet believed.
pub struct UnverifiedClientAssertion<'t>(UnverifiedToken<'t>);

impl<'t> UnverifiedClientAssertion<'t> {
    /// Reads the compact form.
    ///
    /// # Errors
    /// [`VerifyError`] when it is none.
    pub fn parse(assertion: &'t str) -> Result<Self, VerifyError> {
        UnverifiedToken::parse(assertion).map(Self)
    }

    /// The client that it claims to be from (`sub`), to look its keys up.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.0.claims.get("sub").and_then(Value::as_str)
    }

    /// Checks everything but the signature, and that nobody used it before: what is not for us must not make anybody
    /// fetch keys.
    ///
    /// # Errors
    /// [`VerifyError::Rejected`] with the first thing that is wrong.
    pub fn check(self, rules: &ClientAssertionRules<'_>) -> Result<CheckedClientAssertion<'t>, VerifyError> {
        let algorithm = self.check_header(rules)?;
        let assertion = check_claims(&self.0.claims, rules)?;
        Ok(CheckedClientAssertion { token: self.0, algorithm, assertion })
    }

    fn check_header(&self, rules: &ClientAssertionRules<'_>) -> Result<Algorithm, Rejected> {
        let header = &self.0.header;
        let token_type = header.token_type.as_deref().map_or("JWT", media_subtype);
        // A token that was made for something else must not serve as an assertion (RFC 8725 §3.11).
        if !["JWT", "client-authentication+jwt"].iter().any(|own| own.eq_ignore_ascii_case(token_type)) {
            return Err(Rejected::TokenType);
        }
        if !CLIENT_ASSERTION_ALGORITHMS.contains(&header.algorithm.as_str()) {
            return Err(Rejected::Algorithm);
        }
        let algorithm = header.algorithm.parse().map_err(|_| Rejected::Algorithm)?;
        if rules.algorithm.is_some_and(|registered| registered != algorithm) {
            return Err(Rejected::Algorithm);
        }
        Ok(algorithm)
    }
}

/// An assertion that says what it must, if its signature is the client's.
pub struct CheckedClientAssertion<'t> {
    token: UnverifiedToken<'t>,
    algorithm: Algorithm,
    assertion: ClientAssertion,
}

impl CheckedClientAssertion<'_> {
    /// The assertion, if one of the client's keys signed it.
    ///
    /// # Errors
    /// [`VerifyError::Rejected`]; with [`Rejected::UnknownKey`] newer keys may help.
    pub fn verify(&self, keys: &KeySet) -> Result<ClientAssertion, VerifyError> {
        let key = keys.select(self.token.header.key_id.as_deref(), self.algorithm)?;
        key.verify(self.token.signed, &self.token.signature)?;
        Ok(self.assertion.clone())
    }
}

/// RFC 7523 §3, with the audience of draft-ietf-oauth-rfc7523bis: one string, so that no other server can use it here.
fn check_claims(
    claims: &Map<String, Value>,
    rules: &ClientAssertionRules<'_>,
) -> Result<ClientAssertion, Rejected> {
    let required =
        |name: &'static str| text(claims, name)?.ok_or_else(|| Rejected::MissingClaim(name.to_owned()));
    if required("iss")? != rules.client_id {
        return Err(Rejected::Issuer);
    }
    if required("sub")? != rules.client_id {
        return Err(Rejected::InvalidClaim("sub"));
    }
    if required("aud")? != rules.audience {
        return Err(Rejected::Audience);
    }
    let expires_at = date(claims, "exp", f64::floor)?.ok_or(Rejected::InvalidClaim("exp"))?;
    if rules.now >= expires_at {
        return Err(Rejected::Expired);
    }
    if expires_at > rules.now + CLIENT_ASSERTION_MAX_LIFETIME {
        return Err(Rejected::Lifetime);
    }
    for start in ["nbf", "iat"] {
        if date(claims, start, f64::ceil)?.is_some_and(|start| start > rules.now + LEEWAY) {
            return Err(Rejected::NotYetValid);
        }
    }
    let jwt_id = required("jti")?;
    if jwt_id.is_empty() || jwt_id.len() > MAX_ID_BYTES {
        return Err(Rejected::InvalidClaim("jti"));
    }
    Ok(ClientAssertion { jwt_id: jwt_id.to_owned(), expires_at })
}
