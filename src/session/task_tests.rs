// SPDX-License-Identifier: MIT OR Apache-2.0

//! On tokio's paused clock, which goes on when all tasks sleep.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::time::sleep;

use super::super::fetcher::{ChangeNotice, Discovered, FetchReason, NoticeSink, TokenFetcher};
use super::super::handle::{Session, SessionHandle};
use super::super::request::{Answer, Outcome};
use super::super::shared::Environment;
use super::super::testing::{
    SECOND, Script, for_seconds, granted, now, on_paused_clock, scripted, spawn,
};
use super::*;
use crate::error::{Failure, Kind};
use crate::token::Token;
use crate::wait::lock;

/// Waits as a caller does, but for the thread.
async fn wait_for(handle: &SessionHandle) -> Result<Token, Failure> {
    loop {
        let result = match handle.ask() {
            Answer::Token(token) => return Ok(token),
            Answer::Failed(failure) => return Err(failure),
            Answer::Pending { result, .. } => result,
        };
        match poll_fn(|cx| result.poll(cx.waker())).await {
            Outcome::Token(token) => return Ok(token),
            Outcome::Failed(failure) => return Err(failure),
            Outcome::Cleared => {}
        }
    }
}

#[test]
fn callers_share_one_request() {
    on_paused_clock(async {
        let (handle, script) = scripted([for_seconds("one", 100)]);
        let (first, second) = (handle.clone(), handle.clone());
        let first = tokio::spawn(async move { wait_for(&first).await });
        let second = wait_for(&second).await.expect("a token");
        let first = first.await.expect("no panic").expect("a token");
        assert_eq!(first.generation(), second.generation());
        assert_eq!(first.origin().latency, SECOND);
        assert_eq!(script.requests(), 1);
    });
}

#[test]
fn session_refreshes_before_expiry_while_in_use() {
    on_paused_clock(async {
        let replies = ["a", "b", "c"].map(|text| for_seconds(text, 100));
        let (handle, script) = scripted(replies);
        let guard = handle.keep_fresh(None);
        let first = wait_for(&handle).await.expect("a token");
        sleep(100 * SECOND).await;
        assert_eq!(script.requests(), 2);
        let second = handle.newest().expect("a valid token");
        assert!(second.generation() > first.generation());
        drop(guard);
        sleep(10_000 * SECOND).await;
        assert_eq!(script.requests(), 2);
    });
}

#[test]
fn tokens_about_to_end_make_no_storm() {
    on_paused_clock(async {
        let soon = |number| granted(&format!("{number}"), Some(Duration::from_millis(20)));
        let (handle, script) = scripted((0..1000).map(soon));
        let guard = handle.keep_fresh(None);
        // Events come all the time.
        for _ in 0..400 {
            wait_for(&handle).await.expect("a token");
            sleep(SECOND / 100).await;
        }
        assert!(script.requests() <= 3, "{} requests", script.requests());
        drop(guard);
    });
}

#[test]
fn listening_is_shared_and_ends_with_the_last_user() {
    on_paused_clock(async {
        let (handle, script) = scripted([granted("one", None)]);
        let first = handle.keep_fresh(None);
        sleep(SECOND).await;
        // There is nothing that could change.
        assert_eq!(script.count(|script| &script.began_listening), 0);
        wait_for(&handle).await.expect("a token");
        let second = handle.keep_fresh(None);
        sleep(SECOND).await;
        drop(first);
        sleep(SECOND).await;
        assert_eq!(script.count(|script| &script.began_listening), 1);
        assert_eq!(script.count(|script| &script.ceased_listening), 0);
        drop(second);
        sleep(SECOND).await;
        assert_eq!(script.count(|script| &script.ceased_listening), 1);
        drop(handle.keep_fresh(None));
    });
}

#[test]
fn changed_token_is_fetched_again() {
    on_paused_clock(async {
        let (handle, script) = scripted([granted("one", None), granted("two", None)]);
        let guard = handle.keep_fresh(None);
        let first = wait_for(&handle).await.expect("a token");
        handle.session().shared().notice(ChangeNotice::Changed);
        sleep(2 * SECOND).await;
        let second = handle.newest().expect("a valid token");
        assert!(second.generation() > first.generation());
        assert_eq!(script.requests(), 2);
        drop(guard);
    });
}

#[test]
fn clear_drops_the_request_and_who_waits_asks_again() {
    on_paused_clock(async {
        let (handle, script) = scripted([granted("after", None)]);
        let waiter = handle.clone();
        let waiter = tokio::spawn(async move { wait_for(&waiter).await });
        sleep(SECOND / 2).await;
        handle.session().clear();
        let token = waiter.await.expect("no panic").expect("a token");
        assert_eq!(token.text().expose(), "after");
        assert_eq!(script.requests(), 2);
        assert_eq!(script.count(|script| &script.dropped), 1);
    });
}

#[test]
fn panicked_request_fails_and_next_one_succeeds() {
    on_paused_clock(async {
        let (handle, script) = scripted([]);
        let failure = wait_for(&handle).await.expect_err("no reply");
        assert_eq!(failure.kind, Kind::Transient);
        lock(&script.replies).push_back(granted("one", None));
        sleep(2 * SECOND).await;
        wait_for(&handle).await.expect("a token");
        assert_eq!(script.requests(), 2);
    });
}

#[test]
fn lack_of_a_runtime_is_told_at_once() {
    on_paused_clock(async {
        let session = Session::new(Environment {
            now,
            spawn: |_| Err(Failure::transient("no thread")),
        });
        let handle = SessionHandle::new(session, Arc::new(Script::default()));
        let failure = wait_for(&handle).await.expect_err("no runtime");
        assert_eq!(failure.what, "no thread");
    });
}

#[test]
fn task_ends_with_the_session() {
    on_paused_clock(async {
        let (handle, script) = scripted([granted("one", None)]);
        let guard = handle.keep_fresh(None);
        wait_for(&handle).await.expect("a token");
        sleep(SECOND).await;
        drop(guard);
        let session = Arc::downgrade(handle.session().shared());
        drop(handle);
        sleep(SECOND).await;
        assert!(session.upgrade().is_none());
        // That of the test is the last one.
        assert_eq!(Arc::strong_count(&script), 1);
    });
}

#[test]
fn concurrent_rejections_make_one_request_at_a_time() {
    const THREADS: usize = 16;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .expect("a runtime");
    let _entered = runtime.enter();
    let session = Session::new(Environment {
        now: || {
            // Tokens that were good for a while are not counted.
            static HOURS: AtomicU32 = AtomicU32::new(0);
            let hours = HOURS.fetch_add(1, Ordering::SeqCst);
            let now = ClockReading::now();
            now.after(hours * 3600 * SECOND).expect("a time")
        },
        spawn,
    });
    let service = Arc::new(Service::default());
    let handle = SessionHandle::new(session, service.clone());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            let (handle, runtime) = (&handle, &runtime);
            scope.spawn(move || {
                let _entered = runtime.enter();
                let mut rejected = 0;
                for _ in 0..100 {
                    if rejected > 0 {
                        handle.reject(rejected, 403);
                    }
                    let token = runtime.block_on(wait_for(handle)).expect("a token");
                    assert!(token.generation() > rejected);
                    rejected = token.generation();
                }
            });
        }
    });
    assert_eq!(service.at_once.load(Ordering::SeqCst), 0);
    assert!(service.requests.load(Ordering::SeqCst) > 100);
}

/// Grants another token each time.
#[derive(Default)]
struct Service {
    requests: AtomicU32,
    at_once: AtomicU32,
}

impl TokenFetcher for Service {
    fn nick(&self) -> &'static str {
        "service"
    }

    fn fetch(self: Arc<Self>, _: Option<Discovered>, _: FetchReason) -> Work<Fetched> {
        Box::pin(async move {
            assert_eq!(self.at_once.fetch_add(1, Ordering::SeqCst), 0);
            let number = self.requests.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            self.at_once.fetch_sub(1, Ordering::SeqCst);
            granted(&number.to_string(), None)
        })
    }

    fn listen(self: Arc<Self>, _: NoticeSink) -> Option<Work<()>> {
        None
    }

    fn overdue(&self) -> Failure {
        Failure::timed_out("overdue")
    }
}
