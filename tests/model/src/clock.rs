// SPDX-License-Identifier: MIT OR Apache-2.0

//! A clock that stands still until a scenario moves it on.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::sync::OnceLock;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use crate::token::ClockReading;

// The model checker runs all threads of a scenario on one thread of the system.
thread_local! {
    static SINCE_START: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    static SLEEPERS: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
}

/// Puts it back for the next schedule.
pub fn restart() {
    SINCE_START.set(Duration::ZERO);
    SLEEPERS.take();
}

pub fn now() -> ClockReading {
    static START: OnceLock<Instant> = OnceLock::new();
    let since = SINCE_START.get();
    ClockReading {
        steady: *START.get_or_init(Instant::now) + since,
        boottime: since,
        wall: SystemTime::UNIX_EPOCH + since,
    }
}

pub fn advance(by: Duration) {
    SINCE_START.set(SINCE_START.get() + by);
    SLEEPERS.take().into_iter().for_each(Waker::wake);
}

/// In the place of tokio's.
pub async fn sleep_until(until: Instant) {
    poll_fn(|cx| {
        if now().steady >= until {
            return Poll::Ready(());
        }
        SLEEPERS.with_borrow_mut(|sleepers| sleepers.push(cx.waker().clone()));
        Poll::Pending
    })
    .await;
}
