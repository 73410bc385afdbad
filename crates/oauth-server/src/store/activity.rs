//! Activity: what happened in a person's name lately, for that person to read.

use std::time::SystemTime;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreError;

/// Keeps what happened in people's names.
#[async_trait]
pub trait ActivityStore: Send + Sync + 'static {
    /// Keeps an entry. Of more than `capacity` about one person, the oldest give way.
    async fn insert_activity(&self, activity: &Activity, capacity: u64) -> Result<(), StoreError>;

    /// At most `limit` entries about a person, the newest first.
    async fn activity_of(&self, issuer: &str, subject: &str, limit: u64)
    -> Result<Vec<Activity>, StoreError>;

    /// Deletes at most `batch` entries from before `before`. Gives how many.
    async fn prune_activity(&self, before: SystemTime, batch: u64) -> Result<u64, StoreError>;
}

/// Something that happened in a person's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// Tells it from every other entry.
    pub id: String,
    /// The issuer of the person's identity.
    pub issuer: String,
    /// The subject at that issuer.
    pub subject: String,
    /// When it happened.
    pub at: SystemTime,
    /// What happened.
    pub kind: ActivityKind,
    /// The name of the client that it was about, as it was then.
    pub client: Option<String>,
    /// The device that it was done from, in words.
    pub device: Option<String>,
    /// The network that it was done from, not the address.
    pub network: Option<String>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ActivityKind {
    /// The person signed in to these pages.
    SignedIn,
    /// A sign-in in the person's name was refused.
    SignInRefused,
    /// The person let a client act for them.
    Connected,
    /// The person ended what they had granted to a client.
    Disconnected,
    /// The person ended everything.
    AllDisconnected,
    /// The client ended it.
    DisconnectedByClient,
    /// It was ended because something that counts once came twice.
    DisconnectedAfterReplay,
    /// The person took a token from the portal.
    TokenTaken,
}
