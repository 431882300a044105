// SPDX-License-Identifier: MIT OR Apache-2.0

//! A session in a world of its own: a clock that stands still, a runtime that is joined in the end,
//! and a service that takes its time.

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::sync::Arc;

use model::clock;
use model::error::Failure;
use model::session::fetcher::{
    ChangeNotice, Discovered, FetchReason, Fetched, NoticeSink, TokenFetcher, TokenResponse, Work,
};
use model::session::handle::{Session, SessionHandle};
use model::session::request::{Answer, Outcome};
use model::session::shared::Environment;
use model::shared_result::SharedResult;
use model::token::{Grant, Secret, Token};
use model::wait::{Guarded, lock};
use shuttle::future::{JoinHandle, block_on, yield_now};
use shuttle::sync::Mutex;
use shuttle::thread;

// The model checker runs all threads of a scenario on one thread of the system.
thread_local! {
    static TASKS: RefCell<Vec<JoinHandle<()>>> = const { RefCell::new(Vec::new()) };
}

fn spawn(work: Work<()>) -> Result<(), Failure> {
    let task = shuttle::future::spawn(work);
    TASKS.with_borrow_mut(|tasks| tasks.push(task));
    Ok(())
}

fn refuse(_: Work<()>) -> Result<(), Failure> {
    Err(Failure::transient("no thread"))
}

#[derive(Default)]
struct Figures {
    /// Requests that were made, and of these the ones that are under way.
    asked: u32,
    under_way: u32,
    /// Times that somebody began to listen, and who does now.
    began_listening: u32,
    listening: u32,
}

/// Grants a token of another text each time: the number of its request.
#[derive(Default)]
pub struct Service {
    never_answers: bool,
    figures: Guarded<Figures>,
    sink: Mutex<Option<Arc<NoticeSink>>>,
}

/// Something of the service's goes on; dropped, it does not any more.
struct GoesOn<'a>(&'a Service, fn(&mut Figures) -> &mut u32);

impl<'a> GoesOn<'a> {
    fn new(service: &'a Service, what: fn(&mut Figures) -> &mut u32) -> Self {
        service.figures.change(|figures| {
            *what(figures) += 1;
            assert_eq!(*what(figures), 1, "one at a time");
        });
        Self(service, what)
    }
}

impl Drop for GoesOn<'_> {
    fn drop(&mut self) {
        self.0.figures.change(|figures| *(self.1)(figures) -= 1);
    }
}

impl Service {
    /// How many requests it has had.
    pub fn asked(&self) -> u32 {
        self.figures.lock().asked
    }

    /// Waits for so many requests.
    pub fn wait_for_requests(&self, count: u32) {
        self.wait_until(|figures| figures.asked >= count);
    }

    /// Waits until no request is under way.
    pub fn wait_for_end_of_requests(&self) {
        self.wait_until(|figures| figures.under_way == 0);
    }

    /// Waits until somebody listens, or nobody does.
    pub fn wait_for_listening(&self, is_listening: bool) {
        self.wait_until(|figures| (figures.listening > 0) == is_listening);
    }

    /// How often somebody has begun to listen.
    pub fn began_listening(&self) -> u32 {
        self.figures.lock().began_listening
    }

    fn wait_until(&self, holds: impl Fn(&Figures) -> bool) {
        let figures = self.figures.lock();
        drop(
            self.figures
                .wait(figures, None, None, |figures| holds(figures)),
        );
    }

    /// Tells who listens that there is another token. Gives the number of requests that came
    /// before.
    pub fn tell_of_change(&self) -> u32 {
        let sink = lock(&self.sink).clone().expect("somebody listens");
        let asked = self.asked();
        sink(ChangeNotice::Changed);
        asked
    }
}

impl TokenFetcher for Service {
    fn nick(&self) -> &'static str {
        "model"
    }

    fn fetch(self: Arc<Self>, _: Option<Discovered>, _: FetchReason) -> Work<Fetched> {
        Box::pin(async move {
            let _under_way = GoesOn::new(&self, |figures| &mut figures.under_way);
            let number = self.figures.change(|figures| {
                figures.asked += 1;
                figures.asked
            });
            if self.never_answers {
                pending::<()>().await;
            }
            yield_now().await;
            let grant = Grant {
                token: Secret::from(number.to_string().as_str()),
                lifetime: None,
            };
            Fetched {
                result: Ok(TokenResponse {
                    grant,
                    headers: Vec::new(),
                    correlation_id: "id".into(),
                    location: None,
                    attempts: 1,
                }),
                discovered: None,
            }
        })
    }

    fn listen(self: Arc<Self>, sink: NoticeSink) -> Option<Work<()>> {
        *lock(&self.sink) = Some(Arc::new(sink));
        Some(Box::pin(async move {
            let _listening = GoesOn::new(&self, |figures| &mut figures.listening);
            self.figures.change(|figures| figures.began_listening += 1);
            pending().await
        }))
    }

    fn overdue(&self) -> Failure {
        Failure::timed_out("overdue")
    }
}

/// The number of the request that brought it.
pub fn number(token: &Token) -> u32 {
    token.text().expose().parse().expect("a number")
}

/// A session and its service.
#[derive(Clone)]
pub struct World {
    pub service: Arc<Service>,
    pub handle: SessionHandle,
}

impl World {
    pub fn new() -> Self {
        Self::with(spawn, Service::default())
    }

    /// One whose service never answers.
    pub fn without_answers() -> Self {
        let service = Service {
            never_answers: true,
            ..Service::default()
        };
        Self::with(spawn, service)
    }

    /// One in which no task can be spawned.
    pub fn without_runtime() -> Self {
        Self::with(refuse, Service::default())
    }

    fn with(spawn: fn(Work<()>) -> Result<(), Failure>, service: Service) -> Self {
        clock::restart();
        TASKS.take();
        let environment = Environment {
            now: clock::now,
            spawn,
        };
        let service = Arc::new(service);
        let handle = SessionHandle::new(Session::new(environment), service.clone());
        Self { service, handle }
    }

    /// Runs something beside the rest.
    pub fn beside<T: Send + 'static>(
        &self,
        what: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> thread::JoinHandle<T> {
        let world = self.clone();
        thread::spawn(move || what(&world))
    }

    /// The token, however long that takes.
    pub fn token(&self) -> Result<Token, Failure> {
        self.settle(|| self.handle.ask())
    }

    /// A token after that one was rejected.
    pub fn token_after(&self, rejected: u32) -> Result<Token, Failure> {
        self.settle(|| self.handle.reject(rejected, 403))
    }

    fn settle(&self, ask: impl Fn() -> Answer) -> Result<Token, Failure> {
        let mut answer = ask();
        loop {
            let result = match answer {
                Answer::Token(token) => return Ok(token),
                Answer::Failed(failure) => return Err(failure),
                Answer::Pending { result, .. } => result,
            };
            match outcome(&result) {
                Outcome::Token(token) => return Ok(token),
                Outcome::Failed(failure) => return Err(failure),
                Outcome::Cleared => answer = self.handle.ask(),
            }
        }
    }

    /// Lets the session go. Its tasks end with it, and nothing goes on after them.
    pub fn end(self) {
        let Self { service, handle } = self;
        drop(handle);
        for task in TASKS.take() {
            block_on(task).expect("it is not aborted");
        }
        let figures = service.figures.lock();
        assert_eq!((figures.under_way, figures.listening), (0, 0));
    }
}

/// What a request comes to.
fn outcome(result: &SharedResult<Outcome>) -> Outcome {
    block_on(poll_fn(|cx| result.poll(cx.waker())))
}
