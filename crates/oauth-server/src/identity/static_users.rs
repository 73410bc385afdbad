//! A list of users with password hashes, for trying things out on one machine.

use std::collections::{HashMap, HashSet};
use std::fmt;

use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::{Identity, IdentityConfigError, check_id};

/// The parameters OWASP's password storage cheat sheet recommends for argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// The weakest equivalent that sheet lists is 7 MiB and five passes.
const MIN_MEMORY_KIB: u32 = 7_168;
const MIN_WORK: u64 = 7_168 * 5;
/// What one sign-in may cost this process.
const MAX_MEMORY_KIB: u32 = 262_144;
const MAX_PASSES: u32 = 16;
const MIN_OUTPUT: usize = 16;

/// One user of [`StaticUsers`].
#[derive(Clone)]
pub struct StaticUser {
    /// What the person types.
    pub username: String,
    /// The password's argon2id hash as a PHC string, as [`hash_password`] makes it.
    pub password_hash: String,
    /// The tenant of the identity.
    pub tenant: Option<String>,
    /// The subject of the identity.
    pub subject: String,
    /// The name shown to the person.
    pub display_name: Option<String>,
    /// Claims for the role mapping.
    pub hints: Map<String, Value>,
}

impl fmt::Debug for StaticUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticUser")
            .field("username", &self.username)
            .field("tenant", &self.tenant)
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

/// Users with password hashes, known when the process starts.
pub struct StaticUsers {
    id: String,
    users: HashMap<String, (PasswordHash, Identity)>,
    /// Checked when the user is unknown, so that an unknown user costs what a known one costs.
    decoy: Box<PasswordHash>,
}

impl fmt::Debug for StaticUsers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticUsers")
            .field("id", &self.id)
            .field("users", &self.users.len())
            .finish_non_exhaustive()
    }
}

impl StaticUsers {
    /// Users whose identities are (`issuer`, each user's subject). `id` is the url-safe id of this source.
    ///
    /// # Errors
    /// When the id is not url-safe, the list or a name is empty, a user or subject is listed twice, or a hash
    /// is malformed, not argon2id, weaker than OWASP's recommendation or of another cost than the others.
    pub fn new(
        id: impl Into<String>,
        issuer: impl Into<String>,
        users: Vec<StaticUser>,
    ) -> Result<Self, IdentityConfigError> {
        let (id, issuer) = (id.into(), issuer.into());
        check_id(&id)?;
        require("issuer", &issuer)?;
        let mut subjects = HashSet::new();
        let mut known = HashMap::new();
        let mut cost = None;
        let mut decoy = None;
        for user in users {
            require("username", &user.username)?;
            require("subject", &user.subject)?;
            let hash = admit(&user, &mut cost)?;
            if !subjects.insert(user.subject.clone()) {
                return Err(IdentityConfigError::DuplicateSubject { username: user.username });
            }
            decoy.get_or_insert_with(|| hash.clone());
            let username = user.username.clone();
            if known.insert(username.clone(), (hash, identity_of(&issuer, user))).is_some() {
                return Err(IdentityConfigError::DuplicateUser { username });
            }
        }
        let decoy = decoy.ok_or(IdentityConfigError::Empty { field: "users" })?;
        Ok(Self { id, users: known, decoy: Box::new(decoy) })
    }

    /// The url-safe id of this source.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the person reads when choosing where to sign in.
    #[must_use]
    pub fn label(&self) -> &'static str {
        "User name and password"
    }

    /// The identity of `username`, whoever asks.
    pub(crate) fn identity(&self, username: &str) -> Option<&Identity> {
        self.users.get(username).map(|(_, identity)| identity)
    }

    /// The identity of `username`, if `password` is theirs. Runs argon2 once, whether the user exists or not:
    /// call it where blocking for some tens of milliseconds is allowed.
    #[must_use]
    pub fn verify(&self, username: &str, password: &SecretString) -> Option<Identity> {
        let user = self.users.get(username);
        let hash = user.map_or(&*self.decoy, |(hash, _)| hash);
        let verified = Argon2::default().verify_password(password.expose_secret().as_bytes(), hash).is_ok();
        user.filter(|_| verified).map(|(_, identity)| identity.clone())
    }
}

/// Why a password could not be hashed.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum HashError {
    /// There is nothing to hash.
    #[error("the password must not be empty")]
    Empty,
    /// The system gave no randomness, or memory was short.
    #[error("the password could not be hashed")]
    Failed,
}

/// The PHC string of `password` under argon2id with a fresh salt (m=19456, t=2, p=1), for
/// [`StaticUser::password_hash`].
///
/// # Errors
/// When the password is empty, or randomness or memory is not to be had.
pub fn hash_password(password: &SecretString) -> Result<String, HashError> {
    let password = password.expose_secret().as_bytes();
    if password.is_empty() {
        return Err(HashError::Empty);
    }
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| HashError::Failed)?;
    let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    hasher.hash_password(password).map(|hash| hash.to_string()).map_err(|_| HashError::Failed)
}

fn require(field: &'static str, value: &str) -> Result<(), IdentityConfigError> {
    if value.trim().is_empty() { Err(IdentityConfigError::Empty { field }) } else { Ok(()) }
}

fn identity_of(issuer: &str, user: StaticUser) -> Identity {
    Identity {
        issuer: issuer.to_owned(),
        subject: user.subject,
        tenant: user.tenant,
        display_name: user.display_name,
        email: None,
        hints: user.hints,
    }
}

/// (memory, passes, lanes, output length): what one verification costs.
type Cost = (u32, u32, u32, usize);

fn admit(user: &StaticUser, common: &mut Option<Cost>) -> Result<PasswordHash, IdentityConfigError> {
    let refuse = |problem| IdentityConfigError::PasswordHash { username: user.username.clone(), problem };
    let hash = PasswordHash::new(&user.password_hash).map_err(|_| refuse("is not a PHC string"))?;
    if hash.algorithm != ARGON2ID_IDENT {
        return Err(refuse("is not argon2id"));
    }
    if hash.version != Some(Version::V0x13.into()) {
        return Err(refuse("is not of argon2 version 19"));
    }
    let output = hash.hash.as_ref().map_or(0, Output::len);
    if hash.salt.is_none() || output < MIN_OUTPUT {
        return Err(refuse("has no salt or is shorter than 16 bytes"));
    }
    let params = Params::try_from(&hash).map_err(|_| refuse("has parameters argon2 does not know"))?;
    let (memory, passes, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
    if memory < MIN_MEMORY_KIB || u64::from(memory) * u64::from(passes) < MIN_WORK {
        return Err(refuse("is weaker than m=19456,t=2,p=1"));
    }
    if memory > MAX_MEMORY_KIB || passes > MAX_PASSES {
        return Err(refuse("costs more than m=262144,t=16"));
    }
    let cost = (memory, passes, lanes, output);
    // Unequal costs would tell by the time an answer takes which users exist.
    if *common.get_or_insert(cost) != cost {
        return Err(refuse("has other parameters than the hashes before it"));
    }
    Ok(hash)
}
