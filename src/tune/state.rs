// SPDX-License-Identifier: MIT OR Apache-2.0

//! One tune, from READY→PAUSED to PAUSED→READY: which token it has, how long it waits, how it fails.

use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Instant;

use super::app_token::{AppToken, AppTokens, PendingAppToken};
use super::dashif_authz::{AuthzDecision, DashIfAuthz};
use super::effect::{Effect, Report};
use super::event_replay::EventReplay;
use super::issuers::Issuers;
use super::policy::{Policy, Source};
use super::stream_registry::Stream;
use super::wait_time::WaitTime;
use crate::error::Failure;
use crate::key_request::Flow;
use crate::session::{Answer, Outcome, SessionGuard, SessionHandle};
use crate::shared_result::SharedResult;
use crate::token::{ClockReading, Token, is_rejected};

/// The application itself, beside the services' nicks.
const APPLICATION: &str = "application";

/// Rejected generations that are remembered: after three in a row there is no other token.
const MAX_REJECTED: usize = 16;

/// Who asks, and when.
pub struct Call<'a> {
    /// Woken when there is something new.
    pub waker: &'a Waker,
    /// Whether the application listens to `request-token`.
    pub has_handler: &'a dyn Fn() -> bool,
    pub now: ClockReading,
    /// What is to be done besides.
    pub effects: &'a mut Vec<Effect>,
}

/// What the application says when it is asked for a token of its own.
enum Application {
    NotAsked,
    Pending(Arc<PendingAppToken>),
    Gave(AppToken),
    /// It has none, or nobody listens to the signal.
    Declined,
}

/// The token for an event: none where the stream demands none.
pub type Decision = Poll<Result<Option<Token>, Failure>>;

/// One tune. `E` is a protection event.
pub struct Tune<E> {
    policy: Arc<Policy>,
    /// Where the stream says whom to ask.
    pub authz: Option<DashIfAuthz>,
    /// The service that is asked, once that is known. Its token is kept fresh.
    service: Option<SessionGuard>,
    issuers: Issuers,
    file: Option<AppToken>,
    application: Application,
    /// What went out last, and from where. During a refresh it goes on.
    last: Option<(Token, &'static str)>,
    is_refreshing: bool,
    /// The application was asked, which took part of the time.
    asked_application: bool,
    /// The service's answer.
    pending: Option<Arc<SharedResult<Outcome>>>,
    /// A request was made for this tune.
    began_request: bool,
    wait: WaitTime,
    /// Until when the last decision is waited for.
    until: Option<Instant>,
    failed: Option<Failure>,
    /// The application has been told of the failure, and of why a decryptor got no other token.
    pub has_reported_failure: bool,
    pub has_reported_no_other: bool,
    /// Whose token of which generation the application knows of, and what it was told of that.
    announced: Option<(&'static str, u32)>,
    report: Option<Report>,
    /// Rejected generations that the application has been told of, the newest last.
    rejected: Vec<u32>,
    /// The generation that went out last.
    pub sent: u32,
    pub replay: EventReplay<E>,
    /// A token was rejected: the protection events go again, before the next item.
    pub resend: bool,
    pub flow: Flow,
    pub events: u64,
    /// Another element upstream attaches the key requests.
    pub is_anothers: bool,
}

impl<E: Clone> Tune<E> {
    /// `file` is the token of `session-token-file`, where that is the source. `stream` is this one
    /// among those of its presentation.
    pub fn new(policy: Arc<Policy>, file: Option<AppToken>, stream: Arc<Stream>) -> Self {
        let (authz, service) = match &policy.source {
            Source::File(_) => (None, None),
            Source::Service(session) => (None, Some(session.keep_fresh())),
            Source::DashIf(_) => (Some(DashIfAuthz::new(stream)), None),
        };
        Self {
            policy,
            authz,
            service,
            issuers: Issuers::default(),
            file,
            application: Application::NotAsked,
            last: None,
            is_refreshing: false,
            asked_application: false,
            pending: None,
            began_request: false,
            wait: WaitTime::default(),
            until: None,
            failed: None,
            has_reported_failure: false,
            has_reported_no_other: false,
            announced: None,
            report: None,
            rejected: Vec::new(),
            sent: 0,
            replay: EventReplay::default(),
            resend: false,
            flow: Flow::default(),
            events: 0,
            is_anothers: false,
        }
    }

    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// The service that is asked, once that is known.
    pub fn session(&self) -> Option<&SessionHandle> {
        self.service.as_ref().map(SessionGuard::handle)
    }

    /// Until when what is pending is waited for, at the latest.
    pub fn wait_until(&self, now: ClockReading) -> Instant {
        self.until.unwrap_or(now.steady)
    }

    /// Begins what there is to begin: asks the application, and where that has no token of its own,
    /// the service. Nobody waits for it yet, and whether its answer is still good is decided when it
    /// is needed.
    pub fn prefetch(&mut self, app: &mut AppTokens, call: &mut Call) {
        if self.file.is_some() {
            return;
        }
        self.ask_application(app, call);
        self.take_answer(app);
        if let (Application::Declined, Some(session)) = (&self.application, self.session())
            && let Answer::Pending { began: true, .. } = session.ask()
        {
            self.began_request = true;
        }
    }

    /// The token for an event, now. Where it has to wait, the waker is woken when that changes.
    pub fn decide(&mut self, app: &mut AppTokens, call: &mut Call) -> Decision {
        let decision = if let Some(given) = app.property() {
            match given {
                // It may give another one, which wakes who waits.
                Ok(token) if token.is_rejected() => self.wait_or(call, app_token_rejected),
                given => self.hand_out(given.clone(), APPLICATION),
            }
        } else if let Some(given) = self.file.clone() {
            match given {
                Ok(token) if token.is_rejected() => Poll::Ready(Err(file_rejected())),
                given => self.hand_out(given, self.policy.source.nick()),
            }
        } else if let Some(failure) = &self.failed {
            Poll::Ready(Err(failure.clone()))
        } else {
            let decision = self.ask(app, call);
            if let Poll::Ready(Err(failure)) = &decision {
                self.failed = Some(failure.clone());
            }
            decision
        };
        if decision.is_ready() {
            self.wait.end(call.now.steady);
            self.until = None;
        }
        decision
    }

    fn hand_out(&mut self, given: AppToken, service: &'static str) -> Decision {
        Poll::Ready(given.map(|token| {
            self.last = Some((token.clone(), service));
            Some(token)
        }))
    }

    /// Waits on, or fails where the time for that is over.
    fn wait_or(&mut self, call: &Call, failure: impl FnOnce() -> Failure) -> Decision {
        self.until = self.wait.wait(self.policy.timeout, call.now.steady);
        match self.until {
            Some(_) => Poll::Pending,
            None => Poll::Ready(Err(failure())),
        }
    }

    fn ask(&mut self, app: &mut AppTokens, call: &mut Call) -> Decision {
        // First of all: whom the stream demands a token of, if anybody, decides what may be used.
        if let Some(decision) = self.authorize(call) {
            return decision;
        }
        self.ask_application(app, call);
        self.take_answer(app);
        if let Application::Pending(pending) = &self.application {
            if self.is_refreshing
                && let Some((token, _)) = &self.last
                && token.validity().is_valid(call.now)
            {
                return Poll::Ready(Ok(Some(token.clone())));
            }
            // Checked and registered in one, so that no answer falls between them.
            if pending.poll(call.waker).is_pending() {
                let timeout = self.policy.timeout;
                return self.wait_or(call, || {
                    Failure::timed_out(format!(
                        "the application's handler of `request-token` gave nothing back within {} ms: raise `timeout`",
                        timeout.as_millis()
                    ))
                });
            }
            self.take_answer(app);
        }
        if let Application::Gave(given) = &self.application {
            return self.hand_out(given.clone(), APPLICATION);
        }
        self.ask_service(call)
    }

    /// Where the stream says whom to ask: `None` to go on with that service.
    fn authorize(&mut self, call: &Call) -> Option<Decision> {
        let policy = self.policy.clone();
        let Source::DashIf(services) = &policy.source else {
            return None;
        };
        let mut decided = self.authz.as_mut()?.decide(&**services);
        if let AuthzDecision::Gather = decided {
            self.until = self.wait.wait(policy.timeout, call.now.steady);
            if self.until.is_some() {
                return Some(Poll::Pending);
            }
            let authz = self.authz.as_mut()?;
            authz.cut(None);
            decided = authz.decide(&**services);
            self.wait.end(call.now.steady);
        }
        match decided {
            AuthzDecision::Token(session) => {
                self.set_service(Some(session));
                None
            }
            AuthzDecision::NoTokenRequired | AuthzDecision::Gather => {
                self.set_service(None);
                Some(Poll::Ready(Ok(None)))
            }
            AuthzDecision::Failed(failure) => Some(Poll::Ready(Err(failure))),
        }
    }

    fn ask_application(&mut self, app: &mut AppTokens, call: &mut Call) {
        if !matches!(self.application, Application::NotAsked) {
            return;
        }
        if !(call.has_handler)() {
            self.application = Application::Declined;
            return;
        }
        self.asked_application = true;
        // As long as it has not answered it is not asked again.
        let unanswered = app.pending.take_if(|pending| pending.peek().is_none());
        let pending = unanswered.unwrap_or_else(|| {
            let (pending, completer) = SharedResult::pending(None);
            call.effects.push(Effect::AskApplication(completer));
            pending
        });
        app.pending = Some(pending.clone());
        self.application = Application::Pending(pending);
    }

    /// Takes in what the application answered, if it has.
    fn take_answer(&mut self, app: &mut AppTokens) {
        let Application::Pending(pending) = &self.application else {
            return;
        };
        let Some(answer) = pending.peek() else {
            return;
        };
        let correlation_id = self.policy.correlation_id.as_deref();
        let answer = answer.map(|text| app.take_signal(text, correlation_id));
        let before = self.last.take_if(|_| self.is_refreshing);
        self.is_refreshing = false;
        self.application = match (answer, before) {
            // What it had given is better than nothing.
            (Some(Err(_)), Some((token, APPLICATION))) => Application::Gave(Ok(token)),
            (Some(given), _) => Application::Gave(given),
            (None, _) => Application::Declined,
        };
    }

    fn ask_service(&mut self, call: &Call) -> Decision {
        let Some(session) = self.session().cloned() else {
            let failure = Failure::misconfigured("there is no auth service to ask");
            return Poll::Ready(Err(failure));
        };
        loop {
            let pending = match self.pending.take() {
                Some(pending) => pending,
                None => match session.ask() {
                    Answer::Token(token) => return self.hand_out_of_service(token),
                    Answer::Failed(failure) => return Poll::Ready(Err(failure)),
                    Answer::Pending { result, began } => {
                        self.began_request |= began;
                        result
                    }
                },
            };
            match pending.poll(call.waker) {
                // Rejected while it was on its way to us: others were faster.
                Poll::Ready(Outcome::Token(token)) if token.is_rejected() => {}
                // A token that expired while it was waited for (a very short life) counts as an
                // answer all the same: asking again at once would spin.
                Poll::Ready(Outcome::Token(token)) => return self.hand_out_of_service(token),
                Poll::Ready(Outcome::Failed(failure)) => return Poll::Ready(Err(failure)),
                // Each turn takes a call of `clear-token`.
                Poll::Ready(Outcome::Cleared) => {}
                Poll::Pending => {
                    let asked_application = self.asked_application;
                    let decision = self.wait_or(call, || overdue(&session, asked_application));
                    if decision.is_pending() {
                        self.pending = Some(pending);
                    }
                    return decision;
                }
            }
        }
    }

    fn hand_out_of_service(&mut self, token: Token) -> Decision {
        self.note_issuer(&token);
        self.hand_out(Ok(token), self.policy.source.nick())
    }

    /// Remembers who issued the token, where there may be several.
    fn note_issuer(&mut self, token: &Token) {
        if self.authz.is_some()
            && let Some(session) = self.service.as_ref().map(SessionGuard::handle)
        {
            self.issuers.add(token.generation(), session);
        }
    }

    /// From now on that service is asked, or none. Where it is another one than before, its tokens
    /// have nothing to do with those of before, which are for other content.
    fn set_service(&mut self, session: Option<SessionHandle>) {
        let is_same = match (self.session(), &session) {
            (Some(before), Some(now)) => before.session().is_same(now.session()),
            _ => false,
        };
        if is_same {
            return;
        }
        self.service = session.as_ref().map(SessionHandle::keep_fresh);
        self.pending = None;
        self.last = None;
        self.is_refreshing = false;
    }

    /// The newest valid token that is here.
    pub fn newest(&mut self, app: &mut AppTokens, now: ClockReading) -> Option<Token> {
        self.take_answer(app);
        let given = match (app.property().or(self.file.as_ref()), &self.application) {
            (Some(given), _) | (None, Application::Gave(given)) => given,
            (None, _) => {
                let token = self.session()?.newest()?;
                self.note_issuer(&token);
                return Some(token);
            }
        };
        let token = given.as_ref().ok()?;
        (!token.is_rejected() && token.validity().is_valid(now)).then(|| token.clone())
    }

    /// The newest valid token of whoever issued the one of that generation.
    pub fn newest_of(
        &mut self,
        generation: u32,
        app: &mut AppTokens,
        call: &Call,
    ) -> Option<Token> {
        if generation == 0 || self.is_applications(app, (call.has_handler)()) {
            return self.newest(app, call.now);
        }
        match self.issuer(generation).cloned() {
            Some(session) => {
                let token = session.newest()?;
                self.issuers.add(token.generation(), &session);
                Some(token)
            }
            None => self.newest(app, call.now),
        }
    }

    /// Who issued the token of that generation, if a service of this tune did.
    pub fn issuer(&self, generation: u32) -> Option<&SessionHandle> {
        match self.authz {
            Some(_) => self.issuers.find(generation),
            None => self.session(),
        }
    }

    /// The license side has rejected the token of that generation, which is the application's own.
    /// `file` is what the file holds now.
    pub fn reject_own(&mut self, generation: u32, file: Option<AppToken>, app: &AppTokens) {
        let given = match &self.application {
            Application::Gave(given) => Some(given),
            _ => None,
        };
        let own = [app.property(), self.file.as_ref(), given];
        for token in own.into_iter().flatten().flatten() {
            if token.generation() == generation {
                token.reject();
            }
        }
        if matches!(given, Some(Ok(token)) if token.is_rejected()) {
            // It is asked for another one.
            self.application = Application::NotAsked;
        }
        if matches!(file, Some(Ok(_))) {
            self.file = file;
        }
    }

    /// Whether the token of that generation is rejected, and the application has not been told.
    pub fn is_new_rejection(&mut self, generation: u32) -> bool {
        self.last.take_if(|(token, _)| token.is_rejected());
        let is_new = is_rejected(generation) && !self.rejected.contains(&generation);
        if is_new {
            if self.rejected.len() == MAX_REJECTED {
                self.rejected.remove(0);
            }
            self.rejected.push(generation);
        }
        is_new
    }

    /// Remembers whether a request began for this tune.
    pub fn note_request(&mut self, answer: &Answer) {
        self.began_request |= matches!(answer, Answer::Pending { began: true, .. });
    }

    /// Remembers that the newest token of that session is one of this tune's.
    pub fn note_token_of(&mut self, session: &SessionHandle, token: &Token) {
        if self.authz.is_some() {
            self.issuers.add(token.generation(), session);
        }
    }

    /// Has the next event ask anew, with what is at hand going on until there is something else.
    /// `file` is what the file holds now.
    pub fn refresh(&mut self, file: Option<AppToken>, app: &mut AppTokens, now: ClockReading) {
        if matches!(file, Some(Ok(_))) || !matches!(self.file, Some(Ok(_))) {
            self.file = file;
        }
        self.take_answer(app);
        // Whoever is being asked is not asked twice.
        if !matches!(self.application, Application::Pending(_)) {
            self.application = Application::NotAsked;
            self.is_refreshing = self.last.is_some();
        }
        self.begin_anew(now);
    }

    /// Forgets all tokens, and has the next event ask anew.
    pub fn clear(&mut self, file: Option<AppToken>, now: ClockReading) {
        self.file = file;
        self.application = Application::NotAsked;
        self.last = None;
        self.is_refreshing = false;
        self.pending = None;
        self.begin_anew(now);
    }

    fn begin_anew(&mut self, now: ClockReading) {
        self.failed = None;
        self.has_reported_failure = false;
        self.has_reported_no_other = false;
        self.wait.end(now.steady);
    }

    /// Whether the application gives the tokens itself. `has_handler` says whether it listens to
    /// `request-token`.
    pub fn is_applications(&self, app: &AppTokens, has_handler: bool) -> bool {
        app.property().is_some()
            || match self.application {
                Application::Pending(_) | Application::Gave(_) => true,
                Application::NotAsked => has_handler,
                Application::Declined => false,
            }
    }

    /// Where the token comes from, or should.
    pub fn source_nick(&self, app: &AppTokens) -> &'static str {
        match self.is_applications(app, false) {
            true => APPLICATION,
            false => self.policy.source.nick(),
        }
    }

    /// Tells the application of this token, unless it knows.
    pub fn announce(&mut self, token: &Token, app: &AppTokens, effects: &mut Vec<Effect>) {
        let service = match &self.last {
            Some((last, service)) if last.generation() == token.generation() => service,
            _ => self.source_nick(app),
        };
        let now = (service, token.generation());
        let before = self.announced.replace(now);
        if before == Some(now) {
            return;
        }
        let report = Report {
            waited: self.wait.total(),
            latency: token.origin().latency,
            overlap: self.wait.take_overlap(token),
            cached: !std::mem::take(&mut self.began_request),
            refreshed: before.is_some(),
        };
        self.report = Some(report);
        effects.push(Effect::Acquired {
            service,
            token: token.clone(),
            report,
        });
    }

    pub fn wait_time(&self) -> &WaitTime {
        &self.wait
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
pub fn file_rejected() -> Failure {
    Failure::denied(
        "the license server refused the token of `session-token-file`, and the file holds no other one",
    )
}

fn app_token_rejected() -> Failure {
    Failure::denied(
        "the license server refused the application's session token, and the application gave no other one",
    )
}

fn overdue(session: &SessionHandle, asked_application: bool) -> Failure {
    let mut failure = session.overdue();
    if asked_application {
        failure
            .what
            .push_str("; part of that time the application's handler of `request-token` took");
    }
    failure
}
