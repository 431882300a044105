// SPDX-License-Identifier: MIT OR Apache-2.0

//! A token's life: who has one, who may have it, and that it is asked for once.
//!
//! A session is shared by the whole process: audio, video and text of one pipeline, the next
//! channel, a second pipeline. There is one flight at a time for each.

mod cache;
mod claims;
mod freshness;
mod life;
mod news;
pub mod order;
mod token;
mod uptime;

use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

pub use cache::{clear_where, session};
pub use claims::claims;
pub use life::{Life, Moment};
pub use token::{Grant, MAX_TOKEN_LEN, Token, Way, checked};

use crate::auth_service::Service;
use crate::backoff::chance;
use crate::error::Failure;
use crate::flight::{Flight, Landing};
use crate::http::TlsConfig;
use crate::secret::Secret;
use crate::wait::lock;

use news::News;

/// Longest `Retry-After` that is kept to: a viewer may well try again after five minutes.
const LONGEST_WISH: Duration = Duration::from_secs(5 * 60);

/// Tokens refused one after the other, after which there is something else wrong than the token.
const STRIKES: usize = 3;

/// A token that is refused within this time of its arrival was no good from the start; one that is refused later was, and a
/// service that takes sessions away now and then is not one that takes none.
const NO_GOOD: Duration = Duration::from_secs(60);

/// A token that came longer ago than this while nobody listened to the service is read again once somebody does. One that came
/// for the tune that just begins is not; where it has changed since, the license server refuses it.
const UNHEARD: Duration = Duration::from_secs(60);

/// How long a server is left alone after so many failures in a row, of which this is the last: longer each time, and as long as it wishes.
pub fn pause_after(failure: &Failure, in_a_row: u32) -> Duration {
    let wish = failure.retry_after.unwrap_or_default().min(LONGEST_WISH);
    freshness::backoff(in_a_row, chance()).max(wish)
}

/// What makes two elements share a token: everything that the service's answer depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    pub service: Service,
    /// The whole URLs that are asked. They may hold credentials, so they are compared and never printed.
    pub locations: Vec<Secret>,
    pub extra_headers: Vec<(String, Secret)>,
    /// Who is taken for the service: a token that came over an unchecked connection is not given to those who check.
    pub tls: TlsConfig,
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
    /// The last one that was given, here or by the application.
    generation: u32,
    granted: u32,
    token: Option<Token>,
    /// When that came.
    since: Option<Moment>,
    flight: Option<Arc<Flight<Outcome>>>,
    failed: Option<Failed>,
    /// Tokens that the license side has refused in a row, the newest last. They are not handed out again.
    refused: Vec<Secret>,
    /// With the place that said so.
    discovered: Option<(Arc<str>, Arc<str>)>,
    /// What the service has said of its token.
    news: News,
    users: Vec<Weak<dyn Launch>>,
    /// When somebody will look whether a new token is due.
    look: Option<Instant>,
    /// What makes them look, which ends with the session.
    looking: Option<Box<dyn Any + Send>>,
    /// What the users hold together.
    shared: Option<Weak<dyn Any + Send + Sync>>,
}

/// The failures since the last token.
struct Failed {
    failure: Failure,
    in_a_row: u32,
    /// Until then the failure is everybody's answer.
    until: Moment,
}

/// Whoever uses a session and can make its requests.
pub trait Launch: Send + Sync {
    fn launch(self: Arc<Self>, takeoff: Takeoff);

    /// The session has a token: from now on the service is listened to, where it says that there is another.
    fn listen(self: Arc<Self>) {}
}

impl State {
    fn valid_token(&self, now: Moment) -> Option<&Token> {
        self.token
            .as_ref()
            .filter(|token| token.life().is_valid(now))
    }

    /// Whether the last token came so long ago.
    fn is_older_than(&self, age: Duration, now: Moment) -> bool {
        let then = self.since.and_then(|since| since.after(age));
        then.is_some_and(|then| then.has_come(now))
    }

    /// The failure that is everybody's answer now.
    fn failure(&self, now: Moment) -> Option<&Failure> {
        let failed = self.failed.as_ref()?;
        (!failed.until.has_come(now)).then_some(&failed.failure)
    }

    fn fail(&mut self, failure: Failure, now: Moment) {
        let in_a_row = self.failed.as_ref().map_or(0, |failed| failed.in_a_row) + 1;
        let pause = pause_after(&failure, in_a_row);
        let until = now.after(pause).unwrap_or(now);
        self.failed = Some(Failed {
            failure,
            in_a_row,
            until,
        });
    }

    /// Whether a new token is to be fetched though there is a valid one.
    fn is_stale(&self, now: Moment) -> bool {
        self.flight.is_none()
            && self.failure(now).is_none()
            && self.valid_token(now).is_some_and(|token| {
                let outdated = self.news.due(now.steady);
                token.life().is_stale(now) || outdated.is_some_and(|due| due <= now.steady)
            })
    }
}

impl Session {
    fn new() -> Self {
        Self {
            state: Mutex::default(),
        }
    }

    /// The valid token, the failure of a moment ago, or the flight under way. Where there is
    /// none of these, `launch` is called, without a lock held, to begin a request and land its [`Takeoff`]; and beside a
    /// valid token where that is close to its end.
    pub fn ask(self: &Arc<Self>, now: Moment, launch: impl FnOnce(Takeoff)) -> Answer {
        let (takeoff, token) = {
            let mut state = self.lock();
            match state.valid_token(now).cloned() {
                Some(token) if !state.is_stale(now) => return Answer::Token(token),
                Some(token) => (self.take_off(&mut state, now), Some(token)),
                None => {
                    if let Some(flight) = &state.flight {
                        return Answer::Wait(flight.clone());
                    }
                    if let Some(failure) = state.failure(now) {
                        return Answer::Failed(failure.clone());
                    }
                    (self.take_off(&mut state, now), None)
                }
            }
        };
        let flight = takeoff.flight.clone();
        launch(takeoff);
        match token {
            Some(token) => Answer::Token(token),
            None => Answer::Wait(flight),
        }
    }

    /// The valid token, if there is one; `launch` is called where the next one is due. Nothing is begun where there is none.
    pub fn newest(self: &Arc<Self>, now: Moment, launch: impl FnOnce(Takeoff)) -> Option<Token> {
        self.lock().valid_token(now)?;
        match self.ask(now, launch) {
            Answer::Token(token) => Some(token),
            Answer::Failed(_) | Answer::Wait(_) => None,
        }
    }

    /// As [`ask`](Self::ask), from somebody whose token of that generation the license side has refused: never that one
    /// again. However many complain of the same one, it counts once. After three in a row there is no fourth.
    pub fn reject(
        self: &Arc<Self>,
        generation: u32,
        now: Moment,
        launch: impl FnOnce(Takeoff),
    ) -> Answer {
        {
            let mut state = self.lock();
            let current = state
                .token
                .take_if(|token| token.generation() == generation);
            if let Some(token) = current {
                if state.is_older_than(NO_GOOD, now) {
                    state.refused.clear();
                }
                state.refused.push(token.text().clone());
                if state.refused.len() >= STRIKES {
                    state.refused.remove(0);
                    state.fail(all_refused(), now);
                }
            }
        }
        self.ask(now, launch)
    }

    /// Names somebody who uses the session from now on, as long as they live.
    pub fn enlist(&self, user: Weak<dyn Launch>) {
        let mut state = self.lock();
        state.users.retain(|user| user.strong_count() > 0);
        state.users.push(user);
    }

    /// Everybody who uses the session.
    pub fn users(&self) -> Vec<Arc<dyn Launch>> {
        self.lock().users.iter().filter_map(Weak::upgrade).collect()
    }

    /// What the users hold together, which ends when none of them does any more. Where there is none, `begin` makes it.
    pub fn shared(
        &self,
        begin: impl FnOnce() -> Arc<dyn Any + Send + Sync>,
    ) -> Arc<dyn Any + Send + Sync> {
        let mut state = self.lock();
        if let Some(shared) = state.shared.as_ref().and_then(Weak::upgrade) {
            return shared;
        }
        let shared = begin();
        state.shared = Some(Arc::downgrade(&shared));
        shared
    }

    /// The service says that there is another token. The one at hand goes on until that is here, as one close to its end does:
    /// where it is no good any more, the license server says so.
    pub fn changed(&self) {
        self.lock().news.hear();
    }

    /// Somebody begins to listen to the service. What it said before nobody has heard.
    pub fn heard(&self, now: Moment) {
        let mut state = self.lock();
        if state.is_older_than(UNHEARD, now) {
            state.news.hear();
        }
    }

    /// When to call [`look`](Self::look), if nobody is going to: there is a token with a known end, or one that has been replaced, and
    /// somebody uses it.
    pub fn next_look(&self, now: Moment) -> Option<Instant> {
        let mut state = self.lock();
        // Whoever lands a flight looks after it.
        if state.flight.is_some() || !state.users.iter().any(|user| user.strong_count() > 0) {
            return None;
        }
        let stale_at = state.valid_token(now)?.life().stale_at(now);
        let stale = stale_at
            .into_iter()
            .chain(state.news.due(now.steady))
            .min()?;
        let pause = state
            .failed
            .as_ref()
            .map_or(stale, |failed| failed.until.steady);
        let next = stale.max(pause).max(now.steady);
        if state.look.is_some_and(|look| look <= next) {
            return None;
        }
        state.look = Some(next);
        Some(next)
    }

    /// Keeps what will call [`look`](Self::look) at that time as long as the session lives. Where it has done so already, there may be another one.
    pub fn keep_for_look(&self, due: Instant, looking: Box<dyn Any + Send>) {
        let mut state = self.lock();
        let dropped = match state.look == Some(due) {
            true => state.looking.replace(looking),
            false => Some(looking),
        };
        drop(state);
        // Without the lock: whatever it is does as it likes.
        drop(dropped);
    }

    /// Whether a new token is due, ahead of the end of the one at hand: who can fetch it, and the request to be made.
    pub fn look(self: &Arc<Self>, now: Moment) -> Option<(Arc<dyn Launch>, Takeoff)> {
        let mut state = self.lock();
        state.look = None;
        if !state.is_stale(now) {
            return None;
        }
        let user = state.users.iter().find_map(Weak::upgrade)?;
        Some((user, self.take_off(&mut state, now)))
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
            state.refused.clear();
            state.discovered = None;
            state.news.forget();
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
            news: state.news.ask(now.steady, chance()),
        }
    }

    /// What the discovery at that place said, as long as it holds.
    pub fn discovered(&self, place: &str) -> Option<Arc<str>> {
        let state = self.lock();
        let (_, discovered) = state.discovered.as_ref().filter(|(of, _)| **of == *place)?;
        Some(discovered.clone())
    }

    /// The generation of the newest token that the service has granted.
    pub fn granted(&self) -> u32 {
        self.lock().granted
    }

    /// Has the next token come after this generation, which the application has given to one of its own.
    pub fn come_after(&self, generation: u32) {
        let mut state = self.lock();
        state.generation = state.generation.max(generation);
    }

    /// The valid token, if there is one.
    #[cfg(test)]
    pub fn token(&self, now: Moment) -> Option<Token> {
        self.lock().valid_token(now).cloned()
    }

    fn is_idle(&self, now: Moment) -> bool {
        let state = self.lock();
        state.flight.is_none() && state.valid_token(now).is_none()
    }

    fn is_flying(&self) -> bool {
        self.lock().flight.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn died() -> Failure {
    Failure::transient("the request for a session token was given up before it had an answer")
}

fn all_refused() -> Failure {
    Failure::denied(format!(
        "the license server refused {STRIKES} session tokens in a row: check that auth service and license server belong together, and that this account may watch"
    ))
}

fn refused_again() -> Failure {
    Failure::denied(
        "the auth service hands out the token that the license server has refused: check that they belong together, and their clocks",
    )
}

/// A request that has begun. Whoever holds it owes an answer; dropping it is one, a failure.
pub struct Takeoff {
    session: Weak<Session>,
    flight: Arc<Flight<Outcome>>,
    landing: Option<Landing<Outcome>>,
    started: Instant,
    /// What [`News::ask`] gave.
    news: u64,
}

/// What a request brought, and how.
pub struct Brought {
    pub grant: Grant,
    /// Ties the license request to the token request in the services' logs.
    pub correlation_id: Arc<str>,
    /// Host and port of the service that granted it.
    pub place: Option<Arc<str>>,
    /// Requests made for it.
    pub attempts: u32,
}

impl Takeoff {
    /// The session that the request is for, if anybody still has it.
    pub fn session(&self) -> Option<Arc<Session>> {
        self.session.upgrade()
    }

    /// Keeps what the discovery at a place said, or forgets it; not for a session that was cleared meanwhile.
    pub fn set_discovered(&self, discovered: Option<(Arc<str>, Arc<str>)>) {
        if let Some(session) = self.session() {
            let mut state = session.lock();
            if state
                .flight
                .as_ref()
                .is_some_and(|flight| Arc::ptr_eq(flight, &self.flight))
            {
                state.discovered = discovered;
            }
        }
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
                place: brought.place,
                started: self.started,
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
                    drop(state);
                    return landing.land(Outcome::Cleared);
                }
                state.flight = None;
                match result {
                    Ok(brought) if state.refused.contains(&brought.grant.token) => {
                        let mut failure = refused_again().after_attempts(brought.attempts);
                        failure.elapsed = latency;
                        state.fail(failure.clone(), now);
                        Outcome::Failed(failure)
                    }
                    Ok(brought) => {
                        state.generation = state.generation.saturating_add(1);
                        state.granted = state.generation;
                        let token = token(brought, state.generation);
                        state.token = Some(token.clone());
                        state.since = Some(now);
                        state.news.answered(self.news);
                        state.failed = None;
                        Outcome::Token(token)
                    }
                    Err(mut failure) => {
                        failure.elapsed = latency;
                        state.fail(failure.clone(), now);
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
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn grant(lifetime: u64) -> Result<Brought, Failure> {
        Ok(Brought {
            grant: Grant {
                token: Secret::from("token"),
                lifetime: Some(Duration::from_secs(lifetime)),
            },
            correlation_id: "id".into(),
            place: None,
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
        moment.after(by).expect("a time")
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
        let answer = session.ask(later(now, 30), must_not_launch);
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
        takeoff(&session, later(now, 2)).land(grant(60), later(now, 2));
        assert!(session.token(later(now, 2)).is_some());
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
            matches!(&outcome, Some(Outcome::Failed(failure)) if failure.kind == crate::error::Kind::Transient),
            "{outcome:?}"
        );
    }

    #[test]
    fn after_a_logout_no_token_of_before_is_handed_out() {
        let session = Arc::new(Session::new());
        let now = Moment::now();
        let begun = takeoff(&session, now);
        begun.set_discovered(Some(("place".into(), "sso".into())));
        assert!(session.discovered("place").is_some());
        // Nothing secret is sent to a place that was not asked first.
        assert!(session.discovered("elsewhere").is_none());
        begun.land(grant(60), now);
        session.clear();
        assert!(session.token(now).is_none());
        assert!(session.discovered("place").is_none());

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

    fn for_ever(text: &str) -> Result<Brought, Failure> {
        grant(60).map(|brought| Brought {
            grant: Grant {
                token: Secret::from(text),
                lifetime: None,
            },
            ..brought
        })
    }

    fn rejected(session: &Arc<Session>, generation: u32, now: Moment) -> (Answer, Option<Takeoff>) {
        let mut takeoff = None;
        let answer = session.reject(generation, now, |begun| takeoff = Some(begun));
        (answer, takeoff)
    }

    #[test]
    fn a_token_close_to_its_end_is_handed_out_while_the_next_one_comes() {
        let session = Arc::new(Session::new());
        let now = Moment::now();
        takeoff(&session, now).land(grant(100), now);
        // At half of its life it is fresh, whatever chance says; a little before its end it is not.
        let answer = session.ask(later(now, 50), must_not_launch);
        assert!(matches!(answer, Answer::Token(_)));
        let close = later(now, 99);
        let mut begun = None;
        let answer = session.ask(close, |takeoff| begun = Some(takeoff));
        assert!(matches!(answer, Answer::Token(token) if token.generation() == 1));
        let answer = session.ask(close, must_not_launch);
        assert!(matches!(answer, Answer::Token(token) if token.generation() == 1));
        begun.expect("a request begins").land(grant(100), close);
        let answer = session.ask(later(now, 101), must_not_launch);
        assert!(matches!(answer, Answer::Token(token) if token.generation() == 2));
    }

    #[test]
    fn a_refresh_that_fails_is_tried_again_later_and_then_the_token_has_ended() {
        let session = Arc::new(Session::new());
        let now = Moment::now();
        takeoff(&session, now).land(grant(100), now);
        let close = later(now, 95);
        session.ask(close, |takeoff| {
            takeoff.land(Err(Failure::transient("no")), close)
        });
        // Not again at once.
        let answer = session.ask(close, must_not_launch);
        assert!(matches!(answer, Answer::Token(_)));
        let mut begun = None;
        session.ask(later(now, 98), |takeoff| begun = Some(takeoff));
        let end = later(now, 100);
        begun
            .expect("it is tried again")
            .land(Err(Failure::transient("still no")), end);
        let answer = session.ask(end, must_not_launch);
        assert!(matches!(answer, Answer::Failed(failure) if failure.what == "still no"));
    }

    #[test]
    fn a_service_in_trouble_is_asked_once_a_step_however_many_want_to() {
        let session = Arc::new(Session::new());
        let start = Moment::now();
        let mut requests = Vec::new();
        // A thousand callers a second, for a minute.
        for tick in 0..60_000_u32 {
            let now = start
                .after(Duration::from_millis(tick.into()))
                .expect("a time");
            let answer = session.ask(now, |takeoff| {
                requests.push(tick);
                takeoff.land(Err(Failure::transient("no")), now);
            });
            assert!(matches!(answer, Answer::Failed(_) | Answer::Wait(_)));
        }
        // After 2, 4, 8, 16, 30 s, each between its half and its whole.
        assert!((4..=7).contains(&requests.len()), "{requests:?}");
        // And a failure that names a time is not asked again before.
        let now = later(start, 1000);
        let mut failure = Failure::transient("later");
        failure.retry_after = Some(Duration::from_secs(100));
        takeoff(&session, now).land(Err(failure), now);
        let answer = session.ask(later(now, 99), must_not_launch);
        assert!(matches!(answer, Answer::Failed(failure) if failure.what == "later"));
        takeoff(&session, later(now, 100)).land(grant(60), later(now, 100));
    }

    #[test]
    fn a_refused_token_is_replaced_once_however_many_complain_of_it() {
        let session = Arc::new(Session::new());
        let now = Moment::now();
        takeoff(&session, now).land(for_ever("one"), now);
        let (answer, begun) = rejected(&session, 1, now);
        assert!(matches!(answer, Answer::Wait(_)));
        let (answer, second) = rejected(&session, 1, now);
        assert!(matches!(answer, Answer::Wait(_)) && second.is_none());
        begun.expect("a request begins").land(for_ever("two"), now);
        // One who complains late gets the new one, and so does everybody else.
        let (answer, begun) = rejected(&session, 1, now);
        assert!(matches!(answer, Answer::Token(token) if token.generation() == 2));
        assert!(begun.is_none());
    }

    #[test]
    fn a_refused_token_is_never_handed_out_again() {
        let session = Arc::new(Session::new());
        let now = Moment::now();
        takeoff(&session, now).land(for_ever("one"), now);
        let (_, begun) = rejected(&session, 1, now);
        begun.expect("a request begins").land(for_ever("one"), now);
        assert!(session.token(now).is_none());
        let answer = session.ask(now, must_not_launch);
        assert!(
            matches!(answer, Answer::Failed(failure) if failure.kind == crate::error::Kind::Denied)
        );
    }

    #[test]
    fn three_refused_tokens_in_a_row_are_an_error_and_no_loop() {
        let session = Arc::new(Session::new());
        let now = Moment::now();
        takeoff(&session, now).land(for_ever("one"), now);
        for (generation, next) in [(1, "two"), (2, "three")] {
            let (_, begun) = rejected(&session, generation, now);
            begun.expect("a request begins").land(for_ever(next), now);
        }
        let (answer, begun) = rejected(&session, 3, now);
        assert!(begun.is_none());
        assert!(
            matches!(answer, Answer::Failed(failure) if failure.what.contains("3 session tokens in a row"))
        );
        // Later somebody may try again.
        takeoff(&session, later(now, 60)).land(for_ever("four"), later(now, 60));
    }

    #[test]
    fn tokens_that_were_good_for_a_while_are_no_strikes() {
        let session = Arc::new(Session::new());
        let mut now = Moment::now();
        takeoff(&session, now).land(for_ever("0"), now);
        for generation in 1..10 {
            now = later(now, 3600);
            let (_, begun) = rejected(&session, generation, now);
            let text = generation.to_string();
            begun.expect("a request begins").land(for_ever(&text), now);
        }
        assert!(session.token(now).is_some());
    }

    #[test]
    fn a_thousand_callers_on_sixteen_threads_make_one_request() {
        const THREADS: usize = 16;
        let session = Arc::new(Session::new());
        let now = Moment::now();
        let (sender, receiver) = std::sync::mpsc::channel();
        let together = std::sync::Barrier::new(THREADS);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                let (session, sender, together) = (&session, sender.clone(), &together);
                scope.spawn(move || {
                    together.wait();
                    for _ in 0..1000 / THREADS {
                        session.ask(now, |takeoff| {
                            sender.send(takeoff).expect("somebody listens")
                        });
                    }
                });
            }
        });
        drop(sender);
        assert_eq!(receiver.iter().count(), 1);
    }

    #[test]
    fn in_a_storm_of_complaints_there_is_one_flight_at_a_time_and_no_refused_token_comes_back() {
        const THREADS: usize = 16;
        let session = Arc::new(Session::new());
        let start = Moment::now();
        let hours = AtomicU64::new(0);
        // Tokens that were good for a while are no strikes.
        let now = || later(start, 3600 * hours.fetch_add(1, Ordering::Relaxed));
        let flying = AtomicU64::new(0);
        let (sender, receiver) = std::sync::mpsc::channel::<Takeoff>();
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                let sender = sender.clone();
                let (session, now, flying) = (&session, &now, &flying);
                scope.spawn(move || {
                    let launch = |takeoff| {
                        assert_eq!(flying.fetch_add(1, Ordering::SeqCst), 0);
                        sender.send(takeoff).expect("somebody listens");
                    };
                    let mut refused = 0;
                    for _ in 0..100 {
                        let answer = match refused {
                            0 => session.ask(now(), launch),
                            generation => session.reject(generation, now(), launch),
                        };
                        let token = match answer {
                            Answer::Token(token) => token,
                            Answer::Wait(flight) => {
                                while flight.peek().is_none() {
                                    std::thread::yield_now();
                                }
                                granted(&flight)
                            }
                            Answer::Failed(failure) => panic!("{}", failure.what),
                        };
                        assert!(token.generation() > refused);
                        refused = token.generation();
                    }
                });
            }
            drop(sender);
            let (flying, now) = (&flying, &now);
            scope.spawn(move || {
                for (number, takeoff) in receiver.iter().enumerate() {
                    flying.fetch_sub(1, Ordering::SeqCst);
                    takeoff.land(for_ever(&number.to_string()), now());
                }
            });
        });
        assert!(session.granted() > 100);
    }

    /// Somebody who uses a session and keeps the requests that it makes.
    #[derive(Default)]
    struct User(Mutex<Vec<Takeoff>>);

    impl Launch for User {
        fn launch(self: Arc<Self>, takeoff: Takeoff) {
            lock(&self.0).push(takeoff);
        }
    }

    #[test]
    fn a_token_is_kept_fresh_for_those_who_use_it_and_for_nobody_else() {
        let session = Arc::new(Session::new());
        let now = Moment::now();
        takeoff(&session, now).land(grant(100), now);
        assert_eq!(session.next_look(now), None);
        let user = Arc::new(User::default());
        let weak: Weak<User> = Arc::downgrade(&user);
        session.enlist(weak);
        let due = session.next_look(now).expect("somebody uses it");
        assert!(due > later(now, 50).steady && due < later(now, 100).steady);
        // One who looks is enough.
        assert_eq!(session.next_look(now), None);
        let due = later(now, 99);
        let (user_now, begun) = session.look(due).expect("it is due");
        user_now.launch(begun);
        assert!(session.look(due).is_none());
        let begun = lock(&user.0).pop().expect("the user makes the request");
        begun.land(grant(100), due);
        assert_eq!(session.token(due).map(|token| token.generation()), Some(2));

        drop(user);
        assert_eq!(session.next_look(due), None);
        assert!(session.look(later(due, 99)).is_none());
    }

    /// A session with a token without an end, and somebody who uses it.
    fn in_use(now: Moment) -> (Arc<Session>, Arc<User>) {
        let session = Arc::new(Session::new());
        takeoff(&session, now).land(for_ever("first"), now);
        let user = Arc::new(User::default());
        let weak: Weak<User> = Arc::downgrade(&user);
        session.enlist(weak);
        (session, user)
    }

    #[test]
    fn a_token_that_the_service_has_replaced_is_handed_out_until_the_other_one_is_here() {
        let now = Moment::now();
        let (session, user) = in_use(now);
        assert_eq!(session.next_look(now), None);
        for _ in 0..1000 {
            session.changed();
        }
        assert_eq!(session.next_look(now), Some(now.steady));
        let (_, begun) = session.look(now).expect("it is due");
        // Whoever asks meanwhile neither waits nor asks the service.
        let answer = session.ask(now, must_not_launch);
        assert!(matches!(answer, Answer::Token(token) if token.generation() == 1));
        assert_eq!(session.next_look(now), None);
        begun.land(for_ever("second"), now);
        assert_eq!(session.token(now).map(|token| token.generation()), Some(2));
        assert_eq!(session.next_look(later(now, 60)), None);
        drop(user);
    }

    #[test]
    fn a_replaced_token_that_cannot_be_read_is_tried_again_later() {
        let now = Moment::now();
        let (session, user) = in_use(now);
        session.changed();
        let (_, begun) = session.look(now).expect("it is due");
        begun.land(Err(Failure::transient("not now")), now);
        assert_eq!(session.token(now).map(|token| token.generation()), Some(1));
        let due = session.next_look(now).expect("it is still to be read");
        assert!(due > now.steady && due <= later(now, 2).steady);
        assert!(session.look(later(now, 2)).is_some());
        drop(user);
    }

    #[test]
    fn what_nobody_heard_counts_for_tokens_that_are_not_of_this_tune() {
        let now = Moment::now();
        let (session, user) = in_use(now);
        session.heard(later(now, 59));
        assert_eq!(session.next_look(later(now, 59)), None);
        session.heard(later(now, 60));
        assert!(session.next_look(later(now, 60)).is_some());
        drop(user);
    }

    #[test]
    fn what_users_hold_together_begins_anew_once_none_of_them_does() {
        let session = Session::new();
        let begin = || -> Arc<dyn Any + Send + Sync> { Arc::new(()) };
        let first = session.shared(begin);
        let second = session.shared(|| panic!("there is one"));
        drop(first);
        drop(session.shared(|| panic!("one still holds it")));
        let gone = Arc::downgrade(&second);
        drop(second);
        assert!(gone.upgrade().is_none());
        drop(session.shared(begin));
    }
}
