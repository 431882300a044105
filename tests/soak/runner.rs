// SPDX-License-Identifier: MIT OR Apache-2.0

//! Carries out the steps of the script with real players, and compares what comes of each with what
//! must.
//!
//! Who stops or seeks before the end waits until all has come: see `start_for_stopping` in
//! `tests/support/src/operator.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Mutex;
use std::thread;

use gst::prelude::*;
use headend::{Auth, Licenses};
use support::fixtures::Programme;
use support::operator::granting;
use support::player::Player;
use support::player_harness::{HeadendControl, Kind, NEVER, PlayerHarness, Setup, store_before};
use support::reference::{SEGMENTS, assert_segments, segments as part};

use crate::operator::{Operator, Place};
use crate::script::{Account, Act, End, Failure, Step, Then, stale_at_first};

/// Plays a step, which leaves nothing.
pub fn play(step: &Step, place: &Place) {
    Operator::begin(format!("{step:?}"));
    let mut scene = Scene {
        step,
        place,
        generations: BTreeSet::new(),
    };
    scene.act();
    Operator::expect(&step.outcome);
    assert_generations(step, &scene.generations);
}

/// Asserts that these are the generations that the script counts. In the process they only rise, as
/// all accounts have tokens.
fn assert_generations(step: &Step, seen: &BTreeSet<u32>) {
    /// Of the common session: by the script's number, the process's.
    static KNOWN: Mutex<BTreeMap<u32, u32>> = Mutex::new(BTreeMap::new());

    let expected = &step.outcome.generations;
    assert_eq!(seen.len(), expected.len(), "{seen:?} for {expected:?}");
    if step.account == Account::Common {
        let mut known = KNOWN.lock().expect("no panic");
        for (number, generation) in expected.iter().zip(seen) {
            let before = *known.entry(*number).or_insert(*generation);
            assert_eq!(before, *generation, "generation {number}");
        }
    }
}

struct Scene<'a> {
    step: &'a Step,
    place: &'a Place,
    /// Of the tokens that came to decryptors.
    generations: BTreeSet<u32>,
}

/// What all wait for as long as it takes.
fn setup(player: Player, operator: &Operator) -> Setup {
    let setup = Setup::new(player, operator).config("timeout", NEVER);
    match operator.programme() {
        Programme::Usual | Programme::Cbcs | Programme::Rotating | Programme::Periods => setup,
        // HLS does not say where the license server is.
        _ => setup.config("license-url", operator.license_url()),
    }
}

/// Logs the account out, as an application does that has no player at this moment.
fn log_out(operator: &Operator) {
    let element = gst::ElementFactory::make("sessiontoken")
        .property("location", operator.location())
        .build();
    let element = element.expect("the plugin has it");
    element.emit_by_name::<()>("clear-token", &[]);
}

/// Has the sinks take the rest as fast as it comes.
fn hurry(harness: &PlayerHarness) {
    for element in harness.pipeline().iterate_recurse() {
        // A list that has changed meanwhile begins again.
        let Ok(element) = element else { continue };
        let factory = element.factory();
        if factory.is_some_and(|factory| factory.name() == "fakesink") {
            element.set_property("sync", false);
        }
    }
}

impl Scene<'_> {
    fn act(&mut self) {
        let player = self.step.player;
        let number = self.step.number;
        match &self.step.act {
            Act::Tune(programme) | Act::FirstTune(programme) => {
                self.tune(&self.operator(*programme));
            }
            Act::Seek(to) => self.seek(to),
            Act::OtherChannel { from, to } => self.change_channel(*from, *to),
            Act::TokenRefused(status) => {
                let operator = self.operator(Programme::Usual);
                operator.set_auth(stale_at_first(number));
                operator.set_refusal(*status);
                self.tune_with_bad_token(&operator);
            }
            Act::TokenRefusedInMidFilm { status, then } => self.refuse_in_mid_film(*status, *then),
            Act::NoToken(status) => {
                let operator = self.operator(Programme::Usual).for_stopping(player);
                operator.set_auth(Auth::Hang);
                let harness = self.start(setup(player, &operator));
                harness.wait_until_all_waits_for_the_token(&operator);
                operator.refuse_tokens(*status);
                operator.release();
                self.fails(&harness, &operator);
            }
            Act::TokenAfter(failure) => {
                let operator = self.operator(Programme::Usual);
                operator.set_auth(Auth::Sequence(vec![failure.clone(), Auth::Grant]));
                self.tune(&operator);
            }
            Act::TokenLate => {
                let operator = self.operator(Programme::Usual);
                operator.set_auth(Auth::Hang);
                let harness = self.start(setup(player, &operator));
                harness.wait_until_all_waits_for_the_token(&operator);
                operator.release();
                self.ends_well(&harness, &operator);
            }
            Act::NoLicense(status) => {
                let operator = self.operator(Programme::Rotating);
                operator.set_licenses(Licenses::Hang);
                let harness = self.start(setup(player, &operator));
                harness.wait_until_all_waits_for_the_license(&operator);
                operator.wait_for_license_requests(1);
                operator.set_licenses(Licenses::Refuse(*status));
                operator.release_licenses();
                self.fails(&harness, &operator);
            }
            Act::GivenUp => {
                let operator = self.operator(Programme::Usual).for_stopping(player);
                operator.set_auth(granting(format!("the-only-one-{number}")));
                operator.set_licenses(Licenses::Hang);
                let harness = self.start(setup(player, &operator));
                harness.wait_until_all_waits_for_the_license(&operator);
                operator.release_licenses();
                self.fails(&harness, &operator);
            }
            Act::StopAtToken { at_null, and_again } => self.stop_at_token(*at_null, *and_again),
            Act::StopAtLicense { at_null } => {
                let operator = self.operator(Programme::Usual).for_stopping(player);
                operator.set_licenses(Licenses::Hang);
                // The request is the runtime's now: a tune that comes before it has ended shares
                // it, if it asks for the same.
                let own = format!("{}?step={number}", operator.license_url());
                let harness = self.start(setup(player, &operator).config("license-url", own));
                harness.wait_until_all_waits_for_the_license(&operator);
                self.stops(&harness, &operator, at(*at_null));
                operator.release();
            }
            Act::LogOut => {
                let operator = self.operator(Programme::Usual);
                self.tune(&operator);
                log_out(&operator);
                self.tune(&operator);
            }
            Act::SideBySide(other) => {
                let operator = self.operator(Programme::Usual);
                operator.set_licenses(Licenses::Hang);
                let harnesses = [player, *other].map(|player| self.start(setup(player, &operator)));
                for harness in &harnesses {
                    harness.wait_until_every_stream_waits_for_the_license(&operator);
                }
                operator.release();
                for harness in &harnesses {
                    self.ends_well(harness, &operator);
                }
            }
            Act::RenewedAhead => self.renew_ahead(),
            Act::Restart => {
                let operator = self.operator(Programme::Usual);
                operator.restart();
                self.tune_with_bad_token(&operator);
                log_out(&operator);
                self.tune(&operator);
            }
        }
    }

    fn operator(&self, programme: Programme) -> Operator {
        Operator::new(self.place, self.step.account, self.step.number, programme)
    }

    fn start(&self, setup: Setup) -> PlayerHarness {
        let harness = setup.open();
        harness.start();
        harness
    }

    /// Plays to the end.
    fn tune(&mut self, operator: &Operator) -> PlayerHarness {
        let harness = self.start(setup(self.step.player, operator));
        self.ends_well(&harness, operator);
        harness
    }

    /// Plays to the end when all streams have waited for the one license for which the token is
    /// refused.
    fn tune_with_bad_token(&mut self, operator: &Operator) -> PlayerHarness {
        operator.set_licenses(Licenses::Hang);
        let harness = self.start(setup(self.step.player, operator));
        harness.wait_until_every_stream_waits_for_the_license(operator);
        operator.release_licenses();
        self.ends_well(&harness, operator);
        harness
    }

    fn seek(&mut self, to: &[u64]) {
        let player = self.step.player;
        let operator = self.operator(Programme::Usual).for_stopping(player);
        let harness = self.play_in_time(&operator);
        let (last, others) = to.split_last().expect("one at the least");
        for ms in others {
            self.seek_to(&harness, *ms);
            harness.wait_until_all_has_come(&operator);
            harness.wait_for_picture(gst::ClockTime::ZERO);
        }
        self.seek_to(&harness, *last);
        hurry(&harness);
        self.ends_well(&harness, &operator);
    }

    /// Plays each picture at its time, when all is here.
    fn play_in_time(&self, operator: &Operator) -> PlayerHarness {
        operator.set_licenses(Licenses::Hang);
        let harness = self.start(setup(self.step.player, operator).in_time());
        harness.wait_until_all_waits_for_the_license(operator);
        operator.release_licenses();
        // No player seeks before it plays.
        harness.wait_for_picture(gst::ClockTime::ZERO);
        harness
    }

    fn seek_to(&mut self, harness: &PlayerHarness, ms: u64) {
        self.note_generations(harness);
        harness.forget();
        harness.seek(gst::ClockTime::from_mseconds(ms));
    }

    fn change_channel(&mut self, from: Programme, to: Programme) {
        let harness = self.tune(&self.operator(from));
        harness.stop(gst::State::Ready);
        harness.forget();
        let operator = self.operator(to);
        match self.step.player {
            Player::Playbin | Player::Playbin3 => {
                harness.pipeline().set_property("uri", operator.uri());
            }
            Player::WrittenOut => {
                let source = harness.element("souphttpsrc").expect("the line names it");
                source.set_property("location", operator.uri());
            }
        }
        harness.start();
        self.ends_well(&harness, &operator);
    }

    fn refuse_in_mid_film(&mut self, status: u16, then: Then) {
        let operator = self.operator(Programme::Rotating);
        operator.set_refusal(status);
        // In time, so that the first part of the film is not over before the viewer seeks:
        // dashdemux2 then says that all of it is.
        let harness = setup(self.step.player, &operator).in_time().open();
        harness.start_and_wait_for_another_token_in_mid_film(&operator);
        match then {
            Then::GoesOn => operator.release(),
            Then::Seeks => {
                self.seek_to(&harness, 0);
                harness.wait_until_all_waits_for_the_token(&operator);
                operator.release();
            }
            Then::Stops => {}
        }
        match then {
            Then::GoesOn | Then::Seeks => {
                hurry(&harness);
                self.ends_well(&harness, &operator);
            }
            Then::Stops => self.stops(&harness, &operator, gst::State::Ready),
        }
        drop(harness);
        log_out(&operator);
        if then == Then::Stops {
            // For the next request. The one that hangs has lost its client.
            operator.set_auth(Auth::Grant);
        }
        let operator = self.operator(Programme::Usual);
        let harness = self.start(setup(self.step.player, &operator));
        self.plays(&harness, &operator, 0);
    }

    fn stop_at_token(&mut self, at_null: bool, and_again: bool) {
        let player = self.step.player;
        let operator = self.operator(Programme::Usual).for_stopping(player);
        operator.set_auth(Auth::Hang);
        let harness = self.start(setup(player, &operator));
        harness.wait_until_all_waits_for_the_token(&operator);
        if !and_again {
            self.stops(&harness, &operator, at(at_null));
            operator.release();
            return;
        }
        harness.stop(at(at_null));
        harness.forget();
        harness.start();
        harness.wait_until_all_waits_for_the_token(&operator);
        operator.release();
        self.ends_well(&harness, &operator);
    }

    fn renew_ahead(&mut self) {
        let player = self.step.player;
        let operator = self.operator(Programme::Usual).for_stopping(player);
        operator.set_auth(Auth::Sequence(vec![Auth::GrantFor(2), Auth::Grant]));
        let harness = self.play_in_time(&operator);
        let first = harness.seen(|seen| {
            let request = seen.reached[0].key_request().expect("a key request");
            request.get::<u32>("generation").expect("a number")
        });
        operator.wait_for_token_requests(2);
        let decryptor = harness.element("clearkeydec").expect("one is plugged");
        let store = store_before(&decryptor);
        while store.property::<u32>("generation") == first {
            thread::yield_now();
        }
        self.seek_to(&harness, 0);
        hurry(&harness);
        self.ends_well(&harness, &operator);
    }

    fn note_generations(&mut self, harness: &PlayerHarness) {
        harness.seen(|seen| {
            for reached in &seen.reached {
                let request = reached.key_request().expect("a key request");
                let generation = request.get("generation");
                self.generations.insert(generation.expect("a number"));
            }
        });
        let decryptor = harness.element("clearkeydec").expect("one is plugged");
        let generation = store_before(&decryptor).property("generation");
        if generation > 0 {
            self.generations.insert(generation);
        }
    }

    /// Plays to the end, as the script wants it.
    fn ends_well(&mut self, harness: &PlayerHarness, operator: &Operator) {
        match self.step.outcome.end {
            End::Whole => self.plays(harness, operator, 0),
            End::From(segment) => self.plays(harness, operator, segment),
            ref end => panic!("it played to the end, and not {end:?}"),
        }
    }

    fn plays(&mut self, harness: &PlayerHarness, operator: &Operator, from: usize) {
        harness.end().assert_well();
        self.has(harness, operator, from..SEGMENTS);
    }

    /// Asserts that these segments have been decrypted, and nothing else.
    fn has(&mut self, harness: &PlayerHarness, operator: &Operator, segments: Range<usize>) {
        self.note_generations(harness);
        for kind in operator.kinds() {
            harness.seen(|seen| assert_segments(*kind, &seen.decrypted(*kind), segments.clone()));
        }
    }

    /// Fails as the script wants it, and stops.
    fn fails(&mut self, harness: &PlayerHarness, operator: &Operator) {
        let ended = harness.end();
        let complaint = ended.error();
        let details = complaint.details.as_ref().expect("details");
        let End::Failure(segments, failure) = &self.step.outcome.end else {
            panic!("it failed: {ended:?}");
        };
        let Failure {
            from,
            reason,
            http_status,
        } = failure;
        assert_eq!(complaint.from, *from, "{ended:?}");
        assert_eq!(details.get("reason"), Ok(*reason), "{ended:?}");
        let status = Ok(u32::from(*http_status));
        assert_eq!(details.get("http-status"), status, "{ended:?}");
        self.has(harness, operator, segments.clone());
        harness.stop(gst::State::Null);
    }

    /// Is stopped, when what the script wants has been played.
    fn stops(&mut self, harness: &PlayerHarness, operator: &Operator, state: gst::State) {
        let End::Stopped(segments) = &self.step.outcome.end else {
            panic!("it was stopped");
        };
        harness.wait_until("what is to be decrypted before the viewer stops", |seen| {
            let is_there = |kind: &Kind| seen.count(*kind) >= part(*kind, segments.clone()).len();
            operator.kinds().iter().all(is_there)
        });
        self.has(harness, operator, segments.clone());
        harness.stop(state);
    }
}

fn at(null: bool) -> gst::State {
    match null {
        true => gst::State::Null,
        false => gst::State::Ready,
    }
}
