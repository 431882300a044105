// SPDX-License-Identifier: MIT OR Apache-2.0

//! The standard library's locks and threads, for what `tests/model` runs under a model checker: it
//! puts its own in their place.

pub use std::sync::{Condvar, Mutex, MutexGuard, atomic};
pub use std::thread;
