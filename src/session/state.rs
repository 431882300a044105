// SPDX-License-Identifier: MIT OR Apache-2.0

//! What becomes of a session: every rule about its token, without clocks or a runtime.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::backoff::chance;
use crate::error::Failure;
use crate::shared_result::SharedResult;
use crate::token::{ClockReading, Token};

use super::change_notices::ChangeNotices;
use super::failures::Failures;
use super::fetcher::{Discovered, FetchReason, Fetched, SessionObserver, TokenFetcher};
use super::rejections::{REJECT_WINDOW, Rejections};
use super::request::{
    Answer, Listener, Outcome, Pending, Step, Ticket, abandoned, all_rejected, rejected_again,
};

/// A token is used for so long at the least, whatever its end, and replaced after half of it. Where
/// service and box do not agree what o'clock it is, a token may be about to end when it comes, and
/// so may the next one: not every box of a city may ask all the time.
const MIN_LIFETIME: Duration = Duration::from_secs(4);

/// A token that came longer ago than this while nobody listened for changes is read again once
/// somebody does. One that came for the tune that just begins is not; where it has changed since,
/// the license server rejects it.
const STALE_WITHOUT_EVENTS: Duration = Duration::from_secs(60);

/// Generations of one text that are remembered. A license request with an older one has long ended.
const MAX_SAME_TEXT: usize = 8;

/// One session's state.
#[derive(Default)]
pub struct State {
    /// Counts what the task has to know of.
    version: u64,
    /// There is a task.
    has_task: bool,
    token: Option<Token>,
    login: Option<u32>, // The first generation since the last logout.
    /// Generations that the same text had before, the newest last.
    same_text: Vec<u32>,
    /// When that came.
    fetched_at: Option<ClockReading>,
    /// It was about to end when it came. Others end as the clocks say, however they are set.
    was_about_to_end: bool,
    /// A token has been granted, since when there may be changes to listen for.
    was_granted: bool,
    pending: Option<Pending>,
    failures: Failures,
    rejections: Rejections,
    discovered: Option<Discovered>,
    notices: ChangeNotices,
    users: Vec<User>,
    last_user: u64,
    /// Counts the times that the last user went.
    rounds: u64,
}

/// Somebody who uses the session.
struct User {
    number: u64,
    fetcher: Arc<dyn TokenFetcher>,
    observer: Option<Arc<dyn SessionObserver>>,
}

impl State {
    fn valid_token(&self, now: ClockReading) -> Option<&Token> {
        let is_new = self.was_about_to_end && !self.is_older_than(MIN_LIFETIME, now);
        self.token
            .as_ref()
            .filter(|token| is_new || token.validity().is_valid(now))
    }

    fn fail(&mut self, failure: Failure, now: ClockReading) {
        let left = self
            .valid_token(now)
            .and_then(|token| token.validity().left(now));
        self.failures.add(failure, left, now);
    }

    /// Whether the last token came so long ago.
    fn is_older_than(&self, age: Duration, now: ClockReading) -> bool {
        let then = self.fetched_at.and_then(|since| since.after(age));
        then.is_some_and(|then| then.has_come(now))
    }

    /// Whether a new token is to be fetched though there is a valid one.
    fn needs_refresh(&self, now: ClockReading) -> bool {
        self.pending.is_none()
            && self.valid_token(now).is_some_and(|token| {
                let changed = self.notices.due(now.steady);
                let has_changed = changed.is_some_and(|due| due <= now.steady);
                let is_stale =
                    token.validity().is_stale(now) && self.is_older_than(MIN_LIFETIME / 2, now);
                is_stale && self.failures.allow_renewal(now)
                    || has_changed && self.failures.answer(now).is_none()
            })
    }

    /// Begins a request.
    fn begin(
        &mut self,
        fetcher: &Arc<dyn TokenFetcher>,
        now: ClockReading,
    ) -> Arc<SharedResult<Outcome>> {
        let (result, completer) = SharedResult::pending(Outcome::Failed(abandoned()));
        let ticket = Ticket {
            completer,
            started: now.steady,
            reason: match (self.valid_token(now), self.rejections.last()) {
                (Some(token), _) => FetchReason::Renewal {
                    generation: token.generation(),
                },
                (None, Some((generation, http_status))) => FetchReason::Refused {
                    generation,
                    http_status,
                },
                (None, None) => FetchReason::First,
            },
            notices: self.notices.requested(now.steady, chance()),
        };
        self.pending = Some(Pending {
            result: result.clone(),
            start: Some((fetcher.clone(), ticket)),
        });
        self.version += 1;
        result
    }

    /// See `SessionHandle::ask`.
    pub fn ask(&mut self, fetcher: &Arc<dyn TokenFetcher>, now: ClockReading) -> Answer {
        if let Some(token) = self.newest(fetcher, now) {
            return Answer::Token(token);
        }
        if let Some(pending) = &self.pending {
            return Answer::Pending {
                result: pending.result.clone(),
                began: false,
            };
        }
        if let Some(failure) = self.failures.answer(now) {
            return Answer::Failed(failure.clone());
        }
        Answer::Pending {
            result: self.begin(fetcher, now),
            began: true,
        }
    }

    /// See `SessionHandle::newest`.
    pub fn newest(&mut self, fetcher: &Arc<dyn TokenFetcher>, now: ClockReading) -> Option<Token> {
        let token = self.valid_token(now)?.clone();
        if self.needs_refresh(now) {
            self.begin(fetcher, now);
        }
        Some(token)
    }

    /// See `SessionHandle::refresh`.
    pub fn refresh(&mut self, fetcher: &Arc<dyn TokenFetcher>, now: ClockReading) {
        if self.pending.is_none() {
            self.begin(fetcher, now);
        }
    }

    /// The license side has rejected the token of that generation.
    pub fn reject(&mut self, generation: u32, http_status: u32, now: ClockReading) {
        let was_usable = self.valid_token(now).is_some();
        let had_its_text = self.same_text.contains(&generation);
        let is_it = |token: &mut Token| token.generation() == generation || had_its_text;
        let Some(token) = self.token.take_if(is_it) else {
            return;
        };
        if !was_usable {
            // It has only ended. What comes next may have the same text.
            return;
        }
        for generation in &self.same_text {
            crate::token::reject(*generation);
        }
        token.reject();
        let was_good = self.is_older_than(REJECT_WINDOW, now);
        if self.rejections.add(&token, http_status, was_good, now) {
            self.fail(all_rejected(), now);
        }
    }

    /// The service says that there is another token. The one at hand is used until that is here.
    pub fn mark_changed(&mut self) {
        self.notices.add();
        self.version += 1;
    }

    /// Somebody listens for changes from now on. Nobody knows what the service said before.
    pub fn subscription_started(&mut self, now: ClockReading) {
        if self.is_older_than(STALE_WITHOUT_EVENTS, now) {
            self.mark_changed();
        }
    }

    /// The next token is of another login than those before.
    pub fn begin_login(&mut self) {
        self.login = None;
    }

    /// Forgets all but who uses the session. Gives the request that was pending.
    pub fn clear(&mut self) -> Option<Pending> {
        self.token = None;
        self.login = None;
        self.fetched_at = None;
        self.failures.forget();
        self.rejections = Rejections::default();
        self.discovered = None;
        self.notices.forget();
        self.version += 1;
        self.pending.take()
    }

    /// Somebody uses the session from now on. Gives their number.
    pub fn add_user(
        &mut self,
        fetcher: Arc<dyn TokenFetcher>,
        observer: Option<Arc<dyn SessionObserver>>,
    ) -> u64 {
        self.last_user += 1;
        self.users.push(User {
            number: self.last_user,
            fetcher,
            observer,
        });
        self.version += 1;
        self.last_user
    }

    pub fn remove_user(&mut self, number: u64) {
        self.users.retain(|user| user.number != number);
        self.rounds += u64::from(self.users.is_empty());
        self.version += 1;
    }

    /// Those who want to know what the session does.
    pub fn observers(&self) -> Vec<Arc<dyn SessionObserver>> {
        let observers = self.users.iter().filter_map(|user| user.observer.clone());
        observers.collect()
    }

    /// Whether the session is worth nothing to anybody.
    pub fn is_idle(&self, now: ClockReading) -> bool {
        self.pending.is_none() && self.valid_token(now).is_none()
    }

    pub fn is_fetching(&self) -> bool {
        self.pending.is_some()
    }

    /// Changes with each thing that the task has to know of.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether there is something to do and no task yet. There is one from now on.
    pub fn starts_task(&mut self) -> bool {
        let starts = !self.has_task && self.has_work();
        self.has_task |= starts;
        starts
    }

    /// A request to make, or a token to keep fresh.
    fn has_work(&self) -> bool {
        self.pending.is_some() || (self.was_granted && !self.users.is_empty())
    }

    /// There is no task any more, for that reason. Gives the request that nobody makes now.
    pub fn task_ended(&mut self, failure: &Failure, now: ClockReading) -> Option<Pending> {
        self.has_task = false;
        let pending = self.pending.take()?;
        self.fail(failure.clone(), now);
        Some(pending)
    }

    /// What the task does next, which is not making a request.
    pub fn next_step(&mut self, now: ClockReading) -> Step {
        if self.needs_refresh(now)
            && let Some(user) = self.users.first()
        {
            let fetcher = user.fetcher.clone();
            self.begin(&fetcher, now);
        }
        let start = self.pending.as_mut().and_then(|one| one.start.take());
        if let Some((fetcher, ticket)) = start {
            return Step::Fetch(fetcher, ticket, self.discovered.clone());
        }
        if !self.has_work() {
            self.has_task = false;
            return Step::Stop;
        }
        Step::Wait {
            until: self.next_refresh(now),
            listener: self.listener(),
        }
    }

    /// Next refresh check. `None` where a request is pending, nobody uses the session, or the token
    /// never expires.
    fn next_refresh(&self, now: ClockReading) -> Option<Instant> {
        if self.pending.is_some() || self.users.is_empty() {
            return None;
        }
        let not_before = self.fetched_at.and_then(|at| at.after(MIN_LIFETIME / 2));
        let stale_at = self.valid_token(now)?.validity().stale_at(now);
        let not_before = not_before
            .map(|at| at.steady)
            .max(self.failures.renews_at());
        let stale_at = stale_at.max(stale_at.and(not_before));
        let changed = self.notices.due(now.steady);
        let changed = changed.max(changed.and(self.failures.answers_until()));
        let due = stale_at.into_iter().chain(changed).min()?;
        Some(due.max(now.steady))
    }

    fn listener(&self) -> Option<Listener> {
        let user = self.users.first().filter(|_| self.was_granted)?;
        Some(Listener {
            fetcher: user.fetcher.clone(),
            round: self.rounds,
        })
    }

    /// Whether that request is still wanted.
    pub fn is_current(&self, ticket: &Ticket) -> bool {
        let pending = self.pending.as_ref();
        pending.is_some_and(|pending| ticket.completer.is_for(&pending.result))
    }

    /// Takes in what came of a request. Gives what to tell who waits for it.
    pub fn finish(&mut self, ticket: &Ticket, fetched: Fetched, now: ClockReading) -> Outcome {
        if !self.is_current(ticket) {
            return Outcome::Cleared;
        }
        self.pending = None;
        self.discovered = fetched.discovered;
        let latency = now.steady.saturating_duration_since(ticket.started);
        let result = fetched.result.and_then(|response| {
            match self.rejections.contains(&response.grant.token, now) {
                true => Err(rejected_again().after_attempts(response.attempts)),
                false => Ok(response.into_token(ticket.started, latency, now)),
            }
        });
        match result {
            Ok(token) => {
                token.descend_from(*self.login.get_or_insert(token.generation()));
                let before = self.token.replace(token.clone());
                self.note_same_text(before);
                self.fetched_at = Some(now);
                let least = now.after(MIN_LIFETIME);
                let is_valid = |at| token.validity().is_valid(at);
                self.was_about_to_end = !least.is_none_or(is_valid);
                self.was_granted = true;
                self.rejections.token_came();
                self.notices.answered(ticket.notices);
                self.failures.forget();
                Outcome::Token(token)
            }
            Err(mut failure) => {
                failure.elapsed = latency;
                self.fail(failure.clone(), now);
                Outcome::Failed(failure)
            }
        }
    }

    /// A service may give the same text again, which is rejected with any of its generations.
    fn note_same_text(&mut self, before: Option<Token>) {
        match (before, &self.token) {
            (Some(before), Some(token)) if before.text() == token.text() => {
                if self.same_text.len() == MAX_SAME_TEXT {
                    self.same_text.remove(0);
                }
                self.same_text.push(before.generation());
            }
            _ => self.same_text.clear(),
        }
    }
}

#[cfg(test)]
mod tests;
