// SPDX-License-Identifier: MIT OR Apache-2.0

//! Provides one element's stream and decryptors with tokens, over several tunes: events in, actions
//! and effects out. All that an element knows of tokens is in here, behind one lock of its own.

use std::sync::Arc;
use std::task::{Poll, Waker};

use super::action::{Action, Attachment, Protection, Stats};
use super::app_token::AppTokens;
use super::call::Call;
use super::dashif_authz::{FollowingItem, ProtectionNotice};
use super::effect::{Effect, Severity};
use super::policy::Policy;
use super::state::Tune;
use super::stream_registry::Stream;
use crate::error::Failure;
use crate::key_request::Flow;
use crate::session::Session;
use crate::token::{Secret, Token};

/// See above. `E` is a protection event.
pub struct TokenProvider<E> {
    pub(super) app: AppTokens,
    pub(super) tune: Option<Tune<E>>,
    /// On the way down to READY.
    pub(super) is_stopping: bool,
    /// That of the last tune; somebody may log out after it.
    pub(super) last_session: Option<Session>,
    /// Those who wait for a token of the application's.
    pub(super) wakers: Vec<Waker>,
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
    /// source. `may_prefetch` says whether a token will be needed at all, `is_warm_up` that no
    /// stream comes.
    pub fn begin(
        &mut self,
        policy: Arc<Policy>,
        file: Option<Result<Secret, Failure>>,
        stream: Arc<Stream>,
        may_prefetch: bool,
        is_warm_up: bool,
        call: &mut Call,
    ) {
        self.is_stopping = false;
        if let Some(id) = &policy.correlation_id {
            self.app.set_correlation_id(id);
        }
        let file = file.map(|text| self.app.take_file(text, policy.correlation_id.as_deref()));
        let prefetches = policy.prefetch && may_prefetch;
        let tune = self.tune.insert(Tune::new(policy, file, stream));
        tune.is_warm_up = is_warm_up;
        if let Some(session) = tune.session() {
            self.last_session = Some(session.session().clone());
        }
        if !prefetches {
            return;
        }
        match self.app.property() {
            Some(_) => tune.report_at_hand(&self.app, None, call.effects),
            None => tune.prefetch(&mut self.app, call),
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
        Action::Attach(Attachment::for_event(tune, token))
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
        Action::Replay(events, Attachment::for_event(tune, token))
    }

    /// The token for an event that goes now, or what becomes of it without one.
    fn decide(&mut self, call: &mut Call) -> Result<Token, Action<E>> {
        let tune = self.tune.as_mut().ok_or(Action::Fail)?;
        match tune.decide(&mut self.app, true, call) {
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

    /// The last protection event of the stream that fits, as which a token of the store is packed.
    pub fn last_event(&self, fits: impl Fn(&E) -> bool) -> Option<E> {
        let events = self.tune.as_ref()?.replay.events();
        let fitting = events.iter().rfind(|event| fits(event)).cloned();
        fitting.or_else(|| events.last().cloned())
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

#[cfg(test)]
mod tests;
