// SPDX-License-Identifier: MIT OR Apache-2.0

//! The standard library's locks and threads, and tokio's channel and timer, for what `tests/model`
//! runs under a model checker: it puts its own in their place.

pub use std::sync::{Condvar, Mutex, MutexGuard, atomic};
pub use std::thread;

pub use tokio::sync::watch;

/// Returns at that time.
pub async fn sleep_until(time: std::time::Instant) {
    tokio::time::sleep_until(time.into()).await;
}
