// SPDX-License-Identifier: MIT OR Apache-2.0

//! The one thread on which OpenCDM is called, but for decrypting.
//!
//! Calls block: up to three seconds for a service that does not answer, and without end for one
//! that hangs. Libraries without locks of their own (Sparkle-CDM) want one caller at a time. A
//! thread that never comes back keeps all that is queued behind its call; whoever waits for that
//! has a deadline.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::{Duration, Instant};

use once_cell::sync::Lazy;

use crate::error::{Failure, Fault};
use crate::wait::{Guarded, Woken};

/// The thread ends when nobody has had anything for it for so long.
const IDLE: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    has_thread: bool,
}

static QUEUE: Lazy<Guarded<Queue>> = Lazy::new(Guarded::default);

/// Has this done after all that came before.
///
/// # Errors
///
/// `Transient` where the system has no thread left; the job is lost.
pub fn post(job: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let has_thread = QUEUE.change(|queue| {
        queue.jobs.push_back(Box::new(job));
        std::mem::replace(&mut queue.has_thread, true)
    });
    if has_thread {
        return Ok(());
    }
    let thread = thread::Builder::new().name("ocdm-control".to_owned());
    thread.spawn(run).map(drop).map_err(|error| {
        // A job that is dropped may post another one.
        let lost = QUEUE.change(|queue| {
            queue.has_thread = false;
            std::mem::take(&mut queue.jobs)
        });
        drop(lost);
        let what = format!("no thread for the CDM could be started: {error}");
        Failure::transient(what).with_fault(Fault::Threads)
    })
}

fn run() {
    loop {
        let until = Instant::now() + IDLE;
        let (mut queue, woken) = QUEUE.wait(QUEUE.lock(), Some(until), None, |queue| {
            !queue.jobs.is_empty()
        });
        if woken == Woken::Overdue {
            queue.has_thread = false;
            return;
        }
        let job = queue.jobs.pop_front();
        drop(queue);
        if let Some(job) = job {
            // What a job would have said, nobody hears: its waiter has a deadline.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    }
}
