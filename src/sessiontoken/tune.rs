// SPDX-License-Identifier: MIT OR Apache-2.0

//! One tune, from READY→PAUSED to PAUSED→READY: which token it has, how long it waited, how it failed.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::flight::{Flight, Wake, deadline};
use crate::session::{Answer, Moment, Outcome, Token};

use super::app_token::{Asked, Given};
use super::key_request::Flow;
use super::policy::{Policy, Source};

/// What an event may do.
pub enum Verdict {
    /// Take this token along.
    Go(Token),
    /// Wait, at the latest until then.
    Wait(Instant),
    /// There is no token for this tune.
    Failed(Failure),
}

/// What the application says when it is asked for a token of its own.
enum Application {
    NotAsked,
    Asked(Arc<Asked>),
    Gave(Given),
    /// It has none, or nobody listens to the signal.
    Declined,
}

pub struct Tune {
    policy: Arc<Policy>,
    file: Option<Given>,
    application: Application,
    flight: Option<Arc<Flight<Outcome>>>,
    asked: bool,
    waiting_since: Option<Instant>,
    waited: Duration,
    failed: Option<Failure>,
    /// Whose token of which generation the application knows of.
    announced: Option<(&'static str, u32)>,
    /// The application has been told of the failure.
    pub reported: bool,
    pub flow: Flow,
    pub events: u64,
}

/// What the application may know of a tune.
pub struct Report {
    pub waited: Duration,
    /// The token was there without a request by this tune.
    pub cached: bool,
    /// It takes the place of another one of this tune.
    pub refreshed: bool,
}

impl Tune {
    /// `file` is the token of `session-token-file`, where that is the source.
    pub fn new(policy: Arc<Policy>, file: Option<Given>) -> Self {
        Self {
            policy,
            file,
            application: Application::NotAsked,
            flight: None,
            asked: false,
            waiting_since: None,
            waited: Duration::ZERO,
            failed: None,
            announced: None,
            reported: false,
            flow: Flow::default(),
            events: 0,
        }
    }

    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// Begins what there is to begin: asks the application, and where that has no token of its own, the service. Nobody
    /// waits for it yet, and whether its answer is still good is decided when it is needed.
    pub fn prefetch(&mut self, ask_application: impl FnOnce() -> Option<Arc<Asked>>, now: Moment) {
        if self.file.is_some() {
            return;
        }
        if let Application::NotAsked = self.application {
            self.application = match ask_application() {
                Some(asked) => Application::Asked(asked),
                None => Application::Declined,
            };
        }
        self.look_for_answer();
        if let (Application::Declined, Source::Service(acquisition)) =
            (&self.application, &self.policy.source)
        {
            let mut asked = false;
            acquisition.ask(now, || asked = true);
            self.asked |= asked;
        }
    }

    /// Whether an event may go, now. Where it has to wait, `waiter` is woken when that changes.
    pub fn verdict(
        &mut self,
        app_token: Option<&Given>,
        ask_application: impl FnOnce() -> Option<Arc<Asked>>,
        waiter: &Weak<dyn Wake>,
        now: Moment,
    ) -> Verdict {
        let verdict = match (app_token.or(self.file.as_ref()), &self.failed) {
            (Some(Ok(token)), _) => Verdict::Go(token.clone()),
            (Some(Err(failure)), _) | (None, Some(failure)) => Verdict::Failed(failure.clone()),
            (None, None) => self.ask(ask_application, waiter, now),
        };
        if !matches!(verdict, Verdict::Wait(_))
            && let Some(since) = self.waiting_since.take()
        {
            self.waited += now.steady.saturating_duration_since(since);
        }
        if let Verdict::Failed(failure) = &verdict {
            self.failed = Some(failure.clone());
        }
        verdict
    }

    fn ask(
        &mut self,
        ask_application: impl FnOnce() -> Option<Arc<Asked>>,
        waiter: &Weak<dyn Wake>,
        now: Moment,
    ) -> Verdict {
        if let Application::NotAsked = self.application {
            self.application = match ask_application() {
                Some(asked) => Application::Asked(asked),
                None => Application::Declined,
            };
        }
        if let Application::Asked(asked) = &self.application {
            // Looking and registering in one, so that no answer falls between them.
            if asked.poll(waiter).is_none() {
                return self.wait(now).unwrap_or_else(|| {
                    Verdict::Failed(Failure::timed_out(format!(
                        "the application's handler of `request-token` gave nothing back within {} ms: raise `timeout`",
                        self.policy.timeout.as_millis()
                    )))
                });
            }
        }
        self.look_for_answer();
        if let Application::Gave(given) = &self.application {
            return match given {
                Ok(token) => Verdict::Go(token.clone()),
                Err(failure) => Verdict::Failed(failure.clone()),
            };
        }
        self.ask_service(waiter, now)
    }

    /// Takes in what the application answered, if it has.
    fn look_for_answer(&mut self) {
        if let Application::Asked(asked) = &self.application
            && let Some(answer) = asked.peek()
        {
            self.application = match answer {
                Some(given) => Application::Gave(given),
                None => Application::Declined,
            };
        }
    }

    fn ask_service(&mut self, waiter: &Weak<dyn Wake>, now: Moment) -> Verdict {
        let Source::Service(acquisition) = &self.policy.source else {
            return Verdict::Failed(Failure::misconfigured("there is no auth service to ask"));
        };
        let acquisition = acquisition.clone();
        loop {
            let flight = match self.flight.take() {
                Some(flight) => flight,
                None => match acquisition.ask(now, || self.asked = true) {
                    Answer::Token(token) => return Verdict::Go(token),
                    Answer::Failed(failure) => return Verdict::Failed(failure),
                    Answer::Wait(flight) => flight,
                },
            };
            match flight.poll(waiter) {
                // A token that ended while it was waited for (a very short life) counts as an answer
                // all the same: asking again at once would spin.
                Some(Outcome::Token(token)) => return Verdict::Go(token),
                Some(Outcome::Failed(failure)) => return Verdict::Failed(failure),
                // Each turn takes a call of `clear-token`.
                Some(Outcome::Cleared) => {}
                None => {
                    let Some(verdict) = self.wait(now) else {
                        return Verdict::Failed(acquisition.overdue());
                    };
                    self.flight = Some(flight);
                    return verdict;
                }
            }
        }
    }

    /// `None` where the time for waiting is over.
    fn wait(&mut self, now: Moment) -> Option<Verdict> {
        let since = *self.waiting_since.get_or_insert(now.steady);
        let until = deadline(self.policy.timeout, since);
        (now.steady < until).then_some(Verdict::Wait(until))
    }

    /// Forgets what the application said and how this tune failed, and so that the next event asks anew. `file`
    /// is read again.
    pub fn begin_anew(&mut self, file: Option<Given>) {
        self.file = file;
        self.application = Application::NotAsked;
        self.flight = None;
        self.failed = None;
    }

    /// Whether the application gives the tokens itself.
    pub fn is_applications(&self, has_app_token: bool) -> bool {
        has_app_token
            || matches!(
                self.application,
                Application::Asked(_) | Application::Gave(_)
            )
    }

    /// Where the token comes from that an event would get now, in a word.
    pub fn service(&self, has_app_token: bool) -> &'static str {
        if self.is_applications(has_app_token) {
            APPLICATION
        } else {
            self.policy.source.nick()
        }
    }

    /// What to tell the application of this token from `service`; `None` where it knows already.
    pub fn announce(&mut self, service: &'static str, token: &Token) -> Option<Report> {
        let before = self.announced.replace((service, token.generation()));
        if before == Some((service, token.generation())) {
            return None;
        }
        Some(Report {
            waited: self.waited,
            cached: !std::mem::take(&mut self.asked),
            refreshed: before.is_some(),
        })
    }

    /// How long this tune's events were held for a token.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// The generation of the token that was handed out last.
    pub fn generation(&self) -> Option<u32> {
        self.announced.map(|(_, generation)| generation)
    }
}

/// The word for the application itself, beside the services' nicks.
const APPLICATION: &str = "application";
