//! What an operator does with the keys, on a store that servers are using.

use std::time::{Duration, SystemTime};

use secrecy::ExposeSecret;

use super::{
    Due, KeyError, KeyState, Record, event, insert, make, open,
    schedule::{MAX_PUBLISHED, gone_at, states},
    times,
};
use crate::{
    clock::after,
    config::KeySettings,
    seal::{Sealing, sealed_with},
    store::{SigningKeyRecord, Store},
};

/// How long after its making a key signs that is wanted at once: the replicas have read it by then.
const AT_ONCE: Duration = Duration::from_secs(10);

/// When a new key takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// When every cache of the published keys has it: nobody notices.
    Overlapping,
    /// As soon as the replicas have read it. Verifiers elsewhere that do not read again when they meet an unknown key
    /// refuse new tokens for up to five minutes.
    AtOnce,
}

/// A key and its state at a moment.
#[derive(Debug)]
pub struct KeyReport {
    /// The key.
    pub kid: String,
    /// Its algorithm.
    pub algorithm: String,
    /// What it is there for.
    pub state: KeyState,
    /// When it was made.
    pub created_at: SystemTime,
    /// When it takes over or took over.
    pub activates_at: SystemTime,
    /// When tokens of it stop being accepted, as far as that is known.
    pub gone_at: Option<SystemTime>,
    /// When it was withdrawn, if it was.
    pub revoked_at: Option<SystemTime>,
    /// The key that it is sealed with; `None` when it is not sealed.
    pub sealed_with: Option<String>,
    /// Why it cannot be used, if it cannot. Of one that was withdrawn nothing is left to use.
    pub problem: Option<KeyError>,
}

/// Every key that is kept, in the order of making, each opened to see whether it can be.
///
/// # Errors
/// When the store cannot be read.
pub async fn list(store: &dyn Store, sealing: &Sealing, now: SystemTime) -> Result<Vec<KeyReport>, KeyError> {
    let records = store.signing_keys().await?;
    let times = times(&records);
    let mut reports = Vec::new();
    for (record, state) in records.iter().zip(states(&times, now)) {
        let problem = match state {
            KeyState::Revoked => None,
            _ => open(record, sealing).await.err(),
        };
        let sealed_with = sealed_with(record.wrapped.expose_secret()).ok().flatten();
        let gone_at = gone_at(&times, &record.times).filter(|_| record.times.revoked_at.is_none());
        reports.push(KeyReport {
            kid: record.kid.clone(),
            algorithm: record.algorithm.clone(),
            state,
            created_at: record.times.created_at,
            activates_at: record.times.activates_at,
            gone_at,
            revoked_at: record.times.revoked_at,
            sealed_with: sealed_with.map(|sealed_with| sealed_with.key_id.to_owned()),
            problem,
        });
    }
    Ok(reports)
}

/// Makes the next key and gives its identifier.
///
/// # Errors
/// [`KeyError::Waiting`] when one is waiting already, [`KeyError::Raced`] when another process made one at the same
/// moment, and when the store or the audit log fails.
pub async fn rotate(
    store: &dyn Store,
    settings: &KeySettings,
    sealing: &Sealing,
    activation: Activation,
    record: Record<'_>,
    now: SystemTime,
) -> Result<String, KeyError> {
    let records = store.signing_keys().await?;
    let states = states(&times(&records), now);
    let waiting = records.iter().zip(&states).find(|(_, state)| **state == KeyState::Next);
    if let (Some((waiting, _)), Activation::Overlapping) = (waiting, activation) {
        return Err(KeyError::Waiting { kid: waiting.kid.clone() });
    }
    if states.iter().filter(|state| state.is_published()).count() >= MAX_PUBLISHED {
        return Err(KeyError::TooMany);
    }
    let activates_at = match activation {
        // Nobody waits for the first one.
        _ if !states.contains(&KeyState::Current) => now,
        Activation::Overlapping => Due::Age.activates_at(now),
        Activation::AtOnce => after(now, AT_ONCE),
    };
    let new = make(settings, sealing, &records, activates_at, now).await?;
    if insert(store, &new, record).await? { Ok(new.kid) } else { Err(KeyError::Raced) }
}

/// Withdraws a key at once: its tokens are refused, and its private half is deleted. In place of one that signs or was
/// about to, a new one is made, whose identifier is given; in place of the current one it signs at once.
///
/// # Errors
/// [`KeyError::Unknown`] when there is no such key, [`KeyError::Raced`] when another process changed the keys at the same
/// moment, and when the store or the audit log fails.
pub async fn revoke(
    store: &dyn Store,
    settings: &KeySettings,
    sealing: &Sealing,
    kid: &str,
    record: Record<'_>,
    now: SystemTime,
) -> Result<Option<String>, KeyError> {
    let records = store.signing_keys().await?;
    let states = states(&times(&records), now);
    let found = records.iter().zip(states).find(|(found, _)| found.kid == kid);
    let activates_at = match found.map(|(_, state)| state) {
        None | Some(KeyState::Revoked) => return Err(KeyError::Unknown { kid: kid.to_owned() }),
        Some(KeyState::Current) => Some(now),
        Some(KeyState::Next) => Some(Due::Age.activates_at(now)),
        Some(KeyState::Retired | KeyState::Gone) => None,
    };
    let successor = match activates_at {
        Some(at) => Some(make(settings, sealing, &records, at, now).await?),
        None => None,
    };
    let confirm = || record_revocation(record, kid, successor.as_ref());
    if !store.revoke_signing_key(kid, successor.as_ref(), now, &confirm).await? {
        return Err(KeyError::Raced);
    }
    Ok(successor.map(|successor| successor.kid))
}

fn record_revocation(
    record: Record<'_>,
    kid: &str,
    successor: Option<&SigningKeyRecord>,
) -> Result<(), audit::AuditUnavailable> {
    record(event("signing_key_revoked", kid))?;
    successor.map_or(Ok(()), |successor| record(event("signing_key_made", &successor.kid)))
}
