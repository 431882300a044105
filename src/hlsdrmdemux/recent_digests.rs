// SPDX-License-Identifier: MIT OR Apache-2.0

//! The digests of paths that came last, and numbers for them: as many as a demuxer may still ask
//! for.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::hls::Digest;

/// Paths of which is remembered that they were good, or are named with their init segment. A
/// demuxer asks again for the last few.
pub const MAX_REMEMBERED: usize = 8192;

/// Init segments that follow each other have different numbers below this one.
const NUMBERS: u32 = 1000;

/// The digests that came last.
#[derive(Default)]
pub struct RecentSet {
    known: HashSet<Digest>,
    order: VecDeque<Digest>,
}

impl RecentSet {
    pub fn insert(&mut self, digest: Digest) {
        if !self.known.insert(digest) {
            return;
        }
        self.order.push_back(digest);
        if self.order.len() > MAX_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub fn has(&self, digest: &Digest) -> bool {
        self.known.contains(digest)
    }

    /// How many there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        assert_eq!(self.known.len(), self.order.len());
        self.known.len()
    }
}

/// Numbers that tell init segments apart.
#[derive(Default)]
pub struct Numbers {
    known: HashMap<Digest, u32>,
    order: VecDeque<Digest>,
    last: u32,
}

impl Numbers {
    pub fn number(&mut self, digest: Digest) -> u32 {
        if let Some(known) = self.known.get(&digest) {
            return *known;
        }
        self.last = self.last % NUMBERS + 1;
        self.known.insert(digest, self.last);
        self.order.push_back(digest);
        if self.order.len() > MAX_REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.last
    }
}
