// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the data path has to know, without a lock.

use std::sync::atomic::{AtomicU8, Ordering};

/// Several yes or no.
#[derive(Default)]
pub struct Flags(AtomicU8);

impl Flags {
    /// Protection events go again, before the next item.
    pub const RESENDS: u8 = 1;
    /// Data, or a new segment, has passed since the last protection event.
    pub const DATA_PASSED: u8 = 1 << 1;
    /// The next item is wanted, because it says what the events before it are about.
    pub const GATHERING: u8 = 1 << 2;
    /// The stream says whom to ask for a token.
    pub const BY_STREAM: u8 = 1 << 3;
    /// EOS has passed: nothing comes any more that events could go again before.
    pub const ENDED: u8 = 1 << 4;

    pub fn has(&self, flag: u8) -> bool {
        self.0.load(Ordering::Acquire) & flag != 0
    }

    /// Sets or unsets it. Whether it was set before.
    pub fn set(&self, flag: u8, is_set: bool) -> bool {
        let has = self.has(flag);
        if has != is_set {
            let before = match is_set {
                true => self.0.fetch_or(flag, Ordering::AcqRel),
                false => self.0.fetch_and(!flag, Ordering::AcqRel),
            };
            return before & flag != 0;
        }
        has
    }

    pub fn clear(&self) {
        self.0.store(0, Ordering::Release);
    }
}
