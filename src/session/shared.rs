// SPDX-License-Identifier: MIT OR Apache-2.0

//! A session's state, as callers and task share it.

use super::fetcher::{ChangeNotice, Work};
use super::request::Outcome;
use super::state::State;
use crate::error::Failure;
use crate::sync::watch;
use crate::token::ClockReading;

/// The world outside: clocks, and where tasks run.
#[derive(Clone, Copy)]
pub struct Environment {
    pub now: fn() -> ClockReading,
    pub spawn: fn(Work<()>) -> Result<(), Failure>,
}

impl Default for Environment {
    fn default() -> Self {
        Self {
            now: ClockReading::now,
            spawn: crate::runtime::spawn,
        }
    }
}

/// The state, published to the session's task, which ends with it.
pub struct Shared {
    pub state: watch::Sender<State>,
    pub environment: Environment,
}

impl Shared {
    pub fn new(environment: Environment) -> Self {
        Self {
            state: watch::Sender::new(State::default()),
            environment,
        }
    }

    /// Changes the state. The task is woken where it has to know.
    pub fn change<R>(&self, change: impl FnOnce(&mut State, ClockReading) -> R) -> R {
        let now = (self.environment.now)();
        let mut result = None;
        self.state.send_if_modified(|state| {
            let version = state.version();
            result = Some(change(state, now));
            state.version() != version
        });
        result.expect("the closure was called")
    }

    /// The service says something of its token.
    pub fn notice(&self, notice: ChangeNotice) {
        self.change(|state, now| match notice {
            ChangeNotice::SubscriptionStarted => state.subscription_started(now),
            ChangeNotice::Changed => state.mark_changed(),
        });
    }

    /// There is no task. Who waits for one hears why.
    pub fn task_failed(&self, failure: Failure) {
        let pending = self.change(|state, now| state.task_ended(&failure, now));
        if let Some(pending) = pending {
            pending.complete(Outcome::Failed(failure));
        }
    }
}
