// SPDX-License-Identifier: MIT OR Apache-2.0

//! How fast samples are decrypted: `cargo bench --bench decrypt`, with `--profile set-top-box` for
//! the profile of that name.
//!
//! `-- schemes` is decryption alone, which can be compared between profiles, beside OpenSSL's on
//! the same core and what copying the bytes takes; `-- element` is `clearkeydec` in a stream.

mod element;
mod openssl;
mod schemes;

use std::time::{Duration, Instant};

use support::table::Wanted;

/// Rounds of each contestant, in turns: others may use the machine too.
const ROUNDS: usize = 9;

/// Long enough for the clock, short enough not to be interrupted in each round.
const ROUND: Duration = Duration::from_millis(60);

fn main() {
    stay_on_one_core();
    let wanted = Wanted::from_arguments();
    if wanted.has("schemes") {
        schemes::measure();
    }
    if wanted.has("element") {
        element::measure();
    }
}

/// So that all contestants have the same one, and what is started from here too.
fn stay_on_one_core() {
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::unistd::Pid;

    let me = Pid::from_raw(0);
    let allowed = sched_getaffinity(me).expect("the cores are known");
    let last = (0..CpuSet::count())
        .rev()
        .find(|core| allowed.is_set(*core).unwrap_or(false));
    let mut one = CpuSet::new();
    one.set(last.expect("there is a core")).expect("it exists");
    sched_setaffinity(me, &one).expect("a core may be chosen");
}

/// Gigabytes a second of something that takes so many bytes at a time.
fn speed(bytes: usize, mut once: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut done = 0;
    while start.elapsed() < ROUND {
        once();
        done += bytes;
    }
    done as f64 / start.elapsed().as_secs_f64() / 1e9
}
