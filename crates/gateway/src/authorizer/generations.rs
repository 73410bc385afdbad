//! A bounded map that forgets what was not used for longest, roughly, at no cost per use.

use std::{collections::HashMap, hash::Hash, mem};

/// Two halves: entries are found in both, move to the young half when used, and the old half is dropped when the young
/// one is full.
pub(super) struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half: usize,
}

impl<K: Eq + Hash + Clone, V> Generations<K, V> {
    /// A map of at most `capacity` entries; at least the half of that many that were used last are in it.
    pub(super) fn new(capacity: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half: (capacity / 2).max(1) }
    }

    pub(super) fn get(&mut self, key: &K) -> Option<&V> {
        if !self.young.contains_key(key) {
            let value = self.old.remove(key)?;
            self.insert(key.clone(), value);
        }
        self.young.get(key)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_bounded_and_keeps_what_is_used() {
        let mut map = Generations::new(20);
        map.insert(0, 0);
        for n in 1..1000 {
            map.insert(n, n);
            assert_eq!(map.get(&0), Some(&0), "used all the time, after {n}");
            assert!(map.young.len() + map.old.len() <= 20, "bounded after {n}");
        }
        assert_eq!(map.get(&999), Some(&999));
        assert_eq!(map.get(&1), None);
        map.insert(999, 7);
        assert_eq!(map.get(&999), Some(&7));
    }
}
