// SPDX-License-Identifier: MIT OR Apache-2.0

//! One tune, from READY→PAUSED to PAUSED→READY: its token, how long it waits, how it fails.

use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use super::app_token::{AppToken, AppTokens, PendingAppToken};
use super::call::Call;
use super::dashif_authz::{AuthzDecision, DashIfAuthz};
use super::effect::{Effect, Report};
use super::event_replay::EventReplay;
use super::failures::{app_token_rejected, file_rejected, overdue};
use super::issuers::Issuers;
use super::policy::{Policy, Source};
use super::stream_registry::Stream;
use super::wait_time::WaitTime;
use crate::error::Failure;
use crate::key_request::Flow;
use crate::session::{Answer, Outcome, SessionGuard, SessionHandle};
use crate::shared_result::SharedResult;
use crate::token::{ClockReading, Token};

/// The application itself, beside the services' nicks.
pub(super) const APPLICATION: &str = "application";

/// What the application says when it is asked for a token of its own.
pub(super) enum Application {
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
    pub(super) policy: Arc<Policy>,
    /// Where the stream says whom to ask.
    pub authz: Option<DashIfAuthz>,
    /// The service that is asked, once that is known. Its token is kept fresh.
    pub(super) service: Option<SessionGuard>,
    pub(super) issuers: Issuers,
    pub(super) file: Option<AppToken>,
    pub(super) application: Application,
    /// What went out last, and from where. During a refresh it goes on.
    pub(super) last: Option<(Token, &'static str)>,
    pub(super) is_refreshing: bool,
    /// The application was asked, which took part of the time.
    pub(super) asked_application: bool,
    /// No stream comes: the element is there to have the token at hand.
    pub(super) is_warm_up: bool,
    /// The service's answer.
    pub(super) pending: Option<Arc<SharedResult<Outcome>>>,
    /// A request was made for this tune.
    pub(super) began_request: bool,
    pub(super) wait: WaitTime,
    /// The wait is for a sample that says whom to ask.
    is_gathering: bool,
    /// Until when the last decision is waited for.
    pub(super) until: Option<Instant>,
    pub(super) failed: Option<Failure>,
    /// The rejected token of the application's property that was waited for long enough.
    pub(super) waited_in_vain: Option<u32>,
    /// The application has been told of the failure, and of why a decryptor got no other token.
    pub has_reported_failure: bool,
    pub has_reported_no_other: bool,
    /// Whose token of which generation the application knows of, and what it was told of that.
    pub(super) announced: Option<(&'static str, u32)>,
    pub(super) report: Option<Report>,
    /// Rejected generations that the application has been told of, the newest last.
    pub(super) rejected: Vec<u32>,
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
            Source::Service(session) => {
                let observer = policy.observer.clone();
                (None, Some(session.keep_fresh(observer)))
            }
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
            is_warm_up: false,
            pending: None,
            began_request: false,
            wait: WaitTime::default(),
            is_gathering: false,
            until: None,
            failed: None,
            waited_in_vain: None,
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
    /// the service. Nobody waits for it yet, and whether its answer is still good is decided when
    /// it is needed.
    pub fn prefetch(&mut self, app: &mut AppTokens, call: &mut Call) {
        let mut answer = None;
        if self.file.is_none() {
            self.ask_application(app, call);
            self.take_answer(app);
            if let (Application::Declined, Some(session)) = (&self.application, self.session()) {
                answer = Some(session.ask());
            }
        }
        if let Some(answer) = &answer {
            self.note_request(answer);
        }
        self.report_at_hand(app, answer, call.effects);
    }

    /// The token, now. Where it has to wait, the waker is woken when that changes. A failure stands
    /// for later events too; another key is another request, which the session bounds.
    pub fn decide(&mut self, app: &mut AppTokens, is_event: bool, call: &mut Call) -> Decision {
        let decision = if let Some(given) = app.property() {
            match given {
                Ok(token) if token.is_rejected() => self.wait_for_property(token, call),
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
            if let (Poll::Ready(Err(failure)), true) = (&decision, is_event) {
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

    /// The application may set another token, which wakes who waits: once in a tune it is waited
    /// for.
    fn wait_for_property(&mut self, rejected: &Token, call: &Call) -> Decision {
        let generation = Some(rejected.generation());
        if self.waited_in_vain == generation {
            return Poll::Ready(Err(app_token_rejected()));
        }
        let decision = self.wait_or(call, app_token_rejected);
        if decision.is_ready() {
            self.waited_in_vain = generation;
        }
        decision
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
                && !token.is_rejected()
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
            return match given {
                // It has repeated itself. It may still set another one.
                Ok(token) if token.is_rejected() => self.wait_or(call, app_token_rejected),
                given => self.hand_out(given.clone(), APPLICATION),
            };
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
            self.is_gathering = true;
            self.until = self.wait.wait(policy.timeout, call.now.steady);
            if self.until.is_some() {
                return Some(Poll::Pending);
            }
            let authz = self.authz.as_mut()?;
            authz.cut();
            decided = authz.decide(&**services);
        }
        if std::mem::take(&mut self.is_gathering) {
            // The token has its own time.
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
    pub(super) fn take_answer(&mut self, app: &mut AppTokens) {
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
                    Answer::Token(token) => return self.hand_out_of(&session, token),
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
                Poll::Ready(Outcome::Token(token)) => return self.hand_out_of(&session, token),
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

    fn hand_out_of(&mut self, session: &SessionHandle, token: Token) -> Decision {
        self.note_token_of(session, &token);
        let service = self.service_of(&token);
        self.hand_out(Ok(token), service)
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
        let observer = &self.policy.observer;
        let session = session.as_ref();
        self.service = session.map(|session| session.keep_fresh(observer.clone()));
        self.pending = None;
        self.last = None;
        self.is_refreshing = false;
    }

    /// Remembers whether a request began for this tune.
    pub fn note_request(&mut self, answer: &Answer) {
        self.began_request |= matches!(answer, Answer::Pending { began: true, .. });
    }
}
