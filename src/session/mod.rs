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
pub use token::{Grant, MAX_TOKEN_LEN, Moment, Token, Way, checked};

use crate::auth_service::Service;
use crate::failure::Failure;
use crate::flight::{Flight, Landing};
use crate::http::Trust;
use crate::secret::Secret;
use crate::wait::lock;

/// How long a failed request is everybody's answer. The streams of one tune ask within
/// milliseconds of each other, so a second lets them share it; a viewer who tries again is slower than that.
const FAILURE_SHARED: Duration = Duration::from_secs(1);

/// What makes two elements share a token: everything that the service's answer depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    pub service: Service,
    /// The whole URL that is asked. It may hold credentials, so it is compared and never printed.
    pub location: Secret,
    pub extra_headers: Vec<(String, Secret)>,
    /// Who is taken for the service: a token that came over an unchecked connection is not given to those who check.
    pub trust: Trust,
}

/// How a request ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    Token(Token),
    Failed(Failure),
    /// The session was cleared meanwhile: whoever still wants a token asks again.
    Cleared,
}

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
    discovered: Option<Arc<str>>,
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
        let takeoff = {
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
            self.take_off(&mut state, now)
        };
        let flight = takeoff.flight.clone();
        launch(takeoff);
        Answer::Wait(flight)
    }

    /// Has a new token fetched, though there may be a valid one: that stays until the new one is here, and if there
    /// will be none. Where a flight is under way already, its answer is new enough.
    pub fn refresh(self: &Arc<Self>, now: Moment, launch: impl FnOnce(Takeoff)) {
        let takeoff = {
            let mut state = self.lock();
            if state.flight.is_some() {
                return;
            }
            self.take_off(&mut state, now)
        };
        launch(takeoff);
    }

    /// Forgets the token and all that came with it. A flight under way is nobody's any more: what it brings is dropped,
    /// and who waits for it is woken to ask again.
    pub fn clear(&self) {
        let flight = {
            let mut state = self.lock();
            state.token = None;
            state.failed = None;
            state.discovered = None;
            state.flight.take()
        };
        if let Some(flight) = flight {
            flight.end(Outcome::Cleared);
        }
    }

    fn take_off(self: &Arc<Self>, state: &mut State, now: Moment) -> Takeoff {
        let (flight, landing) = Flight::start(Outcome::Failed(died()));
        state.flight = Some(flight.clone());
        Takeoff {
            session: Arc::downgrade(self),
            flight,
            landing: Some(landing),
            started: now.steady,
        }
    }

    /// What the service's discovery said, as long as it holds.
    pub fn discovered(&self) -> Option<Arc<str>> {
        self.lock().discovered.clone()
    }

    /// Keeps what the discovery said, or forgets it.
    pub fn set_discovered(&self, discovered: Option<Arc<str>>) {
        self.lock().discovered = discovered;
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
    flight: Arc<Flight<Outcome>>,
    landing: Option<Landing<Outcome>>,
    started: Instant,
}

/// What a request brought, and how.
pub struct Brought {
    pub grant: Grant,
    /// Ties the licence request to the token request in the services' logs.
    pub correlation_id: Arc<str>,
    /// Requests made for it.
    pub attempts: u32,
}

impl Takeoff {
    /// The session that the request is for, if anybody still has it.
    pub fn session(&self) -> Option<Arc<Session>> {
        self.session.upgrade()
    }

    /// The answer: it is stored in the session first, so that who asks next has it, and then
    /// everybody who waits is woken.
    pub fn land(mut self, result: Result<Brought, Failure>, now: Moment) {
        self.finish(result, now);
    }

    fn finish(&mut self, result: Result<Brought, Failure>, now: Moment) {
        let Some(landing) = self.landing.take() else {
            return;
        };
        let latency = now.steady.saturating_duration_since(self.started);
        let token = |brought: Brought, generation| {
            let way = Way {
                correlation_id: brought.correlation_id,
                latency,
                attempts: brought.attempts,
            };
            Token::new(brought.grant, generation, way, now)
        };
        let outcome = match (self.session.upgrade(), result) {
            (Some(session), result) => {
                let mut state = session.lock();
                let is_ours = |flight: &Arc<_>| Arc::ptr_eq(flight, &self.flight);
                if !state.flight.as_ref().is_some_and(is_ours) {
                    // Cleared: all who waited know.
                    return;
                }
                state.flight = None;
                match result {
                    Ok(brought) => {
                        state.generation = state.generation.saturating_add(1);
                        let token = token(brought, state.generation);
                        state.token = Some(token.clone());
                        state.failed = None;
                        Outcome::Token(token)
                    }
                    Err(mut failure) => {
                        failure.elapsed = latency;
                        state.failed = Some((now.steady, failure.clone()));
                        Outcome::Failed(failure)
                    }
                }
            }
            (None, Ok(brought)) => Outcome::Token(token(brought, 1)),
            (None, Err(failure)) => Outcome::Failed(failure),
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

    fn grant(lifetime: u64) -> Result<Brought, Failure> {
        Ok(Brought {
            grant: Grant {
                token: Secret::from("token"),
                lifetime: Some(Duration::from_secs(lifetime)),
            },
            correlation_id: "id".into(),
            attempts: 1,
        })
    }

    fn granted(flight: &Flight<Outcome>) -> Token {
        match flight.peek() {
            Some(Outcome::Token(token)) => token,
            outcome => panic!("no token but {outcome:?}"),
        }
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
        let token = granted(&flight);
        assert_eq!(token.generation(), 1);
        assert_eq!(token.way().latency, Duration::from_secs(2));
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
        let outcome = flight.peek();
        assert!(
            matches!(&outcome, Some(Outcome::Failed(failure)) if failure.kind == crate::failure::Kind::Transient),
            "{outcome:?}"
        );
    }

    #[test]
    fn after_a_logout_no_token_of_before_is_handed_out() {
        let session = Arc::new(Session::new());
        let now = Moment::now();
        takeoff(&session, now).land(grant(60), now);
        session.set_discovered(Some("sso".into()));
        session.clear();
        assert!(session.token(now).is_none());
        assert!(session.discovered().is_none());

        // Nor one that was asked for before and comes after.
        let before = takeoff(&session, now);
        let Answer::Wait(flight) = session.ask(now, must_not_launch) else {
            panic!("the second caller waits");
        };
        session.clear();
        assert!(matches!(flight.peek(), Some(Outcome::Cleared)));
        let after = takeoff(&session, now);
        before.land(grant(60), now);
        assert!(session.token(now).is_none());
        after.land(grant(60), now);
        assert_eq!(session.token(now).map(|token| token.generation()), Some(2));
    }

    #[test]
    fn a_refresh_that_fails_leaves_the_token_that_is_still_good() {
        let session = Arc::new(Session::new());
        let now = Moment::now();
        takeoff(&session, now).land(grant(60), now);
        let mut begun = None;
        session.refresh(now, |takeoff| begun = Some(takeoff));
        session.refresh(now, must_not_launch);
        assert_eq!(session.token(now).map(|token| token.generation()), Some(1));
        let begun = begun.expect("a request begins");
        begun.land(Err(Failure::transient("no")), now);
        let answer = session.ask(now, must_not_launch);
        assert!(matches!(answer, Answer::Token(token) if token.generation() == 1));
        session.refresh(now, |takeoff| takeoff.land(grant(60), now));
        assert_eq!(session.token(now).map(|token| token.generation()), Some(2));
    }
}
