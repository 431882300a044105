// SPDX-License-Identifier: MIT OR Apache-2.0

//! What callers have of a session: they poll it, from any thread, and never wait in here.

use std::sync::{Arc, Weak};

use super::fetcher::{SessionObserver, TokenFetcher};
use super::request::{Answer, Outcome};
use super::shared::{Environment, Shared};
use super::state::State;
use super::task;
use crate::error::Failure;
use crate::token::{ClockReading, Token};

/// One session. Clones are the same.
#[derive(Clone)]
pub struct Session(Arc<Shared>);

impl Session {
    pub fn new(environment: Environment) -> Self {
        Self(Arc::new(Shared::new(environment)))
    }

    /// Forgets the token and all that came with it. A request that is pending is dropped, and who
    /// waits for it asks again.
    pub fn clear(&self) {
        if let Some(pending) = self.0.change(|state, _| state.clear()) {
            pending.complete(Outcome::Cleared);
        }
    }

    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Does not count as use.
    pub fn downgrade(&self) -> WeakSession {
        WeakSession(Arc::downgrade(&self.0))
    }

    /// Whether anybody else has it.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Whether there is neither a token nor a request.
    pub fn is_idle(&self) -> bool {
        let now = (self.0.environment.now)();
        self.0.state.borrow().is_idle(now)
    }

    pub fn is_fetching(&self) -> bool {
        self.0.state.borrow().is_fetching()
    }

    /// Changes the state, and sees to it that there is a task where there is something to do.
    fn change<R>(&self, change: impl FnOnce(&mut State, ClockReading) -> R) -> R {
        let (result, starts_task) = self.0.change(|state, now| {
            let result = change(state, now);
            (result, state.starts_task())
        });
        if starts_task {
            let run = task::run(Arc::downgrade(&self.0), self.0.state.subscribe());
            if let Err(failure) = (self.0.environment.spawn)(Box::pin(run)) {
                self.0.task_failed(failure);
            }
        }
        result
    }

    #[cfg(test)]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.0
    }
}

/// A session, as long as there is one.
pub struct WeakSession(Weak<Shared>);

impl WeakSession {
    pub fn upgrade(&self) -> Option<Session> {
        self.0.upgrade().map(Session)
    }
}

/// A session, and how one element makes requests for it.
#[derive(Clone)]
pub struct SessionHandle {
    session: Session,
    fetcher: Arc<dyn TokenFetcher>,
}

impl SessionHandle {
    pub fn new(session: Session, fetcher: Arc<dyn TokenFetcher>) -> Self {
        Self { session, fetcher }
    }

    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The service's name in settings and messages.
    pub fn nick(&self) -> &'static str {
        self.fetcher.nick()
    }

    /// Why there is no token where none has come in time.
    pub fn overdue(&self) -> Failure {
        self.fetcher.overdue()
    }

    /// The valid token, the failure of a moment ago, or the request that is pending; where there is
    /// none of these, one begins. Beside a token that is close to its end one begins too.
    pub fn ask(&self) -> Answer {
        self.session
            .change(|state, now| state.ask(&self.fetcher, now))
    }

    /// The valid token. Where that is close to its end, the next one is fetched.
    pub fn newest(&self) -> Option<Token> {
        self.session
            .change(|state, now| state.newest(&self.fetcher, now))
    }

    /// As [`ask`](Self::ask), from somebody whose token of that generation was rejected: never that
    /// one again. However many report the same one, it counts once. After three in a row there is
    /// no fourth.
    pub fn reject(&self, generation: u32, http_status: u32) -> Answer {
        self.session.change(|state, now| {
            state.reject(generation, http_status, now);
            state.ask(&self.fetcher, now)
        })
    }

    /// Has a new token fetched, though there may be a valid one: that is used until the new one is
    /// here, and after that where there is none. A request that is pending is new enough.
    pub fn refresh(&self) {
        self.session
            .change(|state, now| state.refresh(&self.fetcher, now));
    }

    /// As long as the guard lives, the session's token is replaced ahead of its end, and when the
    /// service says that there is another one.
    /// `observer` is told what the session does meanwhile.
    pub fn keep_fresh(&self, observer: Option<Arc<dyn SessionObserver>>) -> SessionGuard {
        let fetcher = self.fetcher.clone();
        let user = self
            .session
            .change(|state, _| state.add_user(fetcher, observer));
        SessionGuard {
            handle: self.clone(),
            user,
        }
    }
}

/// Somebody uses the session.
pub struct SessionGuard {
    handle: SessionHandle,
    user: u64,
}

impl SessionGuard {
    pub fn handle(&self) -> &SessionHandle {
        &self.handle
    }
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        let session = self.handle.session();
        session.change(|state, _| state.remove_user(self.user));
    }
}
