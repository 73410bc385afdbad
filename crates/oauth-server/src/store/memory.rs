//! A store that forgets everything when the process ends: for tests and demonstrations.

mod activity;
mod clients;
mod devices;
mod documents;
mod grants;
mod interactions;
mod keys;
mod one_time;
mod pushed;
mod registration_tokens;
mod secrets;
mod sessions;
mod upstream;

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use super::{
    Activity, Client, Code, DeviceCode, DocumentRecord, Grant, Interaction, PushedRequest, RefreshToken,
    RegistrationToken, SecretRecord, Session, SigningKeyRecord, UpstreamToken,
};
use crate::random::Digest;

/// Keeps everything in one locked set of maps.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Tables>);

#[derive(Debug, Default)]
struct Tables {
    clients: HashMap<String, Client>,
    interactions: HashMap<String, Interaction>,
    grants: HashMap<String, Grant>,
    codes: HashMap<Digest, Code>,
    devices: HashMap<Digest, DeviceCode>,
    refresh_tokens: HashMap<Digest, RefreshToken>,
    signing_keys: Vec<SigningKeyRecord>,
    one_time: HashMap<Digest, SystemTime>,
    pushed: HashMap<Digest, PushedRequest>,
    secrets: HashMap<String, SecretRecord>,
    documents: HashMap<String, DocumentRecord>,
    sessions: HashMap<Digest, Session>,
    activity: HashMap<String, Activity>,
    upstream_tokens: HashMap<String, UpstreamToken>,
    registration_tokens: HashMap<String, RegistrationToken>,
}

impl MemoryStore {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn interaction_is(&self, id: &str, cookie: &Digest, fits: impl FnOnce(&Interaction) -> bool) -> bool {
        self.interactions.get(id).is_some_and(|found| found.cookie == *cookie && fits(found))
    }

    fn in_force(&self, grant_id: &str, now: SystemTime) -> bool {
        self.grants.get(grant_id).is_some_and(|grant| grant.revoked_at.is_none() && grant.expires_at > now)
    }

    fn use_grant(&mut self, id: &str, dpop_jkt: Option<&str>, now: SystemTime) {
        if let Some(grant) = self.grants.get_mut(id) {
            grant.last_used_at = Some(now);
            if let Some(jkt) = dpop_jkt {
                grant.dpop_jkt = Some(jkt.to_owned());
            }
        }
    }
}

/// How many are too many.
fn excess(found: usize, max: u64) -> usize {
    found.saturating_sub(usize::try_from(max).unwrap_or(usize::MAX))
}

/// The `count` earliest.
fn first(rows: impl Iterator<Item = (SystemTime, String)>, count: usize) -> Vec<String> {
    if count == 0 {
        return Vec::new();
    }
    let mut rows: Vec<_> = rows.collect();
    rows.sort_unstable();
    rows.into_iter().take(count).map(|(_, id)| id).collect()
}

fn remove<K: Clone + Eq + std::hash::Hash, V>(
    table: &mut HashMap<K, V>,
    batch: u64,
    over: impl Fn(&V) -> bool,
) -> u64 {
    let batch = usize::try_from(batch).unwrap_or(usize::MAX);
    let keys: Vec<K> =
        table.iter().filter(|(_, row)| over(row)).map(|(key, _)| key.clone()).take(batch).collect();
    for key in &keys {
        table.remove(key);
    }
    keys.len() as u64
}
