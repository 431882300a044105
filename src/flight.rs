// SPDX-License-Identifier: MIT OR Apache-2.0

//! One request under way, and all who wait for its answer.
//!
//! The flight belongs to whoever runs the request (the runtime), never to one who waits: a caller
//! that goes away ends its own wait and nothing else.

use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use crate::wait::lock;

/// Somebody who waits and wants to be woken. Called from any thread, so it must not block.
pub trait Wake: Send + Sync {
    fn wake(&self);
}

/// When the wait for a request that has `timeout` is over. A little after the request's own deadline, whose
/// failure says more about what went wrong.
pub fn deadline(timeout: Duration, since: Instant) -> Instant {
    const GRACE: Duration = Duration::from_millis(500);
    since + timeout.saturating_add(GRACE)
}

/// An answer that is under way or here.
pub struct Flight<T> {
    state: Mutex<State<T>>,
}

enum State<T> {
    Flying(Vec<Weak<dyn Wake>>),
    Landed(T),
}

impl<T: Clone> Flight<T> {
    /// A new flight, and the one pass that can land it.
    pub fn start(if_abandoned: T) -> (Arc<Self>, Landing<T>) {
        let flight = Arc::new(Self {
            state: Mutex::new(State::Flying(Vec::new())),
        });
        let landing = Landing {
            flight: flight.clone(),
            if_abandoned: Some(if_abandoned),
        };
        (flight, landing)
    }

    /// The answer, or `None` and the promise that `waiter` is woken when it is here.
    ///
    /// Looking and registering happen under one lock, so no landing falls between them.
    pub fn poll(&self, waiter: &Weak<dyn Wake>) -> Option<T> {
        match &mut *lock(&self.state) {
            State::Landed(answer) => Some(answer.clone()),
            State::Flying(waiters) => {
                if !waiters.iter().any(|known| known.ptr_eq(waiter)) {
                    waiters.push(waiter.clone());
                }
                None
            }
        }
    }

    /// The answer, if it is here. Nobody is woken for this.
    pub fn peek(&self) -> Option<T> {
        match &*lock(&self.state) {
            State::Landed(answer) => Some(answer.clone()),
            State::Flying(_) => None,
        }
    }

    /// Ends the flight from outside. Once it has landed, the first answer stands.
    pub fn end(&self, answer: T) {
        let waiters = match &mut *lock(&self.state) {
            State::Landed(_) => return,
            state => std::mem::replace(state, State::Landed(answer)),
        };
        if let State::Flying(waiters) = waiters {
            for waiter in waiters.iter().filter_map(Weak::upgrade) {
                waiter.wake();
            }
        }
    }
}

/// The duty to land a flight. Dropped without an answer (the task died), it lands the
/// answer for that case, so that nobody waits for ever.
pub struct Landing<T: Clone> {
    flight: Arc<Flight<T>>,
    if_abandoned: Option<T>,
}

impl<T: Clone> Landing<T> {
    pub fn land(mut self, answer: T) {
        self.if_abandoned = None;
        self.flight.end(answer);
    }
}

impl<T: Clone> Drop for Landing<T> {
    fn drop(&mut self) {
        if let Some(answer) = self.if_abandoned.take() {
            self.flight.end(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[derive(Default)]
    struct Bell(AtomicU32);

    impl Wake for Bell {
        fn wake(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn bell() -> (Arc<Bell>, Weak<dyn Wake>) {
        let bell = Arc::new(Bell::default());
        let weak: Weak<dyn Wake> = Arc::downgrade(&bell) as Weak<dyn Wake>;
        (bell, weak)
    }

    #[test]
    fn everybody_who_waits_is_woken_once_and_reads_the_same_answer() {
        let (flight, landing) = Flight::start("died");
        let (first, first_waiter) = bell();
        let (second, second_waiter) = bell();
        assert_eq!(flight.poll(&first_waiter), None);
        assert_eq!(flight.poll(&first_waiter), None);
        assert_eq!(flight.poll(&second_waiter), None);
        landing.land("token");
        assert_eq!(first.0.load(Ordering::SeqCst), 1);
        assert_eq!(second.0.load(Ordering::SeqCst), 1);
        assert_eq!(flight.poll(&first_waiter), Some("token"));
    }

    #[test]
    fn a_waiter_that_left_does_not_keep_the_others_from_their_answer() {
        let (flight, landing) = Flight::start("died");
        let (gone, gone_waiter) = bell();
        let (here, here_waiter) = bell();
        assert_eq!(flight.poll(&gone_waiter), None);
        assert_eq!(flight.poll(&here_waiter), None);
        drop(gone);
        landing.land("token");
        assert_eq!(here.0.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_request_whose_task_dies_ends_the_wait_all_the_same() {
        let (flight, landing) = Flight::start("died");
        let (here, waiter) = bell();
        assert_eq!(flight.poll(&waiter), None);
        drop(landing);
        assert_eq!(here.0.load(Ordering::SeqCst), 1);
        assert_eq!(flight.poll(&waiter), Some("died"));
    }

    #[test]
    fn a_flight_that_was_ended_from_outside_keeps_that_answer() {
        let (flight, landing) = Flight::start("died");
        let (here, waiter) = bell();
        assert_eq!(flight.poll(&waiter), None);
        flight.end("cleared");
        landing.land("token");
        assert_eq!(flight.peek(), Some("cleared"));
        assert_eq!(here.0.load(Ordering::SeqCst), 1);
    }
}
