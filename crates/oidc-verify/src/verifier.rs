//! Verification of a token, for one issuer or for several.

use std::collections::HashMap;
use std::time::SystemTime;

use crate::algorithm::Algorithm;
use crate::claims;
use crate::config::{ConfigError, IssuerConfig};
use crate::error::{Rejected, VerifyError};
use crate::jws::{Header, UnverifiedToken};
use crate::source::KeySource;
use crate::token::VerifiedToken;

/// Verifies the tokens of one issuer.
#[derive(Debug, Clone)]
pub struct TokenVerifier {
    config: IssuerConfig,
    keys: KeySource,
}

impl TokenVerifier {
    /// Tokens as `config` describes them, signed with one of `keys`.
    #[must_use]
    pub fn new(config: IssuerConfig, keys: impl Into<KeySource>) -> Self {
        Self { config, keys: keys.into() }
    }

    /// What the issuer is trusted for.
    #[must_use]
    pub fn config(&self) -> &IssuerConfig {
        &self.config
    }

    /// The claims of `token`, if it is genuine, from this issuer, for us, and valid at `now`.
    ///
    /// Waits only when keys have to be fetched. May be dropped at any await without harm.
    ///
    /// # Errors
    /// [`VerifyError`] says whether the token is at fault, or the keys could not be had.
    pub async fn verify(&self, token: &str, now: SystemTime) -> Result<VerifiedToken, VerifyError> {
        self.verify_parsed(UnverifiedToken::parse(token)?, now).await
    }

    async fn verify_parsed(
        &self,
        token: UnverifiedToken<'_>,
        now: SystemTime,
    ) -> Result<VerifiedToken, VerifyError> {
        // Whose token it is, and what it is, comes before the key: what is not for us must not make us fetch keys.
        claims::check_issuer(&self.config, &token.claims)?;
        let algorithm = self.check_header(&token.header)?;
        let selected = self.keys.select(token.header.key_id.as_deref(), algorithm, now).await?;
        selected.key.verify(token.signed, &token.signature)?;
        Ok(claims::check(&self.config, token.claims, now, selected.good_until)?)
    }

    /// RFC 8725 §3.1 and §3.11: we choose the algorithms and the types, not the token.
    fn check_header(&self, header: &Header) -> Result<Algorithm, Rejected> {
        let algorithm = header.algorithm.parse().map_err(|_| Rejected::Algorithm)?;
        if !self.config.algorithms.contains(&algorithm) {
            return Err(Rejected::Algorithm);
        }
        let token_type = header.token_type.as_deref().map_or("JWT", media_subtype);
        let accepts = |allowed: &String| media_subtype(allowed).eq_ignore_ascii_case(token_type);
        if self.config.token_types.iter().any(accepts) { Ok(algorithm) } else { Err(Rejected::TokenType) }
    }
}

/// RFC 7515 §4.1.9: `application/` may be left out.
pub(crate) fn media_subtype(token_type: &str) -> &str {
    const PREFIX: &str = "application/";
    match token_type.split_at_checked(PREFIX.len()) {
        Some((prefix, subtype)) if prefix.eq_ignore_ascii_case(PREFIX) => subtype,
        Some(_) | None => token_type,
    }
}

/// The `typ` that a token claims, in lower case and without `application/`; `jwt` when it claims none. Nothing about it is
/// verified: it is good for choosing the [`TokenVerifier`] that will.
///
/// # Errors
/// [`VerifyError`] when the token is malformed.
pub fn unverified_token_type(token: &str) -> Result<String, VerifyError> {
    let claimed = UnverifiedToken::parse(token)?.header.token_type;
    Ok(claimed.as_deref().map_or("JWT", media_subtype).to_ascii_lowercase())
}

/// Verifies the tokens of several issuers, each by its own rules and keys.
#[derive(Debug, Clone)]
pub struct IssuerSet {
    verifiers: HashMap<String, TokenVerifier>,
}

impl IssuerSet {
    /// The issuers of `verifiers`.
    ///
    /// # Errors
    /// [`ConfigError::NoIssuer`] without any, [`ConfigError::DuplicateIssuer`] when one comes twice.
    pub fn new(verifiers: impl IntoIterator<Item = TokenVerifier>) -> Result<Self, ConfigError> {
        let mut by_issuer = HashMap::new();
        for verifier in verifiers {
            let issuer = verifier.config.issuer.clone();
            if by_issuer.insert(issuer.clone(), verifier).is_some() {
                return Err(ConfigError::DuplicateIssuer { issuer });
            }
        }
        if by_issuer.is_empty() {
            return Err(ConfigError::NoIssuer);
        }
        Ok(Self { verifiers: by_issuer })
    }

    /// The claims of `token`, verified by the rules of the issuer whose exact name it bears.
    ///
    /// # Errors
    /// As [`TokenVerifier::verify`]; [`Rejected::Issuer`] when the issuer is not one of these.
    pub async fn verify(&self, token: &str, now: SystemTime) -> Result<VerifiedToken, VerifyError> {
        let token = UnverifiedToken::parse(token)?;
        let verifier =
            self.verifiers.get(claims::unverified_issuer(&token.claims)?).ok_or(Rejected::Issuer)?;
        verifier.verify_parsed(token, now).await
    }
}
