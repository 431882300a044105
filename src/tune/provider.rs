// SPDX-License-Identifier: MIT OR Apache-2.0

//! Provides one element's stream and decryptors with tokens, over several tunes: events in, actions
//! and effects out. All that an element knows of tokens is in here, behind one lock of its own.

use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Instant;

use super::app_token::{AppToken, AppTokens};
use super::dashif_authz::{FollowingItem, ProtectionNotice};
use super::effect::{Effect, Report, Severity};
use super::policy::{Policy, Source};
use super::state::{Call, Tune, file_rejected};
use super::stream_registry::Stream;
use crate::error::Failure;
use crate::key_request::Flow;
use crate::session::{Answer, Outcome, Session, SessionHandle};
use crate::shared_result::deadline;
use crate::token::{ClockReading, Secret, Token};

/// A protection event, as the element sees it.
pub struct Protection<'a, E> {
    pub event: &'a E,
    /// Tells events apart as long as they live.
    pub id: usize,
    pub system: &'a str,
    pub origin: Option<&'a str>,
    /// By the demuxer that the stream comes from.
    pub flow_of_elements: &'a dyn Fn() -> Flow,
    /// Data, or a new segment, has come since the last protection event.
    pub after_data: bool,
}

/// What becomes of an item.
pub enum Action<E> {
    /// It goes as it is.
    Pass,
    /// The event goes with this token.
    Attach(Attachment),
    /// These events go again with this token, and then the item.
    Replay(Vec<E>, Attachment),
    /// It waits, at the latest until then.
    Hold(Instant),
    /// The stream ends.
    Fail,
}

/// What a key request is made of.
pub struct Attachment {
    pub token: Token,
    pub flow: Flow,
    /// The keys that the token is for, where others may need another one.
    pub key_ids: Option<String>,
    pub policy: Arc<Policy>,
}

/// What there is for a decryptor that asks for another token.
pub type Newer = Poll<Result<Attachment, Option<Failure>>>;

/// What an element has done since it went to PAUSED.
#[derive(Clone, Copy, Default)]
pub struct Stats {
    pub events: u64,
    pub generation: u32,
    pub waited: std::time::Duration,
    pub report: Option<Report>,
}

/// See above. `E` is a protection event.
pub struct TokenProvider<E> {
    app: AppTokens,
    tune: Option<Tune<E>>,
    /// On the way down to READY.
    is_stopping: bool,
    /// That of the last tune; somebody may log out after it.
    last_session: Option<Session>,
    /// Those who wait for a token of the application's.
    wakers: Vec<Waker>,
}

impl<E> Default for TokenProvider<E> {
    fn default() -> Self {
        Self {
            app: AppTokens::default(),
            tune: None,
            is_stopping: false,
            last_session: None,
            wakers: Vec::new(),
        }
    }
}

impl<E: Clone> TokenProvider<E> {
    /// Why the property's token is none, where that is so.
    pub fn check_property(&self) -> Result<(), Failure> {
        match self.app.property() {
            Some(Err(failure)) => Err(failure.clone()),
            _ => Ok(()),
        }
    }

    /// The policy of the tune, while there is one.
    pub fn policy(&self) -> Option<&Arc<Policy>> {
        self.tune.as_ref().map(Tune::policy)
    }

    /// READY→PAUSED: a tune begins. `file` is what `session-token-file` holds, where that is the
    /// source. `may_prefetch` says whether a token will be needed at all.
    pub fn begin(
        &mut self,
        policy: Arc<Policy>,
        file: Option<Result<Secret, Failure>>,
        stream: Arc<Stream>,
        may_prefetch: bool,
        call: &mut Call,
    ) {
        self.is_stopping = false;
        if let Some(id) = &policy.correlation_id {
            self.app.set_correlation_id(id);
        }
        let file = file.map(|text| self.app.take_file(text, policy.correlation_id.as_deref()));
        let prefetches = policy.prefetch && may_prefetch && self.app.property().is_none();
        let tune = self.tune.insert(Tune::new(policy, file, stream));
        if let Some(session) = tune.session() {
            self.last_session = Some(session.session().clone());
        }
        if prefetches {
            tune.prefetch(&mut self.app, call);
        }
    }

    /// From here on nobody waits. Those who do are to be woken.
    pub fn stop(&mut self) {
        self.is_stopping = true;
    }

    /// PAUSED→READY: the tune is over.
    pub fn end(&mut self) {
        self.tune = None;
    }

    /// A stream begins.
    pub fn on_stream_start(&mut self) {
        if let Some(tune) = &mut self.tune {
            tune.replay.clear();
            tune.resend = false;
        }
    }

    /// What became of the events was flushed away: they go again.
    pub fn on_events_flushed(&mut self) {
        if let Some(tune) = &mut self.tune {
            tune.resend = true;
        }
    }

    /// Whether the next item is of interest: protection events go again before it.
    pub fn resends(&self) -> bool {
        self.tune.as_ref().is_some_and(|tune| tune.resend)
    }

    /// A protection event has come, and may be held. Whether what comes next is wanted.
    pub fn notice_protection(&mut self, notice: &ProtectionNotice) -> Option<bool> {
        let authz = self.tune.as_mut()?.authz.as_mut()?;
        Some(authz.on_protection(notice))
    }

    /// A stream begins, after one for which the demuxer had chosen that system. Whether it is
    /// another one than before.
    pub fn notice_stream_start(&mut self, stream_id: &str, system: Option<String>) -> bool {
        let authz = self.tune.as_mut().and_then(|tune| tune.authz.as_mut());
        authz.is_some_and(|authz| authz.on_stream_start(stream_id, system))
    }

    /// An item has come behind protection events. Whether no more is wanted.
    pub fn notice_following(&mut self, item: FollowingItem, system: Option<String>) -> bool {
        let authz = self.tune.as_mut().and_then(|tune| tune.authz.as_mut());
        authz.is_none_or(|authz| authz.on_following(item, system))
    }

    /// What becomes of a protection event, now.
    pub fn on_protection(
        &mut self,
        protection: &Protection<'_, E>,
        has_key_request: bool,
        call: &mut Call,
    ) -> Action<E> {
        let Some(tune) = &mut self.tune else {
            return Action::Fail;
        };
        if !tune.policy().is_for(protection.system) {
            return Action::Pass;
        }
        if has_key_request {
            tune.is_anothers = true;
            return Action::Pass;
        }
        // Where the event does not say what it is from, the one before it may have, or the elements
        // do.
        match Flow::of_origin(protection.origin) {
            Flow::Unknown if tune.flow == Flow::Unknown => {
                tune.flow = (protection.flow_of_elements)();
            }
            Flow::Unknown => {}
            flow => tune.flow = flow,
        }
        if let Some(authz) = &mut tune.authz {
            authz.on_leaving(protection.id);
        }
        let token = match self.decide(call) {
            Ok(token) => token,
            Err(action) => return action,
        };
        let Some(tune) = &mut self.tune else {
            return Action::Fail;
        };
        let event = protection.event.clone();
        tune.replay
            .add(event, protection.origin, protection.after_data);
        tune.events += 1;
        Action::Attach(attachment(tune, token))
    }

    /// What becomes of an item before which protection events go again, now.
    pub fn on_resend(&mut self, call: &mut Call) -> Action<E> {
        let token = match self.decide(call) {
            Ok(token) => token,
            Err(Action::Pass) => {
                if let Some(tune) = &mut self.tune {
                    tune.resend = false;
                }
                return Action::Pass;
            }
            Err(action) => return action,
        };
        let Some(tune) = &mut self.tune else {
            return Action::Fail;
        };
        tune.resend = false;
        let events = tune.replay.events();
        tune.events += events.len() as u64;
        Action::Replay(events, attachment(tune, token))
    }

    /// The token for an event that goes now, or what becomes of it without one.
    fn decide(&mut self, call: &mut Call) -> Result<Token, Action<E>> {
        let tune = self.tune.as_mut().ok_or(Action::Fail)?;
        match tune.decide(&mut self.app, call) {
            Poll::Ready(Ok(Some(token))) => {
                tune.announce(&token, &self.app, call.effects);
                if let Some(session) = tune.session() {
                    self.last_session = Some(session.session().clone());
                }
                tune.sent = token.generation();
                Ok(token)
            }
            Poll::Ready(Ok(None)) => Err(Action::Pass),
            Poll::Pending => Err(Action::Hold(tune.wait_until(call.now))),
            Poll::Ready(Err(failure)) => {
                let is_anonymous = tune.policy().is_anonymous_allowed;
                if !std::mem::replace(&mut tune.has_reported_failure, true) {
                    call.effects.push(Effect::Failed {
                        service: tune.source_nick(&self.app),
                        failure,
                        severity: match is_anonymous {
                            true => Severity::Warning,
                            false => Severity::Error,
                        },
                    });
                }
                Err(match is_anonymous {
                    true => Action::Pass,
                    false => Action::Fail,
                })
            }
        }
    }

    /// Whether the key requests are another element's, whose tokens decryptors see.
    pub fn is_anothers(&self) -> bool {
        self.tune.as_ref().is_some_and(|tune| tune.is_anothers)
    }

    /// A decryptor says upstream that the token of that generation was rejected. Whether the event
    /// is ours.
    pub fn on_rejected_event(
        &mut self,
        generation: Option<u32>,
        http_status: u32,
        file: Option<Result<Secret, Failure>>,
        call: &mut Call,
    ) -> bool {
        // Where another element upstream attaches the key requests, it is for that one.
        let is_ours = self.tune.as_ref().is_some_and(|tune| !tune.is_anothers);
        if is_ours && let Some(generation) = generation {
            self.reject(generation, http_status, file, call);
            if let Some(tune) = &mut self.tune {
                // Whoever reports late has had the newer events already, and what nobody was given
                // is no reason to send anything.
                tune.resend |= tune.sent <= generation && tune.generation() >= Some(generation);
            }
        }
        is_ours
    }

    /// The license side has rejected the token of that generation: a new one is fetched, once
    /// however many report it.
    fn reject(
        &mut self,
        generation: u32,
        http_status: u32,
        file: Option<Result<Secret, Failure>>,
        call: &mut Call,
    ) -> Rejected {
        let Some(tune) = &mut self.tune else {
            return Rejected::Nobody;
        };
        let correlation_id = tune.policy().correlation_id.clone();
        let file = file.map(|text| self.app.take_file(text, correlation_id.as_deref()));
        let unreadable = file.clone().map(Result::err);
        let service = tune.source_nick(&self.app);
        tune.reject_own(generation, file, &self.app);
        let has_property = self.app.property().is_some();
        let is_applications = tune.is_applications(&self.app, (call.has_handler)());
        let rejected = match (unreadable, tune.issuer(generation)) {
            (Some(unreadable), _) if !has_property => Rejected::File(unreadable),
            _ if is_applications => Rejected::Application,
            (_, Some(session)) => {
                let (session, answer) = (session.clone(), session.reject(generation));
                tune.note_request(&answer);
                Rejected::Service(session, answer)
            }
            _ => Rejected::Nobody,
        };
        if tune.is_new_rejection(generation) {
            call.effects.push(Effect::Rejected {
                service,
                generation,
                http_status,
            });
            if is_applications && !has_property {
                tune.prefetch(&mut self.app, call);
            }
        }
        rejected
    }

    /// A newer token than the one that was rejected, for the store. The waker is woken when there is
    /// something new to say.
    pub fn newer_than(
        &mut self,
        generation: u32,
        http_status: u32,
        file: Option<Result<Secret, Failure>>,
        call: &mut Call,
    ) -> Newer {
        if self.is_stopping {
            return Poll::Ready(Err(None));
        }
        let rejected = self.reject(generation, http_status, file, call);
        let Some(tune) = &mut self.tune else {
            return Poll::Ready(Err(None));
        };
        let outcome = match rejected {
            Rejected::Nobody => return Poll::Ready(Err(None)),
            Rejected::Service(session, answer) => {
                let outcome = match answer {
                    Answer::Token(token) => Outcome::Token(token),
                    Answer::Failed(failure) => Outcome::Failed(failure),
                    Answer::Pending { result, .. } => match result.poll(call.waker) {
                        Poll::Ready(outcome) => outcome,
                        Poll::Pending => return Poll::Pending,
                    },
                };
                if let Outcome::Token(token) = &outcome {
                    tune.note_token_of(&session, token);
                }
                outcome
            }
            Rejected::File(unreadable) => match tune.newest(&mut self.app, call.now) {
                Some(token) => Outcome::Token(token),
                None => Outcome::Failed(unreadable.unwrap_or_else(file_rejected)),
            },
            // What it sets or answers is looked at when it does, and it may do so at any moment.
            Rejected::Application => match tune.newest(&mut self.app, call.now) {
                Some(token) => Outcome::Token(token),
                None => {
                    self.wake_on_app_token(call.waker);
                    return Poll::Pending;
                }
            },
        };
        match outcome {
            Outcome::Token(token) if token.generation() > generation => {
                tune.announce(&token, &self.app, call.effects);
                Poll::Ready(Ok(attachment_of(tune, token)))
            }
            Outcome::Failed(failure) => {
                if !std::mem::replace(&mut tune.has_reported_no_other, true) {
                    call.effects.push(Effect::Failed {
                        service: tune.policy().source.nick(),
                        failure: failure.clone(),
                        severity: Severity::MessageOnly,
                    });
                }
                Poll::Ready(Err(Some(failure)))
            }
            // Cleared by a logout, or older than what was rejected.
            Outcome::Cleared | Outcome::Token(_) => Poll::Ready(Err(None)),
        }
    }

    fn wake_on_app_token(&mut self, waker: &Waker) {
        if !self.wakers.iter().any(|known| known.will_wake(waker)) {
            self.wakers.push(waker.clone());
        }
    }

    /// A token for a key request that belongs to no event. The waker is woken when there is
    /// something new to say.
    pub fn first_for_key(&mut self, call: &mut Call) -> Newer {
        if self.is_stopping {
            return Poll::Ready(Err(None));
        }
        let Some(tune) = &mut self.tune else {
            return Poll::Ready(Err(None));
        };
        if let Source::DashIf(_) = tune.policy().source {
            return Poll::Ready(Err(Some(Failure::misconfigured(
                "`auth-service=dashif` has tokens for what an MPD says alone: set another one for HLS",
            ))));
        }
        match tune.decide(&mut self.app, call) {
            Poll::Ready(Ok(Some(token))) => {
                tune.announce(&token, &self.app, call.effects);
                Poll::Ready(Ok(attachment_of(tune, token)))
            }
            Poll::Ready(Ok(None)) => Poll::Ready(Err(None)),
            Poll::Ready(Err(failure)) => Poll::Ready(Err(Some(failure))),
            Poll::Pending => {
                self.wake_on_app_token(call.waker);
                Poll::Pending
            }
        }
    }

    /// Until when a decryptor waits for another token, at the latest.
    pub fn wait_until(&self, since: Instant) -> Instant {
        let timeout = self.policy().map(|policy| policy.timeout);
        deadline(timeout.unwrap_or_default(), since)
    }

    /// The newest valid token of whoever issued the one of that generation, 0 for none in
    /// particular. Nothing is waited for.
    pub fn newest(&mut self, generation: u32, call: &Call) -> Option<Attachment> {
        let tune = self.tune.as_mut()?;
        let token = tune.newest_of(generation, &mut self.app, call)?;
        Some(attachment_of(tune, token))
    }

    /// The last protection event of the stream that fits, as which a token of the store is packed.
    pub fn last_event(&self, fits: impl Fn(&E) -> bool) -> Option<E> {
        let events = self.tune.as_ref()?.replay.events();
        let fitting = events.iter().rfind(|event| fits(event)).cloned();
        fitting.or_else(|| events.last().cloned())
    }

    /// The application's property has another text, or none. Who waits is to be woken.
    pub fn set_property(&mut self, text: Option<Secret>, own_correlation_id: Option<&str>) {
        let of_tune = self
            .policy()
            .and_then(|policy| policy.correlation_id.clone());
        let correlation_id = of_tune.as_deref().or(own_correlation_id);
        self.app.set_property(text, correlation_id);
    }

    /// The application has answered. The service gets its turn, before an event asks for it.
    pub fn on_app_answer(&mut self, call: &mut Call) {
        if let Some(tune) = &mut self.tune
            && tune.policy().prefetch
            && self.app.property().is_none()
        {
            tune.prefetch(&mut self.app, call);
        }
    }

    /// `refresh-token`: the application knows that the token has to be another one. `idle` is the
    /// policy of the settings, where there is no tune.
    pub fn refresh(
        &mut self,
        file: Option<Result<Secret, Failure>>,
        idle: Option<&Policy>,
        call: &mut Call,
    ) {
        let has_property = self.app.property().is_some();
        let has_handler = (call.has_handler)();
        let Some(tune) = &mut self.tune else {
            if !has_property
                && !has_handler
                && let Some(Source::Service(session)) = idle.map(|policy| &policy.source)
            {
                session.refresh();
            }
            return;
        };
        let is_applications = tune.is_applications(&self.app, has_handler);
        let file = read_file(&mut self.app, tune, file);
        tune.refresh(file, &mut self.app, call.now);
        if !is_applications {
            if let Some(session) = tune.session() {
                session.refresh();
            }
        } else if !has_property {
            tune.prefetch(&mut self.app, call);
        }
    }

    /// `clear-token`: whoever was logged in is not any more. `idle` is the policy of the settings,
    /// where there is no tune.
    pub fn clear(
        &mut self,
        file: Option<Result<Secret, Failure>>,
        idle: Option<&Policy>,
        now: ClockReading,
    ) {
        self.app.clear();
        // That of the last tune, whose settings and files may have changed meanwhile.
        if let Some(session) = &self.last_session {
            session.clear();
        }
        match self
            .policy()
            .map(|policy| &**policy)
            .or(idle)
            .map(|policy| &policy.source)
        {
            Some(Source::Service(session)) => session.session().clear(),
            // There is one for each set of keys.
            Some(Source::DashIf(services)) => services.clear(),
            Some(Source::File(_)) | None => {}
        }
        if let Some(tune) = &mut self.tune {
            let file = read_file(&mut self.app, tune, file);
            tune.clear(file, now);
        }
    }

    /// Those to be woken when the application gave a token, or took one back.
    pub fn take_wakers(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.wakers)
    }

    pub fn stats(&self) -> Stats {
        self.tune
            .as_ref()
            .map_or_else(Stats::default, |tune| Stats {
                events: tune.events,
                generation: tune.generation().unwrap_or(0),
                waited: tune.wait_time().total(),
                report: tune.report().copied(),
            })
    }
}

/// Whose token it was that was rejected.
enum Rejected {
    /// The application's own.
    Application,
    /// That of `session-token-file`, which has been read again; without success for this reason.
    File(Option<Failure>),
    /// That service's, and what its session says.
    Service(SessionHandle, Answer),
    /// Long ago, or never handed out.
    Nobody,
}

fn read_file<E: Clone>(
    app: &mut AppTokens,
    tune: &Tune<E>,
    file: Option<Result<Secret, Failure>>,
) -> Option<AppToken> {
    let correlation_id = tune.policy().correlation_id.as_deref();
    file.map(|text| app.take_file(text, correlation_id))
}

/// For an event of the tune's present description.
fn attachment<E: Clone>(tune: &Tune<E>, token: Token) -> Attachment {
    let authz = tune.authz.as_ref();
    Attachment {
        token,
        flow: tune.flow,
        key_ids: authz.and_then(|authz| authz.key_ids()),
        policy: tune.policy().clone(),
    }
}

/// For whoever asks in the store, who knows which keys it is about.
fn attachment_of<E: Clone>(tune: &Tune<E>, token: Token) -> Attachment {
    Attachment {
        key_ids: None,
        ..attachment(tune, token)
    }
}

#[cfg(test)]
#[path = "provider_tests.rs"]
mod tests;
