//! What must survive a restart, and the few operations that must be atomic.
//!
//! Every operation that may happen only once ([`approve_interaction`](InteractionStore::approve_interaction),
//! [`complete_interaction`](InteractionStore::complete_interaction), [`redeem_code`](GrantStore::redeem_code),
//! [`rotate_refresh_token`](GrantStore::rotate_refresh_token)) is decided by one conditional statement and answers whether
//! it took place. Whatever else changes with it changes in the same transaction. Each takes a [`Confirm`], called once
//! everything is prepared: when it errs, nothing has happened. That is how no step is taken that the audit log could
//! not record.
//!
//! Each area has its own trait; [`Store`] is all of them.
//!
//! Secrets never reach a store: codes, refresh tokens, client secrets and browser cookies are kept as their
//! [`Digest`].

mod activity;
mod clients;
#[cfg(feature = "sea-orm")]
mod database;
mod devices;
mod documents;
mod grants;
mod interactions;
mod keys;
mod memory;
mod one_time;
mod pushed;
mod registration_tokens;
mod secrets;
mod sessions;
mod upstream;

use std::time::Duration;

use audit::AuditUnavailable;

use crate::replay::ReplayWindow;

pub use activity::{Activity, ActivityKind, ActivityStore};
pub(crate) use clients::PRIVATE_KEY_JWT;
pub use clients::{
    Client, ClientAuthentication, ClientKeys, ClientOrigin, ClientSettings, ClientStore, GrantType,
    PreviousSecret, SecretMethod,
};
#[cfg(feature = "sea-orm")]
pub use database::{SeaOrmStore, connect_options, migrations};
pub use devices::{DeviceCode, DeviceState, DeviceStore};
pub use documents::{DocumentRecord, DocumentStore};
pub use grants::{Code, Grant, GrantKind, GrantStore, Person, Position, RefreshToken, UsedAssertion};
pub use interactions::{CodeRequest, DeviceRequest, Interaction, InteractionStore, Page, Purpose, Stage};
pub use keys::{KeyStore, SigningKeyRecord};
pub use memory::MemoryStore;
pub use one_time::OneTimeStore;
pub use pushed::{PushedRequest, PushedRequestStore};
pub use registration_tokens::{RegistrationToken, RegistrationTokenStore};
pub use secrets::{SecretRecord, SecretStore};
pub use sessions::{NewSession, Session, SessionStore};
pub use upstream::{UpstreamCheck, UpstreamStore, UpstreamToken};

/// How long used codes and ended grants are kept, so that a late replay is still recognised.
const RETENTION: Duration = Duration::from_hours(24);

/// How long a grant of a single token is kept after it: as far as the clocks of two replicas may differ, and some.
const SHORT_RETENTION: Duration = Duration::from_mins(10);

/// How long a used refresh token is kept: twice as long as it may be sent again, whatever the clocks do. That an older one
/// was used, it says itself.
const USED_RETENTION: Duration = ReplayWindow::MAX.length().saturating_mul(2);

/// Called when a change is prepared and about to become permanent; an error abandons it.
pub type Confirm<'a> = &'a (dyn Fn() -> Result<(), AuditUnavailable> + Send + Sync);

/// An operation could not be carried out; nothing was changed, and it may succeed later.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database does not answer.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row that this program cannot have written.
    #[error("the store holds an unreadable {what}")]
    Corrupt {
        /// The kind of row.
        what: &'static str,
    },
    /// The [`Confirm`] refused.
    #[error("the change could not be recorded")]
    NotRecorded(#[from] AuditUnavailable),
}

/// Everything that the server keeps.
pub trait Store:
    ActivityStore
    + ClientStore
    + DeviceStore
    + DocumentStore
    + GrantStore
    + InteractionStore
    + KeyStore
    + OneTimeStore
    + PushedRequestStore
    + SecretStore
    + SessionStore
    + UpstreamStore
    + RegistrationTokenStore
{
}

impl<S> Store for S where
    S: ActivityStore
        + ClientStore
        + DeviceStore
        + DocumentStore
        + GrantStore
        + InteractionStore
        + KeyStore
        + OneTimeStore
        + PushedRequestStore
        + SecretStore
        + SessionStore
        + UpstreamStore
        + RegistrationTokenStore
{
}
