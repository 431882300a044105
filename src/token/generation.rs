// SPDX-License-Identifier: MIT OR Apache-2.0

//! Generations: numbers that tell tokens apart, whoever they are from, and which of them the
//! license side has rejected. One counter and one set for the process, so that no decryptor ever
//! sees two tokens of one generation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Rejected generations that are remembered. A player that is handed a rejected token every minute
/// has the last three days; older ones are of tokens that nobody has any more.
const MAX_REJECTED: usize = 4096;

/// Generations whose first one is remembered, likewise.
const MAX_DESCENDANTS: usize = 4096;

static LAST: AtomicU32 = AtomicU32::new(0);

static REJECTED: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// The first generation of the login that these belong to, where they are not the first.
static FIRST: Mutex<BTreeMap<u32, u32>> = Mutex::new(BTreeMap::new());

/// Records that a token belongs to the login whose first generation was that.
pub fn descend(generation: u32, first: u32) {
    if generation == first {
        return;
    }
    let mut known = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
    known.insert(generation, first);
    if known.len() > MAX_DESCENDANTS {
        known.pop_first();
    }
}

/// The first generation of the login that this one belongs to: the same for all tokens of a session
/// between two logouts.
pub fn lineage(generation: u32) -> u32 {
    let known = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
    known.get(&generation).copied().unwrap_or(generation)
}

/// The generation of a new token, from 1 on.
pub fn next() -> u32 {
    LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
}

/// Records that this generation was rejected. `true` on the first report.
pub fn reject(generation: u32) -> bool {
    let mut rejected = rejected();
    let is_news = rejected.insert(generation);
    if rejected.len() > MAX_REJECTED {
        rejected.pop_first();
    }
    is_news
}

pub fn is_rejected(generation: u32) -> bool {
    rejected().contains(&generation)
}

/// Nothing else is done under this lock, and nothing that panics.
fn rejected() -> MutexGuard<'static, BTreeSet<u32>> {
    REJECTED.lock().unwrap_or_else(PoisonError::into_inner)
}
