// SPDX-License-Identifier: MIT OR Apache-2.0

//! The one cancellable wait: a state under a lock, and threads that wait for it to change.
//!
//! Whatever ends a wait (an answer, a flush, a stop) changes the state under the same lock under
//! which the waiter looks, so a wake-up cannot fall between the look and the sleep.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use crate::sync::{Condvar, Mutex, MutexGuard};

/// How often a wait looks at what cannot wake it (see [`Guarded::wait`]). Short enough that a
/// viewer does not notice the delay, long enough to cost nothing.
const LOOK_AROUND: Duration = Duration::from_millis(20);

/// Why a wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The condition holds.
    Ready,
    /// The deadline passed first.
    Overdue,
    /// The caller's `abandon` said that waiting has lost its point.
    Abandoned,
}

/// Locks a mutex whose value is whole at all times: each change to it is a single assignment or a
/// call that does not panic. So a thread that panicked while it held the lock left nothing half
/// done, and the poison is passed over.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A value that threads can wait on.
#[derive(Debug, Default)]
pub struct Guarded<S> {
    state: Mutex<S>,
    changed: Condvar,
}

impl<S> Guarded<S> {
    pub fn new(state: S) -> Self {
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// The state.
    pub fn lock(&self) -> MutexGuard<'_, S> {
        lock(&self.state)
    }

    /// Changes the state and wakes every waiter to look at it.
    pub fn change<R>(&self, change: impl FnOnce(&mut S) -> R) -> R {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Waits until `ready` holds, `deadline` passes, or `abandon` (asked every 20 ms, outside the
    /// lock, because what it looks at has locks of its own) says that there is no point.
    pub fn wait<'a>(
        &'a self,
        mut guard: MutexGuard<'a, S>,
        deadline: Option<Instant>,
        abandon: Option<&dyn Fn() -> bool>,
        mut ready: impl FnMut(&mut S) -> bool,
    ) -> (MutexGuard<'a, S>, Woken) {
        loop {
            if ready(&mut guard) {
                return (guard, Woken::Ready);
            }
            let left = match deadline.map(|at| at.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return (guard, Woken::Overdue),
                left => left,
            };
            let nap = match (left, abandon) {
                (None, None) => None,
                (Some(left), None) => Some(left),
                (left, Some(_)) => Some(left.map_or(LOOK_AROUND, |left| left.min(LOOK_AROUND))),
            };
            let nap_is_over;
            (guard, nap_is_over) = match nap {
                None => {
                    let woken = self.changed.wait(guard);
                    (woken.unwrap_or_else(PoisonError::into_inner), false)
                }
                Some(nap) => {
                    let woken = self.changed.wait_timeout(guard, nap);
                    let (guard, result) = woken.unwrap_or_else(PoisonError::into_inner);
                    (guard, result.timed_out())
                }
            };
            // A thread that is being woken all the time gets on, so only one that sleeps looks
            // around.
            if nap_is_over && let Some(abandon) = abandon {
                drop(guard);
                let pointless = abandon();
                guard = self.lock();
                if pointless && !ready(&mut guard) {
                    return (guard, Woken::Abandoned);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn change_in_another_thread_ends_the_wait() {
        let guarded = Arc::new(Guarded::new(0));
        let changer = {
            let guarded = guarded.clone();
            thread::spawn(move || guarded.change(|value| *value = 7))
        };
        let (value, woken) = guarded.wait(guarded.lock(), None, None, |value| *value == 7);
        assert_eq!((*value, woken), (7, Woken::Ready));
        drop(value);
        changer.join().expect("the other thread ends");
    }

    #[test]
    fn wait_with_past_deadline_returns_overdue() {
        let guarded = Guarded::new(());
        let (_state, woken) = guarded.wait(guarded.lock(), Some(Instant::now()), None, |_| false);
        assert_eq!(woken, Woken::Overdue);
    }

    #[test]
    fn wait_is_abandoned_without_notification() {
        let guarded = Guarded::new(());
        let (_state, woken) = guarded.wait(guarded.lock(), None, Some(&|| true), |_| false);
        assert_eq!(woken, Woken::Abandoned);
    }
}
