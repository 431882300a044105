// SPDX-License-Identifier: MIT OR Apache-2.0

//! The demuxer at work on the first playlist, and a stop that waits for it.
//!
//! hlsdemux2 frees the playlist's URI when it is stopped, also where it has just read the playlist
//! and is about to tell of that URI (`handle_incoming_manifest` in gstadaptivedemux.c, up to 1.28).
//! So it is stopped after that.

use std::time::{Duration, Instant};

use crate::wait::{Guarded, Woken};

/// How long a stop waits. Whatever the demuxer waits for is answered by then.
const PATIENCE: Duration = Duration::from_millis(500);

/// Whether it is at work on it, in the source's thread.
#[derive(Default)]
pub struct Starting(Guarded<bool>);

impl Starting {
    /// It begins, until what is given back is dropped.
    pub fn begin(&self) -> UnderWay<'_> {
        self.0.change(|is_under_way| *is_under_way = true);
        UnderWay(self)
    }

    pub fn is_under_way(&self) -> bool {
        *self.0.lock()
    }

    /// Waits until it is over; `false` where that takes too long.
    pub fn wait_for_end(&self) -> bool {
        let deadline = Some(Instant::now() + PATIENCE);
        let is_over = |is_under_way: &mut bool| !*is_under_way;
        let (_guard, woken) = self.0.wait(self.0.lock(), deadline, None, is_over);
        woken == Woken::Ready
    }
}

pub struct UnderWay<'a>(&'a Starting);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.0.change(|is_under_way| *is_under_way = false);
    }
}
