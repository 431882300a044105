// SPDX-License-Identifier: MIT OR Apache-2.0

//! Chance that is the same each time, in the place of `src/random.rs`, or none.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static STATE: AtomicU64 = AtomicU64::new(SEED);
static IS_CHANCE: AtomicBool = AtomicBool::new(true);

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Begins again. Without chance every box chooses alike.
pub fn begin(with_chance: bool) {
    STATE.store(SEED, Ordering::Relaxed);
    IS_CHANCE.store(with_chance, Ordering::Relaxed);
}

/// From 0 to 1, for what the world does and no policy decides.
pub fn of_the_world() -> f64 {
    next() as f64 / u64::MAX as f64
}

/// Xorshift (Marsaglia, "Xorshift RNGs", 2003).
fn next() -> u64 {
    let mut state = STATE.load(Ordering::Relaxed);
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    STATE.store(state, Ordering::Relaxed);
    state
}

/// What the sources ask for.
pub fn bytes<const COUNT: usize>() -> [u8; COUNT] {
    if !IS_CHANCE.load(Ordering::Relaxed) {
        return [0xff; COUNT];
    }
    let mut bytes = [0; COUNT];
    for chunk in bytes.chunks_mut(8) {
        chunk.copy_from_slice(&next().to_ne_bytes()[..chunk.len()]);
    }
    bytes
}
