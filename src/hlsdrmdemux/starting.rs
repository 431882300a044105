// SPDX-License-Identifier: MIT OR Apache-2.0

//! The demuxer that begins, and a stop that waits for it.
//!
//! hlsdemux2 frees the playlist's URI when it is stopped, also where it has just read the playlist
//! and is about to tell of that URI (`handle_incoming_manifest` in gstadaptivedemux.c, up to 1.28).
//! So it is stopped after that. And its thread for downloads never ends where it is told to before
//! it runs (`downloadhelper_stop` quits a loop that has not begun, up to 1.28). Nothing says when
//! it does, so a stop comes no sooner than a moment after the start.

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::wait::{Guarded, Woken, lock};

/// How long a stop waits. Whatever the demuxer waits for is answered by then.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long a thread may take to begin.
const MOMENT: Duration = Duration::from_millis(20);

#[derive(Default)]
pub struct Starting {
    /// It is at work on the first playlist, in the source's thread.
    is_under_way: Guarded<bool>,
    /// When its threads were started.
    since: Mutex<Option<Instant>>,
}

impl Starting {
    /// Its threads have been started.
    pub fn started(&self) {
        *lock(&self.since) = Some(Instant::now());
    }

    /// It has the first playlist, until what is given back is dropped.
    pub fn begin(&self) -> UnderWay<'_> {
        self.is_under_way
            .change(|is_under_way| *is_under_way = true);
        UnderWay(self)
    }

    pub fn is_under_way(&self) -> bool {
        *self.is_under_way.lock()
    }

    /// Waits until it may be stopped; `false` where that takes too long.
    pub fn wait_for_end(&self) -> bool {
        let since = lock(&self.since).take();
        if let Some(since) = since {
            thread::sleep(MOMENT.saturating_sub(since.elapsed()));
        }
        let deadline = Some(Instant::now() + PATIENCE);
        let is_over = |is_under_way: &mut bool| !*is_under_way;
        let state = self.is_under_way.lock();
        let (_guard, woken) = self.is_under_way.wait(state, deadline, None, is_over);
        woken == Woken::Ready
    }
}

pub struct UnderWay<'a>(&'a Starting);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let is_under_way = &self.0.is_under_way;
        is_under_way.change(|is_under_way| *is_under_way = false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_leaves_new_threads_a_moment() {
        let (starting, begun) = (Starting::default(), Instant::now());
        starting.started();
        assert!(starting.wait_for_end());
        assert!(begun.elapsed() >= MOMENT);
        // Those that have run for long need none.
        assert_eq!(*lock(&starting.since), None);
    }

    #[test]
    fn stop_waits_for_the_first_playlist() {
        let starting = Starting::default();
        let under_way = starting.begin();
        assert!(!starting.wait_for_end());
        drop(under_way);
        assert!(starting.wait_for_end());
    }
}
