// SPDX-License-Identifier: MIT OR Apache-2.0

//! A token's life: who has one, who may have it, and that it is asked for once.
//!
//! A session is shared by the whole process: audio, video and text of one pipeline, the next
//! channel, a second pipeline. There is one flight at a time for each.

mod cache;
mod token;

use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

pub use cache::session;
pub use token::{Grant, MAX_TOKEN_LEN, Moment, Token, checked};

use crate::failure::Failure;
use crate::flight::{Flight, Landing};
use crate::wait::lock;

/// How long a failed request is everybody's answer. The streams of one tune ask within
/// milliseconds of each other, so a second lets them share it; a viewer who tries again is slower than that.
const FAILURE_SHARED: Duration = Duration::from_secs(1);

/// What makes two elements share a token: everything that the service's answer depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The auth service's nick, `rdk`.
    pub service: &'static str,
    /// The whole URL that is asked. It may hold credentials, so it is compared and never printed.
    pub location: crate::secret::Secret,
}

/// How a request ended.
pub type Outcome = Result<Token, Failure>;

/// What [`Session::ask`] says.
pub enum Answer {
    /// Hand it out.
    Token(Token),
    /// Everybody gets this failure now.
    Failed(Failure),
    /// Under way; the flight tells when it is here.
    Wait(Arc<Flight<Outcome>>),
}

/// One session: at most one token, at most one flight.
pub struct Session {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    generation: u32,
    token: Option<Token>,
    flight: Option<Arc<Flight<Outcome>>>,
    failed: Option<(Instant, Failure)>,
}

impl Session {
    fn new() -> Self {
        Self {
            state: Mutex::default(),
        }
    }

    /// The valid token, the failure of a moment ago, or the flight under way. Where there is
    /// none of these, `launch` is called, without a lock held, to begin a request and land its [`Takeoff`].
    pub fn ask(self: &Arc<Self>, now: Moment, launch: impl FnOnce(Takeoff)) -> Answer {
        let (flight, landing) = {
            let mut state = self.lock();
            if let Some(token) = state.token.as_ref().filter(|token| token.is_valid(now)) {
                return Answer::Token(token.clone());
            }
            if let Some(flight) = &state.flight {
                return Answer::Wait(flight.clone());
            }
            if let Some((when, failure)) = &state.failed
                && now.steady.saturating_duration_since(*when) < FAILURE_SHARED
            {
                return Answer::Failed(failure.clone());
            }
            let (flight, landing) = Flight::start(Err(died()));
            state.flight = Some(flight.clone());
            (flight, landing)
        };
        launch(Takeoff {
            session: Arc::downgrade(self),
            landing: Some(landing),
            started: now.steady,
            correlation_id: uuid::Uuid::new_v4().to_string().into(),
        });
        Answer::Wait(flight)
    }

    /// The valid token, if there is one.
    #[cfg(test)]
    pub fn token(&self, now: Moment) -> Option<Token> {
        self.lock()
            .token
            .as_ref()
            .filter(|token| token.is_valid(now))
            .cloned()
    }

    fn is_idle(&self, now: Moment) -> bool {
        let state = self.lock();
        state.flight.is_none()
            && !state
                .token
                .as_ref()
                .is_some_and(|token| token.is_valid(now))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn died() -> Failure {
    Failure::transient("the request for a session token was given up before it had an answer")
}

/// A request that has begun. Whoever holds it owes an answer; dropping it is one, a failure.
pub struct Takeoff {
    session: Weak<Session>,
    landing: Option<Landing<Outcome>>,
    started: Instant,
    correlation_id: Arc<str>,
}

impl Takeoff {
    /// The answer: it is stored in the session first, so that who asks next has it, and then
    /// everybody who waits is woken.
    pub fn land(mut self, result: Result<Grant, Failure>, now: Moment) {
        self.finish(result, now);
    }

    fn finish(&mut self, result: Result<Grant, Failure>, now: Moment) {
        let Some(landing) = self.landing.take() else {
            return;
        };
        let elapsed = now.steady.saturating_duration_since(self.started);
        let outcome = match self.session.upgrade() {
            Some(session) => {
                let mut state = session.lock();
                state.flight = None;
                match result {
                    Ok(grant) => {
                        state.generation = state.generation.saturating_add(1);
                        let id = self.correlation_id.clone();
                        let token = Token::new(grant, state.generation, id, elapsed, now);
                        state.token = Some(token.clone());
                        state.failed = None;
                        Ok(token)
                    }
                    Err(mut failure) => {
                        failure.elapsed = elapsed;
                        state.failed = Some((now.steady, failure.clone()));
                        Err(failure)
                    }
                }
            }
            None => {
                result.map(|grant| Token::new(grant, 1, self.correlation_id.clone(), elapsed, now))
            }
        };
        landing.land(outcome);
    }
}

impl Drop for Takeoff {
    fn drop(&mut self) {
        self.finish(Err(died()), Moment::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn grant(lifetime: u64) -> Result<Grant, Failure> {
        Ok(Grant {
            token: Secret::from("token"),
            lifetime: Some(Duration::from_secs(lifetime)),
        })
    }

    fn later(moment: Moment, seconds: u64) -> Moment {
        let by = Duration::from_secs(seconds);
        Moment {
            steady: moment.steady + by,
            wall: moment.wall + by,
        }
    }

    fn takeoff(session: &Arc<Session>, now: Moment) -> Takeoff {
        let mut takeoff = None;
        let answer = session.ask(now, |begun| takeoff = Some(begun));
        assert!(matches!(answer, Answer::Wait(_)));
        takeoff.expect("a request begins where there is neither token nor flight")
    }

    fn must_not_launch(_: Takeoff) {
        panic!("a second request was made");
    }

    #[test]
    fn all_who_ask_during_a_flight_share_it_and_its_token() {
        let session = Arc::new(Session::new());
        let now = Moment::now();
        let begun = takeoff(&session, now);
        let Answer::Wait(flight) = session.ask(now, must_not_launch) else {
            panic!("the second caller waits for the first one's flight");
        };
        begun.land(grant(60), later(now, 2));
        let token = flight.peek().expect("landed").expect("granted");
        assert_eq!(token.generation(), 1);
        assert_eq!(token.latency(), Duration::from_secs(2));
        let answer = session.ask(later(now, 61), must_not_launch);
        assert!(matches!(answer, Answer::Token(again) if again.generation() == 1));
    }

    #[test]
    fn a_token_that_has_ended_is_replaced_by_one_of_the_next_generation() {
        let session = Arc::new(Session::new());
        let now = Moment::now();
        takeoff(&session, now).land(grant(60), now);
        let after = later(now, 60);
        assert!(session.token(after).is_none());
        takeoff(&session, after).land(grant(60), after);
        let token = session.token(after).expect("a new token");
        assert_eq!(token.generation(), 2);
    }

    #[test]
    fn the_streams_of_one_tune_share_a_failure_and_the_next_tune_asks_again() {
        let session = Arc::new(Session::new());
        let now = Moment::now();
        takeoff(&session, now).land(Err(Failure::denied("no")), now);
        let answer = session.ask(now, must_not_launch);
        assert!(matches!(answer, Answer::Failed(failure) if failure.what == "no"));
        takeoff(&session, later(now, 1)).land(grant(60), later(now, 1));
        assert!(session.token(later(now, 1)).is_some());
    }

    #[test]
    fn a_request_whose_task_dies_is_a_failure_and_not_a_wait_for_ever() {
        let session = Arc::new(Session::new());
        let now = Moment::now();
        let begun = takeoff(&session, now);
        let Answer::Wait(flight) = session.ask(now, must_not_launch) else {
            panic!("the second caller waits");
        };
        drop(begun);
        let failure = flight.peek().expect("landed").expect_err("failed");
        assert_eq!(failure.kind, crate::failure::Kind::Transient);
    }
}
