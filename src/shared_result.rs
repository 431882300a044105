// SPDX-License-Identifier: MIT OR Apache-2.0

//! One result that several callers wait for.
//!
//! The work belongs to whoever does it (the runtime, a thread of the application), never to one who
//! waits: a caller that goes away ends its own wait and nothing else.

use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use crate::sync::Mutex;
use crate::wait::lock;

/// When the wait for a request that has `timeout` is over: a little after the request's own
/// deadline, whose failure says more about what went wrong.
pub fn deadline(timeout: Duration, since: Instant) -> Instant {
    const GRACE: Duration = Duration::from_millis(500);
    since + timeout.saturating_add(GRACE)
}

/// A result that is pending or here.
pub struct SharedResult<T> {
    state: Mutex<State<T>>,
}

enum State<T> {
    Pending(Vec<Waker>),
    Ready(T),
}

impl<T: Clone> SharedResult<T> {
    /// A pending result, and what completes it. `if_abandoned` is the result where that is dropped.
    pub fn pending(if_abandoned: T) -> (Arc<Self>, Completer<T>) {
        let result = Arc::new(Self {
            state: Mutex::new(State::Pending(Vec::new())),
        });
        let completer = Completer {
            result: result.clone(),
            if_abandoned: Some(if_abandoned),
        };
        (result, completer)
    }

    /// The result, or the promise that `waker` is woken when it is here: checked and registered
    /// under one lock, so that no completion falls between them.
    ///
    /// A waker may be called from any thread, so it must not block.
    pub fn poll(&self, waker: &Waker) -> Poll<T> {
        match &mut *lock(&self.state) {
            State::Ready(result) => Poll::Ready(result.clone()),
            State::Pending(wakers) => {
                if !wakers.iter().any(|known| known.will_wake(waker)) {
                    wakers.push(waker.clone());
                }
                Poll::Pending
            }
        }
    }

    /// The result, if it is here. Nobody is woken for this.
    pub fn peek(&self) -> Option<T> {
        match &*lock(&self.state) {
            State::Ready(result) => Some(result.clone()),
            State::Pending(_) => None,
        }
    }

    /// Completes it from outside. The first result stands.
    pub fn complete(&self, result: T) {
        let before = match &mut *lock(&self.state) {
            State::Ready(_) => return,
            state => std::mem::replace(state, State::Ready(result)),
        };
        if let State::Pending(wakers) = before {
            wakers.into_iter().for_each(Waker::wake);
        }
    }
}

/// The duty to complete a result. Dropped without one (the task died), it leaves the one for that
/// case, so that nobody waits for ever.
pub struct Completer<T: Clone> {
    result: Arc<SharedResult<T>>,
    if_abandoned: Option<T>,
}

impl<T: Clone> Completer<T> {
    pub fn complete(mut self, result: T) {
        self.if_abandoned = None;
        self.result.complete(result);
    }

    /// Whether this completes that result.
    pub fn is_for(&self, result: &Arc<SharedResult<T>>) -> bool {
        Arc::ptr_eq(&self.result, result)
    }
}

impl<T: Clone> Drop for Completer<T> {
    fn drop(&mut self) {
        if let Some(result) = self.if_abandoned.take() {
            self.result.complete(result);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn counted() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (count.clone(), count.into())
    }

    #[test]
    fn completion_wakes_each_waker_once() {
        let (result, completer) = SharedResult::pending("abandoned");
        let (first, first_waker) = counted();
        let (second, second_waker) = counted();
        assert!(result.poll(&first_waker).is_pending());
        assert!(result.poll(&first_waker).is_pending());
        assert!(result.poll(&second_waker).is_pending());
        completer.complete("token");
        assert_eq!(first.0.load(Ordering::SeqCst), 1);
        assert_eq!(second.0.load(Ordering::SeqCst), 1);
        assert_eq!(result.poll(&first_waker), Poll::Ready("token"));
    }

    #[test]
    fn dropped_completer_ends_the_wait() {
        let (result, completer) = SharedResult::pending("abandoned");
        let (count, waker) = counted();
        assert!(result.poll(&waker).is_pending());
        drop(completer);
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert_eq!(result.poll(&waker), Poll::Ready("abandoned"));
    }

    #[test]
    fn first_completion_stands() {
        let (result, completer) = SharedResult::pending("abandoned");
        let (count, waker) = counted();
        assert!(result.poll(&waker).is_pending());
        result.complete("cleared");
        completer.complete("token");
        assert_eq!(result.peek(), Some("cleared"));
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
    }
}
