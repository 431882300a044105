// SPDX-License-Identifier: MIT OR Apache-2.0

//! A session without a network, on tokio's paused clock, which goes on when all tasks sleep.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime};

pub use tokio::time::sleep;

use super::fetcher::{
    Discovered, FetchReason, Fetched, NoticeSink, TokenFetcher, TokenResponse, Work,
};
use super::handle::{Session, SessionHandle};
use super::shared::Environment;
use crate::error::Failure;
use crate::token::{ClockReading, Grant, Secret};
use crate::wait::lock;

pub const SECOND: Duration = Duration::from_secs(1);

pub fn on_paused_clock(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime")
        .block_on(test);
}

/// Paused clocks of several tests begin at different times, which makes no difference.
pub fn now() -> ClockReading {
    static START: OnceLock<Instant> = OnceLock::new();
    let steady = tokio::time::Instant::now().into_std();
    let start = *START.get_or_init(|| steady - 10 * SECOND);
    let since = steady.saturating_duration_since(start);
    ClockReading {
        steady,
        boottime: since,
        wall: SystemTime::UNIX_EPOCH + 1_000_000 * SECOND + since,
    }
}

pub fn spawn(work: Work<()>) -> Result<(), Failure> {
    drop(tokio::spawn(work));
    Ok(())
}

pub const PAUSED: Environment = Environment { now, spawn };

/// A service that answers after a second what it is told to, and panics when it is told no more.
#[derive(Default)]
pub struct Script {
    pub replies: Mutex<VecDeque<Fetched>>,
    pub requests: AtomicU32,
    /// It never answers.
    pub hangs: AtomicBool,
    /// Requests that were dropped.
    pub dropped: AtomicU32,
    /// Times that somebody began to listen, and ceased to.
    pub began_listening: AtomicU32,
    pub ceased_listening: AtomicU32,
}

/// Counts when it is dropped, unless that is in order.
struct Dropped(Arc<Script>, Option<fn(&Script) -> &AtomicU32>);

impl Drop for Dropped {
    fn drop(&mut self) {
        if let Some(count) = self.1 {
            count(&self.0).fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl TokenFetcher for Script {
    fn nick(&self) -> &'static str {
        "script"
    }

    fn fetch(self: Arc<Self>, _: Option<Discovered>, _: FetchReason) -> Work<Fetched> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            let mut dropped = Dropped(self.clone(), Some(|script| &script.dropped));
            if self.hangs.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            sleep(SECOND).await;
            dropped.1 = None;
            lock(&self.replies).pop_front().expect("a reply")
        })
    }

    fn listen(self: Arc<Self>, _: NoticeSink) -> Option<Work<()>> {
        self.began_listening.fetch_add(1, Ordering::SeqCst);
        Some(Box::pin(async move {
            let _ceased = Dropped(self.clone(), Some(|script| &script.ceased_listening));
            std::future::pending().await
        }))
    }

    fn overdue(&self) -> Failure {
        Failure::timed_out("overdue")
    }
}

pub fn scripted(replies: impl IntoIterator<Item = Fetched>) -> (SessionHandle, Arc<Script>) {
    let script = Arc::new(Script::default());
    lock(&script.replies).extend(replies);
    let session = Session::new(PAUSED);
    (SessionHandle::new(session, script.clone()), script)
}

impl Script {
    pub fn count(&self, of: fn(&Self) -> &AtomicU32) -> u32 {
        of(self).load(Ordering::SeqCst)
    }

    pub fn requests(&self) -> u32 {
        self.count(|script| &script.requests)
    }
}

pub fn for_seconds(text: &str, seconds: u64) -> Fetched {
    granted(text, Some(Duration::from_secs(seconds)))
}

/// Makes no requests.
pub struct NoFetcher;

impl TokenFetcher for NoFetcher {
    fn nick(&self) -> &'static str {
        "test"
    }

    fn fetch(self: Arc<Self>, _: Option<Discovered>, _: FetchReason) -> Work<Fetched> {
        panic!("nobody makes a request");
    }

    fn listen(self: Arc<Self>, _: NoticeSink) -> Option<Work<()>> {
        None
    }

    fn overdue(&self) -> Failure {
        Failure::timed_out("overdue")
    }
}

/// A reply with that token.
pub fn granted(text: &str, lifetime: Option<Duration>) -> Fetched {
    Fetched {
        result: Ok(TokenResponse {
            grant: Grant {
                token: Secret::from(text),
                lifetime,
            },
            headers: Vec::new(),
            correlation_id: "id".into(),
            location: None,
            attempts: 1,
        }),
        discovered: None,
    }
}

/// A reply without one.
pub fn failed(failure: Failure) -> Fetched {
    Fetched {
        result: Err(failure),
        discovered: None,
    }
}
