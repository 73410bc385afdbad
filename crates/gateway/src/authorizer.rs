//! Who calls, and what was decided about them: from a token to a [`Permit`], or a reason why not.

mod cells;
mod denial;
mod generations;
mod holder;
mod identity;
mod permit;
mod replays;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use audit::Party;
use aws_lc_rs::digest::{SHA256, digest};
use cells::Cells;
use decision::{Decision, DecisionHeaders, PolicyContext, RoleArn, SessionTags, SourceIdentity};
pub use denial::{Denial, Denied};
use generations::Generations;
pub use holder::{DpopRules, Presented};
use identity::Identity;
use oidc_verify::{IssuerSet, VerifiedToken};
pub use permit::Permit;
use permit::Versions;
pub use replays::{ProcessReplays, ProofReplays, Recording, ReplaysUnavailable};
use role_mapper::{Grant, MappingSnapshots, Query, RoleDecision, Versioned, decide};

use crate::ids::Ids;

/// A clock to be injected.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// How many tokens a [`TokenCache`] holds.
const CACHED_TOKENS: usize = 16_384;

/// Which grants were revoked.
pub trait Revocations: Send + Sync {
    /// Whether this grant, the claim `sid` of our tokens, was revoked.
    fn is_revoked(&self, session: &str) -> bool;

    /// Changes with every revocation. What was asked under another version is asked again.
    fn version(&self) -> u64;

    /// Changes with the keys of our own tokens. What was verified under another version is verified again: a key that was
    /// withdrawn is gone at once (SEC-28).
    fn key_version(&self) -> u64;

    /// Whether the revocations were read recently enough to be relied on. While they were not, nothing is allowed.
    fn is_current(&self, now: SystemTime) -> bool;
}

/// What an [`Authorizer`] trusts.
#[derive(Clone, Debug)]
pub struct AuthorizerConfig {
    /// The issuer of our own tokens, whose claims `idp`, `tenant`, `sid` and `hints` describe the identity. Tokens of
    /// every other issuer describe their own subject.
    pub own_issuer: String,
    /// The identity issuers that are accepted, each with the prefix that keeps its subjects apart in STS. No two have
    /// the same prefix; one may have an empty one.
    pub identity_prefixes: BTreeMap<String, String>,
    /// How long a decision is used at most before it is made anew.
    pub decision_max_age: Duration,
    /// How the holder of a bound token proves to be it.
    pub dpop: DpopRules,
}

/// Why an [`AuthorizerConfig`] is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizerConfigError {
    /// No identity issuer.
    #[error("no identity issuer is accepted: name at least one in `identity_prefixes`")]
    NoIdentityIssuer,
    /// Two issuers with one prefix.
    #[error(
        "identity issuers `{0}` and `{1}` have the same prefix: their subjects could not be told apart in STS"
    )]
    SamePrefix(String, String),
    /// No age.
    #[error("`decision_max_age` must be above zero")]
    MaxAge,
}

/// What a caller asks for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The service, by its name.
    pub service: &'a str,
    /// The audience that the token must have.
    pub resource: &'a str,
    /// Audiences that mean this service too, in tokens of other issuers.
    pub audiences: &'a [String],
    /// The scopes that a token of our own must have.
    pub scopes: &'a [String],
    /// Whether the token must be bound to a key.
    pub is_dpop_required: bool,
}

/// Decides about tokens.
pub struct Authorizer {
    config: AuthorizerConfig,
    issuers: IssuerSet,
    mapping: Arc<MappingSnapshots>,
    revocations: Arc<dyn Revocations>,
    clock: Clock,
    cells: Cells,
    ids: Ids,
}

/// Permits by the SHA-256 of their tokens, for one service and one worker. No token is kept.
pub struct TokenCache {
    /// Never contended: it is one worker's.
    permits: Mutex<Generations<[u8; 32], Arc<Permit>>>,
}

impl TokenCache {
    /// An empty cache.
    #[must_use]
    pub fn new() -> Self {
        Self { permits: Mutex::new(Generations::new(CACHED_TOKENS)) }
    }

    fn find(&self, key: &[u8; 32]) -> Option<Arc<Permit>> {
        self.permits.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn keep(&self, key: [u8; 32], permit: Arc<Permit>) {
        self.permits.lock().unwrap_or_else(PoisonError::into_inner).insert(key, permit);
    }
}

impl Default for TokenCache {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").finish_non_exhaustive()
    }
}

/// A permit, and whether it was at hand.
#[derive(Debug)]
pub struct Authorized {
    /// The permit.
    pub permit: Arc<Permit>,
    /// Whether it came from the cache.
    pub was_cached: bool,
}

impl Authorizer {
    /// An authorizer that accepts the tokens of `issuers`, one of which is `config.own_issuer`.
    ///
    /// # Errors
    /// When the configuration could not keep identities apart.
    pub fn new(
        config: AuthorizerConfig,
        issuers: IssuerSet,
        mapping: Arc<MappingSnapshots>,
        revocations: Arc<dyn Revocations>,
        clock: Clock,
    ) -> Result<Self, AuthorizerConfigError> {
        if config.identity_prefixes.is_empty() {
            return Err(AuthorizerConfigError::NoIdentityIssuer);
        }
        if config.decision_max_age.is_zero() {
            return Err(AuthorizerConfigError::MaxAge);
        }
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for (issuer, prefix) in &config.identity_prefixes {
            if let Some(other) = seen.insert(prefix, issuer) {
                return Err(AuthorizerConfigError::SamePrefix(other.to_owned(), issuer.clone()));
            }
        }
        Ok(Self { config, issuers, mapping, revocations, clock, cells: Cells::default(), ids: Ids::random() })
    }

    /// Decides about a token. A warm call takes no lock that another thread could hold, and never waits.
    ///
    /// # Errors
    /// [`Denied`] says why not, and about whom as far as that was verified. Denials are never cached.
    pub async fn authorize(
        &self,
        cache: &TokenCache,
        token: &str,
        presented: Presented<'_>,
        wanted: Wanted<'_>,
    ) -> Result<Authorized, Denied> {
        let now = (self.clock)();
        let key = digest(&SHA256, token.as_bytes());
        let key: [u8; 32] = key.as_ref().try_into().map_err(|_| Denied::stranger(Denial::Internal))?;
        let mapping = self.mapping.current(now).map_err(|_| Denied::stranger(Denial::MappingTooOld))?;
        if !self.revocations.is_current(now) {
            return Err(Denied::stranger(Denial::RevocationsTooOld));
        }
        // Before the verification: keys that change in between are noticed by the next call.
        let versions = Versions { mapping: mapping.version, keys: self.revocations.key_version() };
        let cached = cache.find(&key).filter(|permit| permit.is_good(now, versions));
        let was_cached = cached.is_some();
        let permit = if let Some(permit) = cached {
            permit
        } else {
            // Rare, and large: apart from what every call carries along.
            let verified = Box::pin(self.issuers.verify(token, now))
                .await
                .map_err(|error| Denied::stranger(Denial::of_verification(&error)))?;
            let permit = Arc::new(self.decide(&verified, wanted, (&mapping, versions), now)?);
            cache.keep(key, Arc::clone(&permit));
            permit
        };
        let checked = if holder::is_plain_bearer(&permit, presented, wanted) {
            self.check_use(&permit)
        } else {
            Box::pin(self.check_holder(&permit, token, presented, now)).await
        };
        match checked {
            Ok(()) => Ok(Authorized { permit, was_cached }),
            Err(denial) => Err(Denied { denial, party: Some(Arc::clone(permit.party())) }),
        }
    }

    /// What is checked on every call: revocation and rate.
    fn check_use(&self, permit: &Permit) -> Result<(), Denial> {
        permit.check_revocation(&*self.revocations).and_then(|()| permit.check_rate())
    }

    fn decide(
        &self,
        token: &VerifiedToken,
        wanted: Wanted<'_>,
        (mapping, versions): (&Versioned, Versions),
        now: SystemTime,
    ) -> Result<Permit, Denied> {
        let identity = Identity::of(token, &self.config.own_issuer).map_err(Denied::stranger)?;
        let mut party = identity.party();
        let denied = |denial, party: &Party| Denied { denial, party: Some(Arc::new(party.clone())) };
        check_token(token, &identity, wanted).map_err(|denial| denied(denial, &party))?;
        let holder = identity::holder(token).map_err(|denial| denied(denial, &party))?;
        let prefix = self
            .config
            .identity_prefixes
            .get(identity.issuer)
            .ok_or_else(|| denied(Denial::IdentityIssuer, &party))?;
        let source_identity = SourceIdentity::encode(prefix, identity.issuer, identity.subject);
        party.source_identity = Some(source_identity.as_str().to_owned());
        let query = Query {
            issuer: identity.issuer,
            subject: identity.subject,
            tenant: identity.tenant,
            claims: identity.claims,
            service: wanted.service,
        };
        let grant = match decide(&mapping.mapping, &query) {
            RoleDecision::Grant(grant) => grant,
            RoleDecision::Deny(reason) => return Err(denied(Denial::Mapping(reason), &party)),
        };
        let cell = self.cells.cell(source_identity.as_str(), &grant);
        let decision = self.decision(*grant, source_identity).map_err(|denial| denied(denial, &party))?;
        let headers = DecisionHeaders::prebuild(&decision)
            .map_err(|error| denied(Denial::Unwritable(error.to_string()), &party))?;
        describe(&mut party, &decision);
        let latest = now + self.config.decision_max_age;
        Ok(Permit::new(permit::Parts {
            headers,
            party: Arc::new(party),
            cell,
            session: identity.session.map(str::to_owned),
            holder,
            good_until: token.recheck_at().min(latest),
            decided_at: now,
            versions,
        }))
    }

    fn decision(&self, grant: Grant, source_identity: SourceIdentity) -> Result<Decision, Denial> {
        let unwritable = |error: &dyn fmt::Display| Denial::Unwritable(error.to_string());
        let role: RoleArn = grant.role_arn.parse().map_err(|error| unwritable(&error))?;
        let context = PolicyContext {
            decision_id: self.ids.next().to_string(),
            policy_id: grant.by.to_string(),
            tenant: grant.tenant.to_string(),
            session_duration_seconds: u32::try_from(grant.duration.as_secs())
                .map_err(|error| unwritable(&error))?,
            session_policy: grant.session_policy,
            agent: None,
        };
        let tags = SessionTags::from_pairs(grant.tags).map_err(|error| unwritable(&error))?;
        Ok(Decision { role, source_identity, tags, context })
    }
}

fn check_token(token: &VerifiedToken, identity: &Identity<'_>, wanted: Wanted<'_>) -> Result<(), Denial> {
    let aliases = if identity.is_own { &[] } else { wanted.audiences };
    if !identity::has_audience(token, wanted.resource, aliases) {
        return Err(Denial::Audience);
    }
    // A foreign token's scopes are not ours; the mapping judges its claims.
    let held: BTreeSet<&str> = token.scopes().iter().map(String::as_str).collect();
    if identity.is_own && !wanted.scopes.iter().all(|scope| held.contains(scope.as_str())) {
        return Err(Denial::Scope);
    }
    Ok(())
}

/// Adds what was decided to whom it was decided about.
fn describe(party: &mut Party, decision: &Decision) {
    party.tenant = Some(decision.context.tenant.clone());
    party.role_arn = Some(decision.role.as_str().to_owned());
    party.tags = decision.tags.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    party.policy_id = Some(decision.context.policy_id.clone());
    party.decision_id = Some(decision.context.decision_id.clone());
}

impl fmt::Debug for Authorizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorizer").field("config", &self.config).finish_non_exhaustive()
    }
}
