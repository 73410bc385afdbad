//! Is this token genuine, from an issuer that we trust, for us, and valid now?
//!
//! A [`TokenVerifier`] checks a JWT against one [`IssuerConfig`] with keys from a [`KeySource`]; an [`IssuerSet`] holds
//! several, chosen by the exact `iss`. What passes is a [`VerifiedToken`], which nothing else can make. What does not is
//! a [`VerifyError`]: the token is at fault (answer 401), or the keys could not be had
//! ([`is_transient`](VerifyError::is_transient), answer 503).
//!
//! Keys come from [`SharedKeys`], held by this process, or from a [`JwksCache`], which reads what the issuer publishes.
//! Signatures are checked by aws-lc-rs with keys that were parsed once, when they were admitted.
//!
//! A [`DpopProof`] is what a DPoP proof (RFC 9449) shows about one request: that its sender holds a key, now. [`verify_dpop`]
//! makes it, [`DpopNonces`] are the server's nonces, made and known again without keeping any.
//!
//! A [`ClientAssertion`] is what a client signed about itself (RFC 7523 §2.2), for this server and a few minutes.
//!
//! This crate does not decide what a caller may do, does not know revoked tokens, used proofs or used assertions, and
//! issues nothing.
//!
//! ```
//! use oidc_verify::{Algorithm, IssuerConfig, IssuerSet, KeySet, SharedKeys, TokenVerifier};
//! use std::time::UNIX_EPOCH;
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let config = IssuerConfig::builder("https://idp.example.com")
//!     .audience("https://connect.example.com/mcp/platform/mcp")
//!     .algorithms([Algorithm::Es256])
//!     .tenant_claim("/org/id")
//!     .build()?;
//! let jwks = br#"{"keys": [{"kty": "EC", "crv": "P-256", "kid": "1", "use": "sig",
//!     "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
//!     "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;
//! let keys = SharedKeys::new(KeySet::from_jwks_json(jwks)?);
//! let issuers = IssuerSet::new([TokenVerifier::new(config, keys)])?;
//!
//! let refused = issuers.verify("not.a.token", UNIX_EPOCH).await.unwrap_err();
//! assert!(!refused.is_transient());
//! assert_eq!(refused.reason(), "token_malformed");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Threats
//! * *Algorithm confusion* (SEC-24): the issuer's list decides, `none` and HMAC cannot be written down as an
//!   [`Algorithm`], and an admitted key belongs to exactly one algorithm.
//! * *Weak or misused keys* (SEC-25): keys for other purposes, short RSA moduli, wrong curves and documents with private
//!   members are not admitted; [`KeySet::refused`] says which and why.
//! * *Tricks of the serialisation* (SEC-26): one strict form, bounded in size and depth, without duplicate members;
//!   `crit`, `b64` and `zip` are refused, `jku`, `jwk`, `x5u` and `x5c` are never read.
//! * *Tokens for someone else* (SEC-21, SEC-27): `iss`, `aud` and `azp` are compared exactly, `typ` is on a list.
//! * *Stolen tokens* (SEC-30 to SEC-32): a proof counts for one method, one URL, one token and about a minute; its key is
//!   admitted like every other and never a private one; the caller of this crate refuses a second use.
//! * *Borrowed client assertions* (SEC-17): `iss` and `sub` are the client, `aud` is one string, `exp` at most five minutes
//!   ahead, and there is a `jti` that the caller refuses a second time.
//! * *Fetching on command* (SEC-28, SEC-29): a token can cause at most one reading of its issuer's keys in 30 seconds;
//!   redirects are not followed, metadata of another issuer are refused.

mod algorithm;
mod claims;
mod client_assertion;
mod config;
mod dpop;
mod error;
mod json;
mod jws;
mod keys;
mod source;
mod token;
mod verifier;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use client_assertion::{
    CLIENT_ASSERTION_ALGORITHMS, CLIENT_ASSERTION_MAX_LIFETIME, CheckedClientAssertion, ClientAssertion,
    ClientAssertionRules, UnverifiedClientAssertion,
};
pub use config::{ConfigError, IssuerConfig, IssuerConfigBuilder};
pub use dpop::{
    DPOP_ALGORITHMS, DPOP_MAX_PROOF_BYTES, DpopCall, DpopError, DpopNonces, DpopProof, DpopServer, DpopUrl,
    DpopUrlError, DpopWindow, KeyThumbprint, NonceRule, NotAThumbprint, verify_dpop,
};
pub use error::{FetchProblem, KeysUnavailable, Malformed, Part, Rejected, VerifyError};
pub use jws::MAX_TOKEN_BYTES;
pub use keys::{KeyRefusal, KeySet, KeySetError, RefusedKey};
pub use source::{
    Clock, FetchClient, FetchClientError, JwksCache, JwksLocation, KEY_MAX_AGE, KeySource, SharedKeys,
};
pub use token::VerifiedToken;
pub use verifier::{IssuerSet, TokenVerifier, unverified_token_type};
