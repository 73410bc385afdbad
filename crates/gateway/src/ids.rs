//! Identifiers of requests and decisions.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::rand;
use decision::RequestId;

/// Makes identifiers that no other maker makes: 64 random bits of its own, and a count.
#[derive(Debug)]
pub(crate) struct Ids {
    prefix: [u8; 8],
    count: AtomicU64,
}

impl Ids {
    /// A maker with a random prefix.
    pub(crate) fn random() -> Self {
        let mut bytes = [0; 12];
        // Should the generator fail, identifiers are still distinct within this maker.
        let _ = rand::fill(&mut bytes);
        let [prefix @ .., a, b, c, d] = bytes;
        // Starting anywhere keeps the count from saying how busy a process has been.
        Self { prefix, count: AtomicU64::new(u64::from(u32::from_be_bytes([a, b, c, d]))) }
    }

    pub(crate) fn next(&self) -> RequestId {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let mut bytes = [0; 16];
        let (left, right) = bytes.split_at_mut(8);
        left.copy_from_slice(&self.prefix);
        right.copy_from_slice(&count.to_be_bytes());
        RequestId::from_uuid_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_differ() {
        let (one, two) = (Ids::random(), Ids::random());
        let ids = [one.next(), one.next(), two.next(), two.next()];
        for (at, id) in ids.iter().enumerate() {
            assert!(!ids[..at].contains(id), "{ids:?}");
        }
    }
}
