// SPDX-License-Identifier: MIT OR Apache-2.0

//! What threads share in the hold and in a session, with the locks and threads of a model checker
//! in the place of the standard library's: it decides which thread goes on, and tries many
//! schedules.

// Their unit tests are the plugin's.
#![cfg(not(test))]
#![allow(dead_code, reason = "the plugin needs more of it")]

/// Tries schedules by chance, and such that differ from a simple one in a few places (Burckhardt et
/// al., "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs").
pub fn check(scenario: fn()) {
    shuttle::check_random(scenario, 1_000);
    shuttle::check_pct(scenario, 1_000, 3);
}

pub mod clock;
pub mod watch;

/// In the place of `src/sync.rs`.
pub mod sync {
    pub use shuttle::sync::{Condvar, Mutex, MutexGuard, atomic};
    pub use shuttle::thread;

    pub use crate::clock::sleep_until;
    pub use crate::watch;
}

/// In the place of `src/random.rs`: a schedule that failed is the same when it is run again.
mod random {
    pub fn bytes<const COUNT: usize>() -> [u8; COUNT] {
        [0x80; COUNT]
    }
}

/// In the place of `src/runtime.rs`, where a session has no other.
mod runtime {
    use crate::error::Failure;
    use crate::session::fetcher::Work;

    pub fn spawn(_: Work<()>) -> Result<(), Failure> {
        unreachable!("each scenario spawns tasks itself")
    }
}

#[path = "../../../src/backoff.rs"]
mod backoff;
#[path = "../../../src/echo.rs"]
mod echo;
#[path = "../../../src/error.rs"]
pub mod error;
#[path = "../../../src/json.rs"]
mod json;
#[path = "../../../src/problem_details.rs"]
mod problem_details;
#[path = "../../../src/shared_result.rs"]
pub mod shared_result;
#[path = "../../../src/token/mod.rs"]
pub mod token;
#[path = "../../../src/wait.rs"]
pub mod wait;

#[path = "../../../src/hold"]
pub mod hold {
    pub mod core;
    pub mod state;
    pub mod stream;
}

#[path = "../../../src/session"]
pub mod session {
    mod change_notices;
    mod failures;
    pub mod fetcher;
    pub mod handle;
    mod refresh_policy;
    mod rejections;
    pub mod request;
    pub mod shared;
    mod state;
    mod task;
}
