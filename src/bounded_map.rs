// SPDX-License-Identifier: MIT OR Apache-2.0

//! A map that forgets what came first when it is full.

use std::borrow::Borrow;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Of so many entries at the most.
pub struct BoundedMap<K, V, const MAX: usize> {
    known: HashMap<K, V>,
    /// The oldest first.
    order: VecDeque<K>,
}

impl<K, V, const MAX: usize> Default for BoundedMap<K, V, MAX> {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<K: Clone + Eq + Hash, V, const MAX: usize> BoundedMap<K, V, MAX> {
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.known.get(key)
    }

    /// Takes an entry in the place of the one that there may be. It is the newest then.
    pub fn insert(&mut self, key: K, value: V) {
        match self.known.contains_key(&key) {
            true => self.order.retain(|known| *known != key),
            false if self.order.len() >= MAX => {
                let oldest = self.order.pop_front();
                oldest.map(|oldest| self.known.remove(&oldest));
            }
            false => {}
        }
        self.order.push_back(key.clone());
        self.known.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oldest_entry_is_forgotten() {
        let mut map = BoundedMap::<u8, char, 2>::default();
        map.insert(1, 'a');
        map.insert(2, 'b');
        map.insert(3, 'c');
        let all = |map: &BoundedMap<_, _, 2>| [1, 2, 3].map(|key| map.get(&key).copied());
        assert_eq!(all(&map), [None, Some('b'), Some('c')]);
        // What comes again is the newest.
        map.insert(2, 'd');
        map.insert(1, 'e');
        assert_eq!(all(&map), [Some('e'), Some('d'), None]);
        assert_eq!(map.order.len(), 2);
    }
}
