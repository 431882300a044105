// SPDX-License-Identifier: MIT OR Apache-2.0

//! A token was refused by the license side: decryptors hear of another one by the store, or get their events again.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Instant;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use crate::error::Failure;
use crate::flight::{Wake, deadline};
use crate::secret::Secret;
use crate::session::{Answer, Moment, Outcome, Token};
use crate::wait::lock;

use super::acquisition::Acquisition;
use super::imp::{CAT, SessionToken};
use super::policy::{Policy, Source};
use super::store::{self, Newer, Store};
use super::tune::{Verdict, file_refused};

/// Name of the structure in the event by which a decryptor says that a token was refused.
const REJECTED: &str = "drm-session-token-rejected";

/// Whose token it was that was refused.
enum Refused {
    /// The application's own.
    Application,
    /// That of `session-token-file`, which has been read again; without success for this reason.
    File(Option<Failure>),
    /// That service's, and what its session says.
    Service((Arc<Acquisition>, Answer)),
    /// Long ago, or never handed out.
    Nobody,
}

impl SessionToken {
    /// Answers a decryptor that looks for the store.
    pub(super) fn offers_store(&self, query: &mut gst::QueryRef) -> bool {
        let gst::QueryViewMut::Context(query) = query.view_mut() else {
            return false;
        };
        if query.context_type() != store::CONTEXT_TYPE {
            return false;
        }
        // The other one has the tokens that this decryptor sees.
        if lock(&self.tune)
            .as_ref()
            .is_some_and(|tune| tune.is_anothers)
        {
            return false;
        }
        // Not persistent and never posted: a bin keeps one of a type, and two sessions would take each other's place.
        let mut context = gst::Context::new(store::CONTEXT_TYPE, false);
        context
            .make_mut()
            .structure_mut()
            .set_value("store", as_object(self.store()));
        query.set_context(&context);
        true
    }

    /// Takes a decryptor's event to that effect.
    pub(super) fn hears_of_refusal(&self, event: &gst::Event) -> bool {
        let gst::EventView::CustomUpstream(_) = event.view() else {
            return false;
        };
        let Some(rejected) = event
            .structure()
            .filter(|structure| structure.name() == REJECTED)
        else {
            return false;
        };
        // Where another element upstream has put the key requests on the events, it is for that one.
        let is_ours = lock(&self.tune)
            .as_ref()
            .is_some_and(|tune| !tune.is_anothers);
        let Ok(generation) = rejected.get::<u32>("generation") else {
            gst::warning!(CAT, imp = self, "{REJECTED} names no generation");
            return is_ours;
        };
        if is_ours {
            let http_status = rejected.get::<u32>("http-status").unwrap_or(0);
            self.refused(generation, http_status);
            // Whoever complains late has had the newer events already, and what nobody was given is no reason to send anything.
            let is_due = |tune: &super::tune::Tune| {
                tune.sent <= generation && tune.generation() >= Some(generation)
            };
            if lock(&self.tune).as_ref().is_some_and(is_due) {
                self.resend.store(true, Ordering::Release);
            }
        }
        is_ours
    }

    pub(crate) fn store(&self) -> Store {
        lock(&self.store)
            .get_or_insert_with(|| Store::new(&self.obj()))
            .clone()
    }

    /// The newest valid token, without waiting: for the store.
    pub(super) fn newest(&self) -> Option<Token> {
        let given = lock(&self.app_token).given().cloned();
        let mut tune = lock(&self.tune);
        let token = tune.as_mut()?.newest(given.as_ref(), Moment::now());
        drop(tune);
        token
    }

    /// The newest valid token of whoever gave the one of that generation, without waiting.
    pub(super) fn newest_of(&self, generation: u32) -> Option<Token> {
        let has_app_token = lock(&self.app_token).given().is_some();
        let has_handler = self.has_handler();
        let mut tune_guard = lock(&self.tune);
        let tune = tune_guard.as_mut()?;
        if !tune.is_applications(has_app_token, has_handler)
            && let Some((acquisition, _)) = tune.issuer(generation)
        {
            let token = acquisition.newest(Moment::now())?;
            return Some(tune.number_of(&acquisition, token));
        }
        drop(tune_guard);
        self.newest()
    }

    /// The generation of a token that is valid still, 0 for one that is not, or that nobody here gave.
    pub(super) fn generation_of(&self, text: &Secret) -> u32 {
        let given = lock(&self.app_token).given().cloned();
        let mut tune = lock(&self.tune);
        let Some(tune) = tune.as_mut() else {
            return 0;
        };
        let now = Moment::now();
        let newest = tune.newest(given.as_ref(), now);
        let is_it = |token: &Token| token.text() == text;
        match newest.filter(is_it) {
            Some(token) => token.generation(),
            None => tune.generation_of(is_it, now),
        }
    }

    /// The license side has refused the token of that generation: a new one is fetched, once however many complain.
    fn refused(&self, generation: u32, http_status: u32) -> Option<(Arc<Policy>, Refused)> {
        let now = Moment::now();
        let has_app_token = lock(&self.app_token).given().is_some();
        let file = self.reread_file();
        let of_file = (!has_app_token)
            .then(|| file.clone().map(Result::err))
            .flatten();
        let mut tune_guard = lock(&self.tune);
        let tune = tune_guard.as_mut()?;
        let service = tune.blamed(has_app_token);
        let is_news = tune.refuse(generation, file);
        let policy = tune.policy().clone();
        let is_applications = tune.is_applications(has_app_token, self.has_handler());
        let issuer = tune.issuer(generation);
        if is_news && is_applications && !has_app_token {
            tune.prefetch(|| self.ask_application(), now);
        }
        drop(tune_guard);
        if is_news {
            gst::info!(
                CAT,
                imp = self,
                "token of generation {generation} refused, HTTP status {http_status}"
            );
            self.post_state(
                gst::Structure::builder("session-token")
                    .field("state", "rejected")
                    .field("service", service)
                    .field("generation", generation)
                    .field("http-status", http_status)
                    .build(),
            );
        }
        if let Some(unreadable) = of_file {
            return Some((policy, Refused::File(unreadable)));
        }
        if is_applications {
            return Some((policy, Refused::Application));
        }
        let answer = issuer.map(|(acquisition, generation)| {
            let answer = acquisition.reject(generation, now);
            (acquisition, answer)
        });
        Some((policy, answer.map_or(Refused::Nobody, Refused::Service)))
    }

    /// A newer token than the one that was refused, for the store; `waiter` is woken when there is something new to say.
    pub(super) fn newer_than(
        &self,
        generation: u32,
        http_status: u32,
        waiter: &Weak<dyn Wake>,
    ) -> Newer {
        if self.stopping.load(Ordering::SeqCst) {
            return Newer::None;
        }
        let Some((policy, refused)) = self.refused(generation, http_status) else {
            return Newer::None;
        };
        let until = deadline(policy.timeout, Instant::now());
        let answer = match refused {
            Refused::Nobody => return Newer::None,
            Refused::Service((acquisition, answer)) => {
                let outcome = match answer {
                    Answer::Token(token) => Outcome::Token(token),
                    Answer::Failed(failure) => Outcome::Failed(failure),
                    Answer::Wait(flight) => match flight.poll(waiter) {
                        Some(outcome) => outcome,
                        None => return Newer::Wait(until),
                    },
                };
                Some(match (outcome, lock(&self.tune).as_mut()) {
                    (Outcome::Token(token), Some(tune)) => {
                        Outcome::Token(tune.number_of(&acquisition, token))
                    }
                    (outcome, _) => outcome,
                })
            }
            Refused::File(unreadable) => Some(match self.newest() {
                Some(token) => Outcome::Token(token),
                None => Outcome::Failed(unreadable.unwrap_or_else(file_refused)),
            }),
            // What it sets or answers is looked at when it does, and it may do so at any moment.
            Refused::Application => {
                lock(&self.waiters).push(waiter.clone());
                self.newest().map(Outcome::Token)
            }
        };
        match answer {
            Some(Outcome::Token(token)) if token.generation() > generation => {
                self.announce(&token);
                Newer::Token(token)
            }
            Some(Outcome::Failed(failure)) => {
                self.announce_failure(&failure, &policy);
                Newer::None
            }
            // Cleared by a logout, or older than what was refused.
            Some(Outcome::Cleared | Outcome::Token(_)) => Newer::None,
            None => Newer::Wait(until),
        }
    }

    /// A token for a key request that belongs to no event; `waiter` is woken when there is something new
    /// to say.
    pub(super) fn token_for_key(&self, waiter: &Weak<dyn Wake>) -> Newer {
        if self.stopping.load(Ordering::SeqCst) {
            return Newer::None;
        }
        let app_token = lock(&self.app_token).given().cloned();
        let verdict = {
            let mut tune = lock(&self.tune);
            let Some(tune) = tune.as_mut() else {
                return Newer::None;
            };
            if let Source::DashIf(_) = tune.policy().source {
                return Newer::Failed(Failure::misconfigured(
                    "`auth-service=dashif` has tokens for what an MPD says alone: set another one for HLS",
                ));
            }
            let mut waiters = lock(&self.waiters);
            waiters.retain(|one| one.strong_count() > 0);
            waiters.push(waiter.clone());
            drop(waiters);
            tune.verdict(
                app_token.as_ref(),
                || self.ask_application(),
                waiter,
                Moment::now(),
            )
        };
        match verdict {
            Verdict::Go(token, _) => {
                self.announce(&token);
                Newer::Token(token)
            }
            Verdict::Wait(until) => Newer::Wait(until),
            Verdict::Failed(failure) => Newer::Failed(failure),
            Verdict::Bare => Newer::None,
        }
    }

    /// The header of key requests with that token.
    pub(super) fn key_request_header(&self, token: &Token) -> Option<(String, Secret)> {
        let tune = lock(&self.tune);
        let header = &tune.as_ref()?.policy().header;
        Some((header.name().to_owned(), header.value(token.text())))
    }

    /// Tells the application of a token that went to a decryptor through the store.
    fn announce(&self, token: &Token) {
        let has_app_token = lock(&self.app_token).given().is_some();
        let report = {
            let mut tune = lock(&self.tune);
            let Some(tune) = tune.as_mut() else {
                return;
            };
            let service = tune.blamed(has_app_token);
            tune.announce(service, token)
                .map(|report| (service, report))
        };
        if let Some((service, report)) = report {
            self.post_acquired(service, token, &report);
        }
    }

    /// Tells the application why a decryptor gets no other token. The error is the decryptor's, which has no use for it.
    fn announce_failure(&self, failure: &Failure, policy: &Policy) {
        let first = match lock(&self.tune).as_mut() {
            Some(tune) => !std::mem::replace(&mut tune.told_of_failure, true),
            None => return,
        };
        if first {
            self.post_failure(policy.source.nick(), failure);
        }
    }
}

/// As what C's `gst_structure_get()` asks for: it wants the very type.
fn as_object(store: impl IsA<glib::Object> + Send) -> glib::SendValue {
    let value = store.upcast::<glib::Object>().to_value();
    // SAFETY: what is in the value may be sent.
    unsafe { value.into_send_value() }
}
