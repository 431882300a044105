// SPDX-License-Identifier: MIT OR Apache-2.0

//! One tune, from READY→PAUSED to PAUSED→READY: which token it has, how long it waited, how it failed.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::auth_service::rdk;
use crate::failure::Failure;
use crate::flight::{Flight, Wake, deadline};
use crate::http::{self, Endpoint, Request};
use crate::runtime;
use crate::session::{Answer, Moment, Outcome, Takeoff, Token};

use super::key_request::Flow;
use super::settings::{Given, Policy, Source};

/// What an event may do.
pub enum Verdict {
    /// Take this token along.
    Go(Token),
    /// Wait, at the latest until then.
    Wait(Instant),
    /// There is no token for this tune.
    Failed(Failure),
}

pub struct Tune {
    policy: Arc<Policy>,
    file: Option<Given>,
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
}

impl Tune {
    /// `file` is the token of `session-token-file`, where that is the source.
    pub fn new(policy: Arc<Policy>, file: Option<Given>) -> Self {
        Self {
            policy,
            file,
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

    /// Begins the request, if there is one to make. Nobody waits for it yet, and whether its answer is still
    /// good is decided when it is needed.
    pub fn prefetch(&mut self, now: Moment) {
        if let Source::Service { session, endpoint } = &self.policy.source {
            session.ask(now, |takeoff| {
                self.asked = true;
                launch(takeoff, endpoint, self.policy.timeout);
            });
        }
    }

    /// Whether an event may go, now. Where it has to wait, `waiter` is woken when that changes.
    pub fn verdict(
        &mut self,
        app_token: Option<&Given>,
        waiter: &Weak<dyn Wake>,
        now: Moment,
    ) -> Verdict {
        let verdict = match (app_token.or(self.file.as_ref()), &self.failed) {
            (Some(Ok(token)), _) => Verdict::Go(token.clone()),
            (Some(Err(failure)), _) | (None, Some(failure)) => Verdict::Failed(failure.clone()),
            (None, None) => self.ask(waiter, now),
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

    fn ask(&mut self, waiter: &Weak<dyn Wake>, now: Moment) -> Verdict {
        let Source::Service { session, endpoint } = &self.policy.source else {
            return Verdict::Failed(Failure::misconfigured("there is no auth service to ask"));
        };
        let flight = match self.flight.take() {
            Some(flight) => flight,
            None => match session.ask(now, |takeoff| {
                self.asked = true;
                launch(takeoff, endpoint, self.policy.timeout);
            }) {
                Answer::Token(token) => return Verdict::Go(token),
                Answer::Failed(failure) => return Verdict::Failed(failure),
                Answer::Wait(flight) => flight,
            },
        };
        match flight.poll(waiter) {
            // A token that ended while it was waited for (a very short life) counts as an answer
            // all the same: asking again at once would spin.
            Some(Ok(token)) => Verdict::Go(token),
            Some(Err(failure)) => Verdict::Failed(failure),
            None => {
                let since = *self.waiting_since.get_or_insert(now.steady);
                let until = deadline(self.policy.timeout, since);
                if now.steady >= until {
                    return Verdict::Failed(overdue(endpoint, self.policy.timeout));
                }
                self.flight = Some(flight);
                Verdict::Wait(until)
            }
        }
    }

    /// What to tell the application of this token from `service`; `None` where it knows already.
    pub fn announce(&mut self, service: &'static str, token: &Token) -> Option<Report> {
        let announced = (service, token.generation());
        if self.announced.replace(announced) == Some(announced) {
            return None;
        }
        Some(Report {
            waited: self.waited,
            cached: !std::mem::take(&mut self.asked),
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

fn overdue(endpoint: &Endpoint, timeout: Duration) -> Failure {
    let mut failure = Failure::timed_out(format!(
        "no session token from {} within {} ms: check that it runs, or raise `timeout`",
        endpoint.place(),
        timeout.as_millis()
    ));
    failure.attempts = 1;
    failure.elapsed = timeout;
    failure
}

/// Sends the request on the runtime, which owns it from here on.
fn launch(takeoff: Takeoff, endpoint: &Endpoint, timeout: Duration) {
    let request = Request {
        url: endpoint.clone(),
        headers: Vec::new(),
        body: None,
        timeout,
    };
    let runtime = match runtime::get() {
        Ok(runtime) => runtime,
        Err(failure) => return takeoff.land(Err(failure), Moment::now()),
    };
    // Not awaited: the result travels through the flight that the task lands.
    drop(runtime.spawn(async move {
        let result = http::send(request)
            .await
            .and_then(|reply| rdk::read_reply(reply.status, &reply.body))
            .map_err(|failure| failure.after_attempts(1));
        takeoff.land(result, Moment::now());
    }));
}
