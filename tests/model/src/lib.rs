// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the hold's threads share, with the locks and threads of a model checker in the place of the
//! standard library's: it decides which thread goes on, and tries many schedules.

/// In the place of `src/sync.rs`.
pub mod sync {
    pub use shuttle::sync::{Condvar, Mutex, MutexGuard, atomic};
    pub use shuttle::thread;
}

#[allow(dead_code, reason = "the plugin needs more of it")]
#[path = "../../../src/wait.rs"]
pub mod wait;

#[path = "../../../src/hold"]
pub mod hold {
    #[allow(dead_code, reason = "the plugin needs more of it")]
    pub mod core;
    pub mod state;
    pub mod stream;
}
