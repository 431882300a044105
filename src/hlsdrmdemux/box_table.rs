// SPDX-License-Identifier: MIT OR Apache-2.0

//! The `pssh` boxes that a presentation's playlists have named, by the digests that stand in paths.
//! Equal boxes are there once, and the oldest sets make room for new ones.

use std::collections::{BTreeMap, HashMap};

use crate::hls::{Digest, KeyBoxes, SharedBox};

/// Most that all of them may take. A film whose key is another one with each segment names some
/// tens of thousands of sets, which differ in a box of some hundred bytes.
pub const MAX_BYTES: usize = 32 * 1024 * 1024;

/// What a set takes besides its boxes, about.
const OVERHEAD: usize = 256;

/// What a box takes besides its bytes, and in each set that has it.
const BOX_OVERHEAD: usize = 128;

#[derive(Default)]
pub struct BoxTable {
    sets: HashMap<Digest, Entry>,
    /// Digests of sets by when they were named or asked for last.
    by_use: BTreeMap<u64, Digest>,
    boxes: HashMap<Digest, (SharedBox, usize)>,
    uses: u64,
    bytes: usize,
}

struct Entry {
    set: KeyBoxes,
    last_use: u64,
}

/// One playlist names more than there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl BoxTable {
    /// What all of them take, about.
    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How often sets were named or asked for.
    pub fn uses(&self) -> u64 {
        self.uses
    }

    /// Has a set here. Those that were used since `begin` stay.
    ///
    /// # Errors
    ///
    /// There is no room.
    pub fn insert(&mut self, set: &KeyBoxes, begin: u64) -> Result<(), Full> {
        if self.get(set.digest()).is_some() {
            return Ok(());
        }
        self.uses += 1;
        let set = set.shared_by(|one| self.share(one));
        self.bytes += overhead(&set);
        self.by_use.insert(self.uses, set.digest());
        let last_use = self.uses;
        self.sets.insert(set.digest(), Entry { set, last_use });
        while self.bytes > MAX_BYTES {
            match self.by_use.first_key_value() {
                Some((oldest, _)) if *oldest <= begin => self.forget_oldest(),
                _ => return Err(Full),
            }
        }
        Ok(())
    }

    /// The set with that digest.
    pub fn get(&mut self, digest: Digest) -> Option<KeyBoxes> {
        let entry = self.sets.get_mut(&digest)?;
        self.uses += 1;
        self.by_use.remove(&entry.last_use);
        self.by_use.insert(self.uses, digest);
        entry.last_use = self.uses;
        Some(entry.set.clone())
    }

    fn share(&mut self, one: &SharedBox) -> SharedBox {
        let (shared, users) = self.boxes.entry(one.digest).or_insert_with(|| {
            self.bytes += one.len() + BOX_OVERHEAD;
            (one.clone(), 0)
        });
        *users += 1;
        shared.clone()
    }

    fn forget_oldest(&mut self) {
        let Some((_, digest)) = self.by_use.pop_first() else {
            return;
        };
        let Some(Entry { set, .. }) = self.sets.remove(&digest) else {
            return;
        };
        self.bytes -= overhead(&set);
        for one in set.boxes() {
            if let Some((shared, users)) = self.boxes.get_mut(&one.digest) {
                *users -= 1;
                if *users == 0 {
                    self.bytes -= shared.len() + BOX_OVERHEAD;
                    self.boxes.remove(&one.digest);
                }
            }
        }
    }
}

fn overhead(set: &KeyBoxes) -> usize {
    OVERHEAD + set.label.len() + BOX_OVERHEAD * set.boxes().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_box(number: u32, size: usize) -> SharedBox {
        let mut bytes = vec![0; size];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        SharedBox::new(bytes.into())
    }

    fn set(boxes: &[SharedBox]) -> KeyBoxes {
        KeyBoxes::new(boxes.to_vec(), "")
    }

    #[test]
    fn equal_boxes_are_here_once() {
        let mut table = BoxTable::default();
        for number in 0..500 {
            // As a playlist that is read again brings it: other memory, the same bytes.
            let heavy: Vec<_> = (0..15).map(|one| a_box(one, 4000)).collect();
            let own = [a_box(1000 + number, 52)];
            let set = set(&[&heavy[..], &own].concat());
            assert_eq!(table.insert(&set, 0), Ok(()));
        }
        assert_eq!(table.boxes.len(), 515);
        let held: usize = table.boxes.values().map(|(one, _)| one.len()).sum();
        assert_eq!(held, 15 * 4000 + 500 * 52);
    }

    #[test]
    fn oldest_sets_make_room_and_leave_nothing_behind() {
        let mut table = BoxTable::default();
        let mut begin = 0;
        for number in 0..700 {
            let set = set(&[a_box(number, 60_000)]);
            assert_eq!(table.insert(&set, begin), Ok(()));
            assert!(table.get(set.digest()).is_some());
            begin = table.uses();
            assert!(table.bytes <= MAX_BYTES);
        }
        assert_eq!(table.sets.len(), table.by_use.len());
        assert_eq!(table.sets.len(), table.boxes.len());
        while !table.sets.is_empty() {
            table.forget_oldest();
        }
        assert_eq!((table.bytes, table.boxes.len()), (0, 0));
    }

    #[test]
    fn insert_fails_where_one_playlist_fills_it() {
        let mut table = BoxTable::default();
        let begin = table.uses();
        let full = (0..2000).find(|number| {
            table
                .insert(&set(&[a_box(*number, 60_000)]), begin)
                .is_err()
        });
        assert!(full.is_some_and(|number| number > 400), "{full:?}");
    }
}
