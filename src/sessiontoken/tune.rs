// SPDX-License-Identifier: MIT OR Apache-2.0

//! One tune, from READY→PAUSED to PAUSED→READY: which token it has, how long it waited, how it failed.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::auth_service::rdk;
use crate::failure::Failure;
use crate::flight::{Flight, Wake, nobody};
use crate::http::{self, Endpoint, Request};
use crate::runtime;
use crate::session::{Answer, Moment, Outcome, Takeoff, Token};

use super::key_request::Flow;
use super::settings::{Given, Policy, Source, deadline, read_file};

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
    announced: Option<u32>,
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
    pub fn new(policy: Arc<Policy>) -> Self {
        let file = match &policy.source {
            Source::File(path) => Some(read_file(path)),
            Source::Service { .. } => None,
        };
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

    /// Begins the request, if there is one to make. Nobody waits for it yet.
    pub fn prefetch(&mut self, now: Instant) {
        if let Source::Service { session, endpoint } = &self.policy.source
            && let Answer::Wait(flight) = session.ask(now, |takeoff| {
                launch(takeoff, endpoint, self.policy.timeout)
            })
        {
            self.asked = true;
            self.flight = Some(flight);
        }
    }

    /// Whether an event may go, now. Where it has to wait, `waiter` is woken when that changes.
    pub fn verdict(
        &mut self,
        app_token: Option<&Given>,
        waiter: &Weak<dyn Wake>,
        now: Instant,
    ) -> Verdict {
        let verdict = match (app_token.or(self.file.as_ref()), &self.failed) {
            (Some(Ok(token)), _) => Verdict::Go(token.clone()),
            (Some(Err(failure)), _) | (None, Some(failure)) => Verdict::Failed(failure.clone()),
            (None, None) => self.ask(waiter, now),
        };
        if !matches!(verdict, Verdict::Wait(_))
            && let Some(since) = self.waiting_since.take()
        {
            self.waited += now.saturating_duration_since(since);
        }
        if let Verdict::Failed(failure) = &verdict {
            self.failed = Some(failure.clone());
        }
        verdict
    }

    fn ask(&mut self, waiter: &Weak<dyn Wake>, now: Instant) -> Verdict {
        let Source::Service { session, endpoint } = &self.policy.source else {
            return Verdict::Failed(Failure::misconfigured("there is no auth service to ask"));
        };
        // A token that came by another's flight, or is newer than this tune's.
        if let Some(token) = session.token(now) {
            self.flight = None;
            return Verdict::Go(token);
        }
        let flight = match self.flight.take() {
            // What was fetched ahead may have ended before it was needed.
            Some(flight) if self.waiting_since.is_some() || !is_stale(&flight, now) => flight,
            _ => match session.ask(now, |takeoff| {
                launch(takeoff, endpoint, self.policy.timeout);
            }) {
                Answer::Token(token) => return Verdict::Go(token),
                Answer::Failed(failure) => return Verdict::Failed(failure),
                Answer::Wait(flight) => {
                    self.asked = true;
                    flight
                }
            },
        };
        match flight.poll(waiter) {
            // A token that ended while it was waited for (a very short life) counts as an answer
            // all the same: asking again at once would spin.
            Some(Ok(token)) => Verdict::Go(token),
            Some(Err(failure)) => Verdict::Failed(failure),
            None => {
                let since = *self.waiting_since.get_or_insert(now);
                let until = deadline(self.policy.timeout, since);
                if now >= until {
                    return Verdict::Failed(overdue(endpoint, self.policy.timeout));
                }
                self.flight = Some(flight);
                Verdict::Wait(until)
            }
        }
    }

    /// What to tell the application of this token; `None` where it knows already.
    pub fn announce(&mut self, token: &Token) -> Option<Report> {
        if self.announced.replace(token.generation()) == Some(token.generation()) {
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
        self.announced
    }
}

fn is_stale(flight: &Flight<Outcome>, now: Instant) -> bool {
    matches!(flight.poll(&nobody()), Some(Ok(token)) if !token.is_valid(now))
}

fn overdue(endpoint: &Endpoint, timeout: Duration) -> Failure {
    Failure::timed_out(format!(
        "no session token from {} within {} ms: check that it runs, or raise `timeout`",
        endpoint.place(),
        timeout.as_millis()
    ))
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
        let result = match http::send(request).await {
            Ok(reply) => rdk::read_reply(reply.status, &reply.body),
            Err(failure) => Err(failure),
        };
        let result = result.map_err(|mut failure| {
            failure.attempts = 1;
            failure
        });
        takeoff.land(result, Moment::now());
    }));
}
