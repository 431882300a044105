// SPDX-License-Identifier: MIT OR Apache-2.0

//! The one runtime on which requests run.
//!
//! It is started by the first request: a process that only scans the plugin, or plays clear
//! content, never has its threads.

use std::io;
use std::thread;

use once_cell::sync::OnceCell;
use tokio::runtime::{Builder, Runtime};

use crate::error::{Failure, Fault};

/// Requests are few and small, so one thread carries them all; name look-ups, which block, run on
/// short-lived helpers that tokio adds and ends by itself.
const WORKERS: usize = 1;

/// Bytes of stack for each thread; tokio's own choice.
const STACK: usize = 2 << 20;

/// The runtime. What is spawned on it runs to its end, whatever becomes of the caller.
///
/// # Errors
///
/// `Transient` where the system has no thread or descriptor left; the next call tries again.
pub fn get() -> Result<&'static Runtime, Failure> {
    static RUNTIME: OnceCell<Runtime> = OnceCell::new();
    RUNTIME
        .get_or_try_init(|| {
            // tokio panics where there is none.
            try_thread(STACK)?;
            Builder::new_multi_thread()
                .worker_threads(WORKERS)
                .thread_stack_size(STACK)
                .thread_name("session-token")
                .enable_io()
                .enable_time()
                .build()
        })
        .map_err(|error: io::Error| {
            let what = format!("no thread for network requests could be started: {error}");
            Failure::transient(what).with_fault(Fault::Threads)
        })
}

/// Whether the system has another thread with so many bytes of stack, for those who do worse than
/// fail where it has none.
///
/// # Errors
///
/// What the system says.
pub fn try_thread(stack: usize) -> io::Result<()> {
    let spawned = thread::Builder::new().stack_size(stack).spawn(|| ())?;
    let _ = spawned.join();
    Ok(())
}

/// Has this done on the runtime, to its end.
///
/// # Errors
///
/// As [`get`].
pub fn spawn(work: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>) -> Result<(), Failure> {
    drop(get()?.spawn(work));
    Ok(())
}
