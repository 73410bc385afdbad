//! Documents of clients that nobody has signed in with yet.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use super::Copy;

/// The most copies: a few kilobytes each.
const MAX_COPIES: usize = 1024;

/// What this process has read and may still use.
#[derive(Default)]
pub(super) struct Copies(Mutex<HashMap<String, Arc<Copy>>>);

impl Copies {
    pub(super) fn get(&self, url: &str) -> Option<Arc<Copy>> {
        self.lock().get(url).cloned()
    }

    /// Keeps a copy. When there is no room, what is no longer fresh gives way, else what will be first.
    pub(super) fn insert(&self, copy: Arc<Copy>, now: SystemTime) {
        let mut copies = self.lock();
        if copies.len() >= MAX_COPIES {
            copies.retain(|_, copy| copy.record.fresh_until > now);
        }
        if copies.len() >= MAX_COPIES {
            let first = copies.values().min_by_key(|copy| copy.record.fresh_until);
            if let Some(url) = first.map(|copy| copy.record.url.clone()) {
                copies.remove(&url);
            }
        }
        copies.insert(copy.record.url.clone(), copy);
    }

    pub(super) fn remove(&self, url: &str) {
        self.lock().remove(url);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Copy>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
