//! What other issuers assert about workloads and people, and what it is worth here (RFC 7523).
//!
//! The `typ` of an assertion decides which of two kinds it is, and with it who may have made it: an identity assertion
//! (`oauth-id-jag+jwt`) comes from a configured identity provider, everything else from a workload issuer.

mod pattern;
mod settings;

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use oidc_verify::{
    ConfigError, IssuerConfig, IssuerSet, TokenVerifier, VerifiedToken, VerifyError, unverified_token_type,
};
use serde_json::Value;

pub use pattern::{ClaimPattern, InvalidPattern};
pub(crate) use settings::problems;
pub use settings::{
    AssertionIssuer, AssertionProblem, IdentityAssertionIssuer, WorkloadIssuer, WorkloadRule,
};

use crate::{
    clock::after,
    config::OAuthConfig,
    error::{Unavailable, chain},
    identity::{Identity, UpstreamProblem, claims},
    random::Digest,
    store::UsedAssertion,
};

/// The `typ` of an identity assertion authorization grant.
pub(crate) const IDENTITY_ASSERTION: &str = "oauth-id-jag+jwt";

/// The profile of enterprise-managed authorization, for the metadata.
pub(crate) const IDENTITY_ASSERTION_PROFILE: &str = "urn:ietf:params:oauth:grant-profile:id-jag";

/// Why an assertion is worth nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum AssertionError {
    /// It is not genuine, not of a trusted issuer, not for us, or not valid now.
    #[error("{}", chain(.0))]
    Verification(VerifyError),
    /// It was made for somebody else too (SEC-17).
    #[error("aud must be {0} and nothing else")]
    Audience(String),
    /// What lives long is stolen and used.
    #[error("exp must be at most {} s after iat", .0.as_secs())]
    Lifetime(Duration),
    /// What it says of its subject is missing, too long, or has control characters.
    #[error("its {0} is missing or cannot be used")]
    Claim(&'static str),
    /// It is for another client.
    #[error("it is for another client")]
    OtherClient,
    /// No rule of the operator.
    #[error("no rule of the operator fits its claims")]
    NoRule,
    /// It came a second time.
    #[error("it was used before")]
    Used,
}

impl AssertionError {
    /// A stable word for the audit log, for what is refused although it is genuine.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Verification(error) => error.reason(),
            Self::Audience(_) => "assertion_audience",
            Self::Lifetime(_) => "assertion_lifetime",
            Self::Claim(_) => "assertion_claim",
            Self::OtherClient => "assertion_of_other_client",
            Self::NoRule => "no_workload_rule",
            Self::Used => "assertion_replayed",
        }
    }
}

/// An assertion that is genuine, from an issuer that is trusted for this kind, for us, and valid now.
pub(crate) enum Asserted<'a> {
    /// About a workload.
    Workload(&'a WorkloadIssuer, VerifiedToken),
    /// About a person.
    Identity(&'a IdentityAssertionIssuer, VerifiedToken),
}

/// Why an assertion gives nothing.
pub(crate) enum NotAsserted {
    /// Its own fault.
    Refused(AssertionError),
    /// Nobody can say now.
    Unavailable(Unavailable),
}

impl From<AssertionError> for NotAsserted {
    fn from(error: AssertionError) -> Self {
        Self::Refused(error)
    }
}

impl From<VerifyError> for NotAsserted {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::KeysUnavailable(keys) => Self::Unavailable(keys.into()),
            error => Self::Refused(AssertionError::Verification(error)),
        }
    }
}

/// The issuers that are trusted.
pub(crate) struct Assertions {
    own_issuer: String,
    workloads: Kind<WorkloadIssuer>,
    identities: Kind<IdentityAssertionIssuer>,
}

/// The issuers of one kind of assertion.
struct Kind<T> {
    /// `None` when there are none.
    verifiers: Option<IssuerSet>,
    settings: BTreeMap<String, T>,
}

impl Assertions {
    /// Everybody whom `config` trusts.
    pub(crate) fn new(config: &OAuthConfig) -> Result<Self, ConfigError> {
        // A workload's issuer often lets it choose one audience only, and the drafts name both.
        let workload_audiences = [config.public_url.clone(), config.url_of("/token")];
        let workload = |trusted: &WorkloadIssuer| {
            verifier(&trusted.issuer, &workload_audiences, &trusted.token_types, &[])
        };
        let identity = |trusted: &IdentityAssertionIssuer| {
            let audience = [config.public_url.clone()];
            verifier(&trusted.issuer, &audience, &[IDENTITY_ASSERTION.to_owned()], &["jti", "client_id"])
        };
        Ok(Self {
            own_issuer: config.public_url.clone(),
            workloads: Kind::new(&config.workload_issuers, |trusted| &trusted.issuer, workload)?,
            identities: Kind::new(&config.identity_assertion_issuers, |trusted| &trusted.issuer, identity)?,
        })
    }

    /// Whether anybody is trusted to assert anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.workloads.verifiers.is_none() && self.identities.verifiers.is_none()
    }

    /// What an assertion is worth.
    pub(crate) async fn verify(&self, assertion: &str, now: SystemTime) -> Result<Asserted<'_>, NotAsserted> {
        // By the type alone, never by what else is in it: no assertion is both.
        if unverified_token_type(assertion)? == IDENTITY_ASSERTION {
            let (trusted, token) = self.identities.verify(assertion, now).await?;
            if token.claims().get("aud").and_then(Value::as_str) != Some(&self.own_issuer) {
                return Err(AssertionError::Audience(self.own_issuer.clone()).into());
            }
            check_lifetime(&trusted.issuer, &token)?;
            return Ok(Asserted::Identity(trusted, token));
        }
        let (trusted, token) = self.workloads.verify(assertion, now).await?;
        // Kubernetes writes a list also for one.
        if token.claims().get("aud").and_then(Value::as_array).is_some_and(|several| several.len() != 1) {
            return Err(AssertionError::Audience(token.audience().to_owned()).into());
        }
        check_lifetime(&trusted.issuer, &token)?;
        Ok(Asserted::Workload(trusted, token))
    }
}

impl<T: Clone> Kind<T> {
    fn new(
        trusted: &[T],
        issuer: impl Fn(&T) -> &AssertionIssuer,
        verifier: impl Fn(&T) -> Result<TokenVerifier, ConfigError>,
    ) -> Result<Self, ConfigError> {
        if trusted.is_empty() {
            return Ok(Self { verifiers: None, settings: BTreeMap::new() });
        }
        let verifiers: Vec<_> = trusted.iter().map(verifier).collect::<Result<_, _>>()?;
        let settings = trusted.iter().map(|trusted| (issuer(trusted).issuer.clone(), trusted.clone()));
        Ok(Self { verifiers: Some(IssuerSet::new(verifiers)?), settings: settings.collect() })
    }

    async fn verify(&self, assertion: &str, now: SystemTime) -> Result<(&T, VerifiedToken), NotAsserted> {
        let nobody = || VerifyError::from(oidc_verify::Rejected::Issuer);
        let verifiers = self.verifiers.as_ref().ok_or_else(nobody)?;
        let token = verifiers.verify(assertion, now).await?;
        let trusted = self.settings.get(token.issuer()).ok_or_else(nobody)?;
        Ok((trusted, token))
    }
}

fn verifier(
    trusted: &AssertionIssuer,
    audiences: &[String],
    token_types: &[String],
    required: &[&str],
) -> Result<TokenVerifier, ConfigError> {
    let config = IssuerConfig::builder(trusted.issuer.as_str())
        .audiences(audiences)
        .algorithms(trusted.algorithms.iter().copied())
        .token_types(token_types)
        .required_claims(required.iter().copied())
        .leeway(trusted.leeway)
        .build()?;
    Ok(TokenVerifier::new(config, trusted.keys.clone()))
}

/// An assertion is for now. One that lives long would also have to be remembered for long.
fn check_lifetime(trusted: &AssertionIssuer, token: &VerifiedToken) -> Result<(), AssertionError> {
    let lifetime = token.expires_at().duration_since(token.issued_at()).unwrap_or_default();
    if lifetime > trusted.max_lifetime { Err(AssertionError::Lifetime(trusted.max_lifetime)) } else { Ok(()) }
}

/// Whom an assertion is about. A tenant that the operator gives counts before one that the issuer names.
pub(crate) fn identity(
    trusted: &AssertionIssuer,
    token: &VerifiedToken,
    tenant: Option<&str>,
) -> Result<Identity, AssertionError> {
    let all = Value::Object(token.claims().clone());
    let claimed = || trusted.tenant_claim.as_deref().map(|pointer| claims::tenant(&all, pointer)).transpose();
    let unusable = |what| move |_: UpstreamProblem| AssertionError::Claim(what);
    Ok(Identity {
        issuer: trusted.issuer.clone(),
        subject: claims::subject(token.subject()).map_err(unusable("sub"))?.to_owned(),
        tenant: match tenant {
            Some(tenant) => Some(tenant.to_owned()),
            None => claimed().map_err(unusable("tenant"))?,
        },
        display_name: None,
        email: None,
        hints: claims::hints(&all, &trusted.hint_claims).map_err(unusable("hint"))?,
    })
}

/// What is remembered of an assertion, so that it counts once: its `jti`, or else everything that is signed. Not the
/// signature, of which there may be several for the same.
pub(crate) fn use_of(trusted: &AssertionIssuer, token: &VerifiedToken, assertion: &str) -> UsedAssertion {
    let signed = assertion.rsplit_once('.').map_or(assertion, |(signed, _)| signed);
    // Only the last part is not ours, so that nothing in it can be taken for another one.
    let (kind, value) = token.jwt_id().map_or(("signed", signed), |id| ("jti", id));
    UsedAssertion {
        key: Digest::of_parts(&["jwt-bearer assertion", &trusted.issuer, kind, value]),
        expires_at: after(token.expires_at(), trusted.leeway),
    }
}
