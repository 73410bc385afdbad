//! Writing down what happened in a person's name, for that person to read at `/account`.
//!
//! The audit log is what must hold; this is a convenience on top. It is written after the fact, and what could not be
//! written is only missed here.

use crate::{
    caller::Caller,
    error::chain,
    random::identifier,
    server::Server,
    store::{Activity, ActivityKind, Person},
};

/// How many entries are kept about one person.
const CAPACITY: u64 = 200;

/// As much of a client's name as is kept.
const MAX_NAME: usize = 200;

impl Server {
    /// Keeps an entry about a person. `client` is a name, `caller` the person's own browser.
    pub(crate) async fn note(
        &self,
        person: Person<'_>,
        kind: ActivityKind,
        client: Option<&str>,
        caller: Option<&Caller>,
    ) {
        let Ok(id) = identifier(self.randomness.as_ref()) else { return };
        let activity = Activity {
            id,
            issuer: person.issuer.to_owned(),
            subject: person.subject.to_owned(),
            at: self.now(),
            kind,
            client: client.map(|name| name.chars().take(MAX_NAME).collect()),
            device: caller.and_then(Caller::device),
            network: caller.and_then(Caller::network),
        };
        if let Err(error) = self.store.insert_activity(&activity, CAPACITY).await {
            tracing::warn!(
                error = chain(&error),
                "what happened in a person's name could not be kept for them"
            );
        }
    }
}
