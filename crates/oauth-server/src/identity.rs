//! Who a person is: the identity sources a sign-in can use.
//!
//! [`StaticUsers`] checks a user name and a password against a list, for trying things out. [`OidcUpstream`]
//! sends the person to an OpenID Connect provider and verifies its answer. Both give an [`Identity`], and
//! nothing here decides what that identity may do.

mod oidc;
mod static_users;

use serde_json::{Map, Value};

pub(crate) use oidc::claims;
pub use oidc::{
    OidcUpstream, OidcUpstreamConfig, Rechecked, Step, UpstreamError, UpstreamProblem, UpstreamSignIn,
};
pub use static_users::{HashError, StaticUser, StaticUsers, hash_password};

const MAX_ID: usize = 32;

/// A person, as an identity source vouches for them. The identity is (`issuer`, `subject`); everything else
/// describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// The issuer that vouches, exactly as configured.
    pub issuer: String,
    /// The subject at that issuer, verbatim.
    pub subject: String,
    /// The tenant the issuer places the subject in.
    pub tenant: Option<String>,
    /// A name to show to the person.
    pub display_name: Option<String>,
    /// An address the issuer has not marked as unverified; to show, never to identify.
    pub email: Option<String>,
    /// The configured claims, for the role mapping.
    pub hints: Map<String, Value>,
}

impl Identity {
    /// What the person is called on a page.
    pub(crate) fn shown(&self) -> &str {
        self.display_name.as_deref().or(self.email.as_deref()).unwrap_or(&self.subject)
    }
}

/// A way to sign in.
#[derive(Debug)]
pub enum IdentitySource {
    /// A list of users with password hashes.
    Static(StaticUsers),
    /// An OpenID Connect provider.
    Oidc(OidcUpstream),
}

impl IdentitySource {
    /// The url-safe id used in `/callback/<id>`.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Static(users) => users.id(),
            Self::Oidc(upstream) => upstream.id(),
        }
    }

    /// What the person reads when choosing where to sign in.
    #[must_use]
    pub fn label(&self) -> &str {
        match self {
            Self::Static(users) => users.label(),
            Self::Oidc(upstream) => upstream.label(),
        }
    }
}

/// Why an identity source cannot be built from its configuration.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentityConfigError {
    /// The id would not survive in a path.
    #[error(
        "identity source id {id:?} must be 1 to {MAX_ID} of a-z, 0-9 and -, starting with a letter or digit"
    )]
    Id {
        /// The refused id.
        id: String,
    },
    /// The issuer is not an identifier that can be trusted.
    #[error("issuer {issuer:?} must be an https URL without query or fragment (http only on loopback)")]
    Issuer {
        /// The refused issuer.
        issuer: String,
    },
    /// A value that must not be empty is.
    #[error("{field} must not be empty")]
    Empty {
        /// The configuration key.
        field: &'static str,
    },
    /// The tenant claim is not a JSON pointer.
    #[error("tenant_claim {pointer:?} must be a JSON pointer such as /org_id")]
    TenantClaim {
        /// The refused pointer.
        pointer: String,
    },
    /// A user appears twice.
    #[error("user {username:?} is listed twice")]
    DuplicateUser {
        /// The name.
        username: String,
    },
    /// Two users would be the same identity.
    #[error("user {username:?} has the subject of another user")]
    DuplicateSubject {
        /// The second of the two.
        username: String,
    },
    /// A password hash cannot be used.
    #[error("the password hash of user {username:?} {problem}: hash the password again")]
    PasswordHash {
        /// The user.
        username: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

fn check_id(id: &str) -> Result<(), IdentityConfigError> {
    let allowed = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    let well_formed =
        (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|byte| allowed(&byte)) && !id.starts_with('-');
    if well_formed { Ok(()) } else { Err(IdentityConfigError::Id { id: id.to_owned() }) }
}
