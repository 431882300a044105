// SPDX-License-Identifier: MIT OR Apache-2.0

//! Whether the memory grows.

/// What it may grow by at once, in KiB. The heap gets as large as the largest moment needs, and has
/// been seen to gain eleven MiB so.
const AT_ONCE: u64 = 16 * 1024;

/// From so many steps on, that moment has most likely come: then half of it is allowed, and what
/// follows.
const MIN_STEPS: usize = 500;

/// What it may grow by in each of many steps, in KiB: stock players leave some things of their own.
const IN_A_STEP: u64 = 4;

/// The memory at rest after so many steps, in KiB.
#[derive(Default)]
pub struct Memory(Vec<(usize, u64)>);

impl Memory {
    pub fn look(&mut self, steps: usize, resident: u64) {
        self.0.push((steps, resident));
    }

    /// How much more there is in the last third than in the one before, and in how many steps. The
    /// least of each counts: what is in use for a moment is none of it.
    fn growth(&self) -> (u64, usize) {
        let third = self.0.len().div_ceil(3);
        let mut thirds = self.0.rchunks(third).map(|looks| {
            let least = looks.iter().min_by_key(|(_, resident)| *resident);
            *least.expect("a chunk is not empty")
        });
        let (end, last) = thirds.next().expect("a look at the least");
        let (begin, first) = thirds.next().unwrap_or((end, last));
        (last.saturating_sub(first), end - begin)
    }

    #[track_caller]
    pub fn assert_steady(&self) {
        let (grown, steps) = self.growth();
        let bound = match steps < MIN_STEPS {
            true => AT_ONCE,
            false => AT_ONCE / 2 + IN_A_STEP * steps as u64,
        };
        eprintln!("{grown} KiB more in {steps} steps, {bound} at the most");
        assert!(grown <= bound, "{:?}", self.0);
    }
}

#[test]
fn what_a_step_leaves_is_noticed_in_the_end() {
    let mut memory = Memory::default();
    for steps in (0..6000).step_by(10) {
        // It takes some memory at once, which is none of that.
        let at_once = if steps < 1000 { 0 } else { 100_000 };
        memory.look(steps, 30_000 + at_once + 10 * steps as u64);
    }
    let (grown, steps) = memory.growth();
    assert_eq!((grown, steps), (20_000, 2000));
}
