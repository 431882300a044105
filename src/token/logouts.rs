// SPDX-License-Identifier: MIT OR Apache-2.0

//! How often somebody has logged out in this process: what was got before is not kept after it.

use std::sync::atomic::{AtomicU64, Ordering};

static LOGOUTS: AtomicU64 = AtomicU64::new(0);

/// Somebody logs out.
pub fn log_out() {
    LOGOUTS.fetch_add(1, Ordering::SeqCst);
}

/// How often that has happened.
pub fn logouts() -> u64 {
    LOGOUTS.load(Ordering::SeqCst)
}
