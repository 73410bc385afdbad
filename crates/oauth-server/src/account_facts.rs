//! What the rest of the process knows about a person, for the pages.

use crate::identity::Identity;

/// Says what a person may do. It is asked while a page is made: it answers from memory.
pub trait AccountFacts: Send + Sync {
    /// The role and the limits that this identity has at this resource, as of now.
    fn facts(&self, identity: &Identity, resource: &str) -> Facts;
}

/// What a person may do at a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Facts {
    /// The person is served.
    Served {
        /// The role's name.
        role: String,
        /// Calls in a minute; no limit when absent.
        requests_per_minute: Option<u32>,
        /// How many of them at once.
        burst: Option<u32>,
    },
    /// The person is not served.
    NotServed {
        /// Why, in a sentence for the person.
        reason: String,
    },
}
