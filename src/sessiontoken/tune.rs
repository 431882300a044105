// SPDX-License-Identifier: MIT OR Apache-2.0

//! One tune, from READY→PAUSED to PAUSED→READY: which token it has, how long it waited, how it failed.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::error::Failure;
use crate::flight::{Flight, Wake, deadline};
use crate::session::{Answer, Moment, Outcome, Token};

use super::acquisition::{Acquisition, InUse};
use super::app_token::{Asked, Given};
use super::authorization::{Authorization, Due};
use super::issued::Issued;
use super::kept::Kept;
use super::key_request::{self, Flow};
use super::policy::{Policy, Source};
use super::presentation::Stream;

/// Until the data comes that an event describes; whoever brings it wakes us.
const A_LONG_TIME: Duration = Duration::from_secs(3600);

/// What an event may do.
pub enum Verdict {
    /// Take this token along, which is from that service.
    Go(Token, &'static str),
    /// Wait, at the latest until then.
    Wait(Instant),
    /// Go without one: the stream demands none.
    Bare,
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
    /// Where the stream says whom to ask.
    authorization: Option<Authorization>,
    /// The service that is asked, once that is known.
    /// As long as this is here its token is kept fresh.
    service: Option<InUse>,
    issued: Issued,
    /// The highest generation that decryptors may know.
    highest: u32,
    file: Option<Given>,
    application: Application,
    /// What went out last and from where. During a refresh it goes on.
    last: Option<(Token, &'static str)>,
    is_refreshing: bool,
    asked_application: bool,
    flight: Option<Arc<Flight<Outcome>>>,
    asked: bool,
    waiting_since: Option<Instant>,
    waited: Duration,
    /// When the last of the waits began that the application has not been told of.
    waited_since: Option<Instant>,
    failed: Option<Failure>,
    /// Whose token of which generation the application knows of.
    announced: Option<(&'static str, u32)>,
    /// What it was told of that.
    report: Option<Report>,
    /// The application has been told of the failure.
    pub reported: bool,
    /// And of why a decryptor got no other token.
    pub told_of_failure: bool,
    /// The highest generation that the license side has refused.
    refused: u32,
    /// The generation that went out last.
    pub sent: u32,
    pub kept: Kept,
    pub flow: Flow,
    pub events: u64,
    /// Another element upstream has put the key requests on the events.
    pub is_anothers: bool,
}

/// What the application may know of a tune.
#[derive(Clone, Copy)]
pub struct Report {
    /// How long this tune's events have been held for tokens.
    pub waited: Duration,
    /// How long the request for this one took.
    pub latency: Duration,
    /// That part of it for which no event was held, because it ran beside other work, or before.
    pub overlap: Duration,
    /// The token was there without a request by this tune.
    pub cached: bool,
    /// It takes the place of another one of this tune.
    pub refreshed: bool,
}

impl Tune {
    /// `file` is the token of `session-token-file`, where that is the source. `stream` is this one among those of its presentation.
    pub fn new(policy: Arc<Policy>, file: Option<Given>, stream: Arc<Stream>) -> Self {
        let (authorization, service) = match &policy.source {
            Source::File(_) => (None, None),
            Source::Service(acquisition) => (None, Some(acquisition.keep_fresh())),
            Source::DashIf(_) => (Some(Authorization::new(stream)), None),
        };
        Self {
            policy,
            authorization,
            service,
            issued: Issued::default(),
            highest: 0,
            file,
            application: Application::NotAsked,
            last: None,
            is_refreshing: false,
            asked_application: false,
            flight: None,
            asked: false,
            waiting_since: None,
            waited: Duration::ZERO,
            waited_since: None,
            failed: None,
            announced: None,
            report: None,
            reported: false,
            told_of_failure: false,
            refused: 0,
            sent: 0,
            kept: Kept::default(),
            flow: Flow::default(),
            events: 0,
            is_anothers: false,
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
        self.ask_application(ask_application);
        self.look_for_answer();
        if let (Application::Declined, Some(acquisition)) = (&self.application, self.acquisition())
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
        let verdict = match (app_token, &self.file, &self.failed) {
            (None, Some(given), _) if self.is_refused(given) => Verdict::Failed(file_refused()),
            (Some(given), _, _) if self.is_refused(given) => {
                // It may give another one, which wakes who waits.
                self.wait(now).unwrap_or_else(|| Verdict::Failed(refused()))
            }
            (Some(given), _, _) => go(given, APPLICATION),
            (None, Some(given), _) => go(given, self.policy.source.nick()),
            (None, None, Some(failure)) => Verdict::Failed(failure.clone()),
            (None, None, None) => {
                let verdict = self.ask(ask_application, waiter, now);
                if let Verdict::Failed(failure) = &verdict {
                    self.failed = Some(failure.clone());
                }
                verdict
            }
        };
        if !matches!(verdict, Verdict::Wait(_)) {
            self.stop_waiting(now);
        }
        if let Verdict::Go(token, service) = &verdict {
            self.last = Some((token.clone(), *service));
        }
        verdict
    }

    fn is_refused(&self, given: &Given) -> bool {
        matches!(given, Ok(token) if token.generation() <= self.refused)
    }

    /// The newest valid token that is here.
    pub fn newest(&mut self, app_token: Option<&Given>, now: Moment) -> Option<Token> {
        self.look_for_answer();
        let given = match (app_token.or(self.file.as_ref()), &self.application) {
            (Some(given), _) | (None, Application::Gave(given)) => given,
            (None, _) => {
                let token = self.acquisition()?.newest(now)?;
                return Some(self.number(token));
            }
        };
        let token = given.as_ref().ok()?;
        (token.generation() > self.refused && token.life().is_valid(now)).then(|| token.clone())
    }

    /// The license side has refused the token of that generation. `file` is what the file holds now. Whether that is news.
    pub fn refuse(&mut self, generation: u32, file: Option<Given>) -> bool {
        if matches!(file, Some(Ok(_))) {
            self.file = file;
        }
        // One that was never handed out cannot have been refused.
        if generation <= self.refused || Some(generation) > self.generation() {
            return false;
        }
        self.refused = generation;
        if matches!(&self.application, Application::Gave(given) if self.is_refused(given)) {
            // It is asked for another one.
            self.application = Application::NotAsked;
        }
        self.last
            .take_if(|(token, _)| token.generation() <= generation);
        true
    }

    fn stop_waiting(&mut self, now: Moment) {
        if let Some(since) = self.waiting_since.take() {
            self.waited_since = Some(since);
            self.waited += now.steady.saturating_duration_since(since);
        }
    }

    fn ask(
        &mut self,
        ask_application: impl FnOnce() -> Option<Arc<Asked>>,
        waiter: &Weak<dyn Wake>,
        now: Moment,
    ) -> Verdict {
        // First of all: whom the stream demands a token of, if anybody, decides what may be used.
        if let (Some(authorization), Source::DashIf(authorizer)) =
            (&mut self.authorization, &self.policy.source)
        {
            match authorization.due(authorizer) {
                Due::Token(acquisition) => self.turn_to(Some(acquisition)),
                Due::Later => return Verdict::Wait(now.steady + A_LONG_TIME),
                Due::Nothing => {
                    self.turn_to(None);
                    return Verdict::Bare;
                }
                Due::Never(failure) => return Verdict::Failed(failure),
            }
        }
        self.ask_application(ask_application);
        self.look_for_answer();
        if let Application::Asked(asked) = &self.application {
            if self.is_refreshing
                && let Some((token, service)) = &self.last
                && token.life().is_valid(now)
            {
                return Verdict::Go(token.clone(), service);
            }
            // Looking and registering in one, so that no answer falls between them.
            if asked.poll(waiter).is_none() {
                return self.wait(now).unwrap_or_else(|| {
                    Verdict::Failed(Failure::timed_out(format!(
                        "the application's handler of `request-token` gave nothing back within {} ms: raise `timeout`",
                        self.policy.timeout.as_millis()
                    )))
                });
            }
            self.look_for_answer();
        }
        if let Application::Gave(given) = &self.application {
            return go(given, APPLICATION);
        }
        self.ask_service(waiter, now)
    }

    fn ask_application(&mut self, ask_application: impl FnOnce() -> Option<Arc<Asked>>) {
        if let Application::NotAsked = self.application {
            self.application = match ask_application() {
                Some(asked) => {
                    self.asked_application = true;
                    Application::Asked(asked)
                }
                None => Application::Declined,
            };
        }
    }

    /// Whether this is what the application is being asked for.
    pub fn is_asking(&self, asked: &Arc<Asked>) -> bool {
        matches!(&self.application, Application::Asked(ours) if Arc::ptr_eq(ours, asked))
    }

    /// Takes in what the application answered, if it has.
    fn look_for_answer(&mut self) {
        if let Application::Asked(asked) = &self.application
            && let Some(answer) = asked.peek()
        {
            let before = self.last.take_if(|_| self.is_refreshing);
            self.is_refreshing = false;
            self.application = match (answer, before) {
                // What it had given is better than nothing.
                (Some(Err(_)), Some((token, APPLICATION))) => Application::Gave(Ok(token)),
                (Some(given), _) => Application::Gave(given),
                (None, _) => Application::Declined,
            };
        }
    }

    fn ask_service(&mut self, waiter: &Weak<dyn Wake>, now: Moment) -> Verdict {
        let Some(acquisition) = self.acquisition().cloned() else {
            return Verdict::Failed(Failure::misconfigured("there is no auth service to ask"));
        };
        let nick = self.policy.source.nick();
        loop {
            let flight = match self.flight.take() {
                Some(flight) => flight,
                None => match acquisition.ask(now, || self.asked = true) {
                    Answer::Token(token) => return Verdict::Go(self.number(token), nick),
                    Answer::Failed(failure) => return Verdict::Failed(failure),
                    Answer::Wait(flight) => flight,
                },
            };
            match flight.poll(waiter) {
                // A token that ended while it was waited for (a very short life) counts as an answer
                // all the same: asking again at once would spin.
                Some(Outcome::Token(token)) => {
                    let token = self.number(token);
                    if token.generation() > self.refused {
                        return Verdict::Go(token, nick);
                    }
                    // Refused while it was on its way to us: others were faster.
                }
                Some(Outcome::Failed(failure)) => return Verdict::Failed(failure),
                // Each turn takes a call of `clear-token`.
                Some(Outcome::Cleared) => {}
                None => {
                    let Some(verdict) = self.wait(now) else {
                        return Verdict::Failed(self.overdue(&acquisition));
                    };
                    self.flight = Some(flight);
                    return verdict;
                }
            }
        }
    }

    /// From now on that service is asked, or none. Where it is another one than before, its tokens have nothing to do with those of before, which
    /// are for other content.
    fn turn_to(&mut self, acquisition: Option<Arc<Acquisition>>) {
        let is_same = match (self.acquisition(), &acquisition) {
            (Some(before), Some(now)) => Arc::ptr_eq(&before.session, &now.session),
            _ => false,
        };
        if is_same {
            return;
        }
        self.service = acquisition.as_ref().map(Acquisition::keep_fresh);
        self.flight = None;
        self.last = None;
        self.is_refreshing = false;
    }

    /// A token of the service that is asked now, as decryptors see it.
    fn number(&mut self, token: Token) -> Token {
        match self.acquisition().cloned() {
            Some(acquisition) => self.number_of(&acquisition, token),
            None => token,
        }
    }

    /// The same of any service. Where the stream says whom to ask, there may be several, and each counts from one: here they get numbers that rise.
    pub fn number_of(&mut self, acquisition: &Arc<Acquisition>, token: Token) -> Token {
        if self.authorization.is_none() {
            return token;
        }
        let generation = token.generation();
        let shown = self.issued.number(acquisition, generation, self.highest);
        self.highest = self.highest.max(shown);
        token.numbered(shown)
    }

    /// The generation of the token of whatever service that is the one, 0 where there is none.
    pub fn generation_of(&self, is_it: impl Fn(&Token) -> bool, now: Moment) -> u32 {
        self.issued.generation_of(is_it, now)
    }

    /// Who gave the token that decryptors know by this generation, and which one it is there.
    pub fn issuer(&self, generation: u32) -> Option<(Arc<Acquisition>, u32)> {
        match self.authorization {
            Some(_) => self.issued.find(generation),
            None => Some((self.acquisition()?.clone(), generation)),
        }
    }

    /// The service that is asked, once that is known.
    pub fn acquisition(&self) -> Option<&Arc<Acquisition>> {
        self.service.as_ref().map(InUse::acquisition)
    }

    /// The highest generation that decryptors may know of this tune.
    pub fn highest(&self) -> u32 {
        self.highest
    }

    /// Where the stream says whom to ask: what it says.
    pub fn authorization(&mut self) -> Option<&mut Authorization> {
        self.authorization.as_mut()
    }

    /// `None` where the time for waiting is over.
    fn wait(&mut self, now: Moment) -> Option<Verdict> {
        let since = *self.waiting_since.get_or_insert(now.steady);
        let until = deadline(self.policy.timeout, since);
        (now.steady < until).then_some(Verdict::Wait(until))
    }

    fn overdue(&self, acquisition: &Acquisition) -> Failure {
        let mut failure = acquisition.overdue();
        if self.asked_application {
            failure
                .what
                .push_str("; part of that time the application's handler of `request-token` took");
        }
        failure
    }

    /// Has the next event ask anew, with what is at hand going on until there is something else. `file` is what the file
    /// holds now.
    pub fn refresh(&mut self, file: Option<Given>, now: Moment) {
        if matches!(file, Some(Ok(_))) || !matches!(self.file, Some(Ok(_))) {
            self.file = file;
        }
        self.look_for_answer();
        // Whoever is being asked is not asked twice.
        if !matches!(self.application, Application::Asked(_)) {
            self.application = Application::NotAsked;
            self.is_refreshing = self.last.is_some();
        }
        self.begin_anew(now);
    }

    /// Forgets all tokens, and has the next event ask anew.
    pub fn clear(&mut self, file: Option<Given>, now: Moment) {
        self.file = file;
        self.application = Application::NotAsked;
        self.last = None;
        self.is_refreshing = false;
        self.flight = None;
        self.begin_anew(now);
    }

    fn begin_anew(&mut self, now: Moment) {
        self.failed = None;
        self.reported = false;
        self.told_of_failure = false;
        self.stop_waiting(now);
    }

    /// Whether the application gives the tokens itself. `has_handler` says whether it listens to `request-token`.
    pub fn is_applications(&self, has_app_token: bool, has_handler: bool) -> bool {
        has_app_token
            || match self.application {
                Application::Asked(_) | Application::Gave(_) => true,
                Application::NotAsked => has_handler,
                Application::Declined => false,
            }
    }

    /// Who has failed to give a token, in a word.
    pub fn blamed(&self, has_app_token: bool) -> &'static str {
        if self.is_applications(has_app_token, false) {
            APPLICATION
        } else {
            self.policy.source.nick()
        }
    }

    /// The event with the token on it, which goes out now.
    pub fn put_on(&mut self, event: &gst::Event, token: &Token) -> gst::Event {
        self.events += 1;
        self.sent = token.generation();
        let key_ids = self.authorization.as_ref().and_then(Authorization::key_ids);
        key_request::put_on(event, token, self.flow, key_ids.as_deref(), &self.policy)
    }

    /// What to tell the application of this token from `service`; `None` where it knows already.
    pub fn announce(&mut self, service: &'static str, token: &Token) -> Option<Report> {
        let before = self.announced.replace((service, token.generation()));
        self.highest = self.highest.max(token.generation());
        if before == Some((service, token.generation())) {
            return None;
        }
        if let Some(acquisition) = self.acquisition() {
            acquisition.session.come_after(token.generation());
        }
        let latency = token.way().latency;
        let unheld = |since: Instant| since.saturating_duration_since(token.way().started);
        let report = Report {
            waited: self.waited,
            latency,
            overlap: (self.waited_since.take()).map_or(latency, |since| unheld(since).min(latency)),
            cached: !std::mem::take(&mut self.asked),
            refreshed: before.is_some(),
        };
        self.report = Some(report);
        Some(report)
    }

    /// How long this tune's events were held for a token.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// What the application was told of the token that was handed out last.
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    /// The generation of the token that was handed out last.
    pub fn generation(&self) -> Option<u32> {
        self.announced.map(|(_, generation)| generation)
    }
}

/// Nobody would tell when there is another one in the file, so nobody waits for that.
pub fn file_refused() -> Failure {
    Failure::denied(
        "the license server refused the token of `session-token-file`, and the file holds no other one",
    )
}

fn refused() -> Failure {
    Failure::denied(
        "the license server refused the application's session token, and the application gave no other one",
    )
}

fn go(given: &Given, service: &'static str) -> Verdict {
    match given {
        Ok(token) => Verdict::Go(token.clone(), service),
        Err(failure) => Verdict::Failed(failure.clone()),
    }
}

/// The word for the application itself, beside the services' nicks.
const APPLICATION: &str = "application";
