// SPDX-License-Identifier: MIT OR Apache-2.0

//! The side of decryptors: a token was rejected, and there is another one, or none.

use std::task::{Poll, Waker};
use std::time::Instant;

use super::action::{Attachment, Newer};
use super::call::Call;
use super::effect::{Effect, Severity};
use super::failures::file_rejected;
use super::policy::Source;
use super::provider::TokenProvider;
use crate::error::Failure;
use crate::session::{Answer, Outcome, SessionHandle};
use crate::shared_result::deadline;
use crate::token::{Secret, is_rejected};

impl<E: Clone> TokenProvider<E> {
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
                let was_given = tune.generation() >= Some(generation) || is_rejected(generation);
                tune.resend |= tune.sent <= generation && was_given;
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
        tune.take_answer(&mut self.app);
        let origin = tune.origin_of(generation);
        tune.reject_own(generation, http_status, file, &self.app, call.now);
        let has_property = self.app.property().is_some();
        let uses_app_token = tune.uses_app_token(&self.app, (call.has_handler)());
        let rejected = match (unreadable, tune.issuer(generation)) {
            (Some(unreadable), _) if !has_property => Rejected::File(unreadable),
            _ if uses_app_token => Rejected::Application,
            (_, Some(session)) => {
                let (session, answer) = (session.clone(), session.reject(generation, http_status));
                tune.note_request(&answer);
                Rejected::Service(session, answer)
            }
            _ => Rejected::Nobody,
        };
        let is_new = tune.is_new_rejection(generation);
        if is_new {
            call.effects.push(Effect::Rejected {
                service,
                generation,
                http_status,
                origin,
            });
        }
        // One that is not rejected any more was forgotten at a logout.
        if uses_app_token && !has_property && (is_new || !is_rejected(generation)) {
            tune.prefetch(&mut self.app, call);
        }
        rejected
    }

    /// A newer token than the one that was rejected, for the store. The waker is woken when there
    /// is something new to say.
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
                Poll::Ready(Ok(Attachment::for_store(tune, token)))
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
        match tune.decide(&mut self.app, false, call) {
            Poll::Ready(Ok(Some(token))) => {
                tune.announce(&token, &self.app, call.effects);
                Poll::Ready(Ok(Attachment::for_store(tune, token)))
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
        Some(Attachment::for_store(tune, token))
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
