// SPDX-License-Identifier: MIT OR Apache-2.0

//! The life of one session with a CDM: what has come leads to what is to be done. Whoever does it
//! (`shared_session.rs`) brings what became of it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::key_status::KeyStatus;
use super::message::{Challenge, MessageType};
use super::phase::Phase;
use super::session_events::{Effect, Event, KeyState, Notice};
use super::session_keys::{KeyName, NO_ID, SessionKeys};
use crate::cenc::KeyId;
use crate::error::{Failure, Fault};

/// Challenges that wait while one is under way, and in a row before a key can be used: a service
/// certificate, individualization and a license are three.
const MAX_CHALLENGES: usize = 8;

/// How long the CDM has for its other keys once one can be used, where it does not say that these
/// are all.
const OTHER_KEYS: Duration = Duration::from_millis(500);

/// A session is made anew at the soonest after so long, whatever the CDM says of its keys: a
/// license that ends as it comes would else be asked for without a pause.
const SHORTEST_LIFE: Duration = Duration::from_secs(4);

pub struct Machine {
    phase: Phase,
    /// When the phase is over.
    until: Option<Instant>,
    timeout: Duration,
    keys: SessionKeys,
    waiting: VecDeque<Challenge>,
    /// What is under way.
    sent: Option<Challenge>,
    /// What the CDM has taken answers to, the newest last.
    answered: VecDeque<Challenge>,
    /// Challenges since a key could be used.
    challenges: usize,
    /// What is under way is for a session whose keys can be used.
    is_renewal: bool,
    constructed_at: Instant,
    /// What the CDM last said was wrong while the session was made.
    complaint: String,
}

impl Machine {
    /// A session that is about to be made, for these keys where that is known:
    /// [`Effect::Construct`] is the first thing to be done.
    pub fn new(timeout: Duration, listed: Vec<KeyId>, now: Instant) -> Self {
        Self {
            phase: Phase::Constructing,
            until: now.checked_add(timeout),
            timeout,
            keys: SessionKeys::new(listed),
            waiting: VecDeque::new(),
            sent: None,
            answered: VecDeque::new(),
            challenges: 0,
            is_renewal: false,
            constructed_at: now,
            complaint: String::new(),
        }
    }

    /// When [`Self::on_time`] is to be called.
    pub fn wake_at(&self) -> Option<Instant> {
        self.until
    }

    pub fn has_failed(&self) -> bool {
        matches!(self.phase, Phase::Failed(_))
    }

    pub fn key(&self, key_id: &KeyId) -> KeyState {
        match (&self.phase, self.keys.status(key_id)) {
            (_, Some(status)) if status.is_usable() => KeyState::Usable,
            (Phase::Failed(failure), _) => KeyState::Failed(failure.clone()),
            (Phase::Settled | Phase::AwaitingKeys, Some(status)) if status.may_pass() => {
                KeyState::Restricted(status)
            }
            (Phase::Settled, Some(_)) if self.keys.has_ended(key_id) => KeyState::Ended,
            (Phase::Settled, Some(status)) => KeyState::Unusable(status),
            (Phase::Settled, None) if self.keys.may_have(key_id) => KeyState::Perhaps,
            (Phase::Settled, None) => KeyState::Missing,
            _ => KeyState::Pending,
        }
    }

    /// What the CDM calls that key.
    pub fn name(&self, key_id: &KeyId) -> KeyName {
        self.keys.name(key_id)
    }

    pub fn has_usable_key(&self) -> bool {
        self.keys.has_usable()
    }

    /// The CDM has failed with its keys, or nobody wants the session any more.
    pub fn give_up(&mut self, failure: Failure, now: Instant) {
        self.keys.clear();
        self.forget_challenges();
        self.enter(Phase::Failed(failure), now);
    }

    fn enter(&mut self, phase: Phase, now: Instant) {
        self.until = match phase {
            Phase::Settled | Phase::Failed(_) | Phase::Requesting => None,
            Phase::Pausing => self.constructed_at.checked_add(SHORTEST_LIFE),
            _ => now.checked_add(self.timeout),
        };
        self.phase = phase;
    }

    pub fn on(&mut self, event: Event, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Key(name, status) => self.on_key(name, status, now, &mut effects),
            Event::Challenge(challenge) => self.on_challenge(challenge, now, &mut effects),
            Event::Constructed => {
                if matches!(self.phase, Phase::Constructing) {
                    match self.has_usable_key() {
                        // Of a license that the CDM had.
                        true => self.await_keys(now, &mut effects),
                        false => self.enter(Phase::AwaitingChallenge, now),
                    }
                    if !self.waiting.is_empty() {
                        self.next_challenge(now, &mut effects);
                    }
                }
            }
            Event::NotConstructed(failure) => {
                if matches!(self.phase, Phase::Constructing) {
                    self.fail(failure, now, &mut effects);
                }
            }
            Event::AllKeys => {
                self.keys.are_all = true;
                if matches!(self.phase, Phase::AwaitingKeys) && !self.keys.is_empty() {
                    self.settle(now, &mut effects);
                }
            }
            Event::Complaint(words) => self.on_complaint(&words, now, &mut effects),
            Event::License(answer) => {
                if matches!(self.phase, Phase::Requesting) {
                    self.keys.are_all = false;
                    self.enter(Phase::Updating, now);
                    effects.push(Effect::Update(answer));
                }
            }
            Event::NobodyAsks => {
                if matches!(self.phase, Phase::Requesting) {
                    let what = "nobody wants the license any more";
                    self.fail(Failure::transient(what), now, &mut effects);
                    // Nor is there anybody to be told.
                    effects.clear();
                }
            }
            Event::NoLicense(failure) | Event::NotUpdated(failure) => {
                if matches!(self.phase, Phase::Requesting | Phase::Updating) {
                    self.fail(failure, now, &mut effects);
                }
            }
            Event::StaleChallenge => match self.phase {
                // What is good goes on to its end; then there is a fresh session anyway.
                Phase::Requesting if self.has_usable_key() => {
                    let what = "the CDM's challenge holds a session token that was replaced";
                    self.fail(Failure::denied(what), now, &mut effects);
                }
                Phase::Requesting => self.construct(now, &mut effects),
                _ => {}
            },
            Event::Updated => {
                if matches!(self.phase, Phase::Updating) {
                    self.remember_sent();
                    match self.waiting.is_empty() {
                        true => self.await_keys(now, &mut effects),
                        // That was a certificate, or the like.
                        false => self.next_challenge(now, &mut effects),
                    }
                }
            }
        }
        effects
    }

    /// The time of [`Self::wake_at`] has come.
    pub fn on_time(&mut self, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.until.is_none_or(|until| now < until) {
            return effects;
        }
        match &self.phase {
            Phase::Pausing => self.construct(now, &mut effects),
            Phase::AwaitingKeys if !self.keys.is_empty() => self.settle(now, &mut effects),
            phase => {
                let failure = phase.overdue(&self.complaint, self.timeout);
                self.fail(failure, now, &mut effects);
            }
        }
        effects
    }

    /// Somebody wants a key that has ended: the next license is one of a fresh session.
    pub fn on_expired(&mut self, key_id: KeyId, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        if matches!(self.phase, Phase::Settled) && self.keys.has_ended(&key_id) {
            match now.saturating_duration_since(self.constructed_at) >= SHORTEST_LIFE {
                true => self.construct(now, &mut effects),
                false => self.enter(Phase::Pausing, now),
            }
        }
        effects
    }

    fn on_key(
        &mut self,
        name: KeyName,
        status: KeyStatus,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        if self.has_failed() {
            return;
        }
        if self.keys.insert(name, status) {
            let key_id = name.filter(|key_id| *key_id != NO_ID);
            effects.push(Effect::Tell(Notice::Key(key_id, status)));
        }
        if status.is_usable()
            && matches!(self.phase, Phase::AwaitingChallenge | Phase::AwaitingKeys)
        {
            self.await_keys(now, effects);
        }
    }

    /// The CDM has taken a license, or had one. Its keys come one after the other.
    fn await_keys(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let is_known = matches!(self.phase, Phase::AwaitingKeys);
        let until = self.until.filter(|_| is_known);
        self.enter(Phase::AwaitingKeys, now);
        if self.keys.are_all && !self.keys.is_empty() {
            self.settle(now, effects);
        } else if self.has_usable_key() {
            let others = now.checked_add(OTHER_KEYS);
            self.until = until.into_iter().chain(others).min();
        }
    }

    fn on_challenge(&mut self, challenge: Challenge, now: Instant, effects: &mut Vec<Effect>) {
        if self.has_failed() || self.is_repeated(&challenge) {
            return;
        }
        if challenge.body.is_empty() {
            let failure = Failure::malformed(
                "the CDM could not make a challenge (it is empty): check that the stream's init data is for this CDM and that the device is provisioned",
            );
            return self.fail(failure.with_fault(Fault::Key), now, effects);
        }
        if self.waiting.len() < MAX_CHALLENGES {
            self.waiting.push_back(challenge);
        }
        if matches!(
            self.phase,
            Phase::AwaitingChallenge | Phase::AwaitingKeys | Phase::Settled
        ) {
            self.next_challenge(now, effects);
        }
    }

    /// Whether the CDM has said that before, perhaps on a thread that was late. What it wants again
    /// once its keys have ended, or as a renewal, it wants anew.
    fn is_repeated(&self, challenge: &Challenge) -> bool {
        let wants_anew = challenge.kind == MessageType::Renewal
            || matches!(self.phase, Phase::Settled)
                && self.keys.were_usable()
                && !self.has_usable_key();
        self.sent.as_ref() == Some(challenge)
            || self.waiting.contains(challenge)
            || !wants_anew && self.answered.contains(challenge)
    }

    fn remember_sent(&mut self) {
        if self.answered.len() == MAX_CHALLENGES {
            self.answered.pop_front();
        }
        self.answered.extend(self.sent.take());
    }

    /// Sends the next challenge, if there is one.
    fn next_challenge(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let Some(challenge) = self.waiting.pop_front() else {
            return;
        };
        self.challenges += 1;
        if self.challenges > MAX_CHALLENGES {
            let failure = Failure::malformed(format!(
                "the CDM wants another license after {MAX_CHALLENGES} of them, and none made a key usable"
            ));
            return self.fail(failure.with_fault(Fault::Key), now, effects);
        }
        self.is_renewal = challenge.kind == MessageType::Renewal || self.has_usable_key();
        self.enter(Phase::Requesting, now);
        self.sent = Some(challenge.clone());
        effects.push(Effect::Request(challenge));
    }

    fn on_complaint(&mut self, words: &str, now: Instant, effects: &mut Vec<Effect>) {
        let what = match self.phase {
            // It may make a challenge all the same.
            Phase::Constructing => return words.clone_into(&mut self.complaint),
            Phase::AwaitingChallenge => "the CDM made no challenge",
            Phase::Updating | Phase::AwaitingKeys => "the CDM refused the license",
            _ => return,
        };
        let what = match words {
            "" => what.to_owned(),
            words => format!("{what}: it says \"{words}\""),
        };
        self.fail(Failure::denied(what).with_fault(Fault::Key), now, effects);
    }

    fn forget_challenges(&mut self) {
        self.waiting.clear();
        self.sent = None;
        self.answered.clear();
    }

    fn construct(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        self.keys.clear();
        self.forget_challenges();
        self.is_renewal = false;
        self.complaint.clear();
        self.constructed_at = now;
        self.enter(Phase::Constructing, now);
        effects.push(Effect::Construct);
    }

    /// What was under way has come to a good end.
    fn settle(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if self.has_usable_key() {
            self.challenges = 0;
        }
        if matches!(self.phase, Phase::AwaitingKeys) {
            effects.push(Effect::Tell(Notice::Licensed {
                is_renewal: self.is_renewal,
            }));
        }
        self.is_renewal = false;
        self.enter(Phase::Settled, now);
        self.next_challenge(now, effects);
    }

    /// What was under way has failed. Where there are keys that can be used, or could, they go on:
    /// who wants one that has ended gets a fresh session.
    fn fail(&mut self, failure: Failure, now: Instant, effects: &mut Vec<Effect>) {
        self.forget_challenges();
        if self.keys.were_usable() {
            // A server that is away for hours has the next renewals tried too.
            self.challenges = 0;
            self.is_renewal = false;
            self.enter(Phase::Settled, now);
            effects.push(Effect::Tell(Notice::RenewalFailed(failure)));
        } else {
            self.enter(Phase::Failed(failure), now);
        }
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
