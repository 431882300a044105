// SPDX-License-Identifier: MIT OR Apache-2.0

//! What operators really send in HLS. What is protected plays as its clear twin does in the stock
//! player: the same bytes at the decoders, the same pictures and sounds at the sinks, at the same
//! times.

mod aes128;
mod clear_parts;
mod errors;
mod key_requests;
mod live;
mod odd_playlists;
mod part;
mod presentation;
mod rendition;
mod sample_aes;
mod stock;
mod tap;
mod variants;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};
use std::time::Duration;

use gst::prelude::*;
use headend::Headend;
use support::operator::Operator;
use support::player::Player;
use support::player_harness::{Complaint, Ended, PlayerHarness, Setup};

use super::{raise, with_licenses};
use part::Form;
use presentation::Presentation;
use tap::{Passed, Tap};

/// Where the protected presentation is, and its twin.
const FOLDER: &str = "/hls/case";
const TWIN: &str = "/hls/twin";

/// How long each file takes. hlsdemux2 of 1.22 fails where a film has come to its end before the
/// player has taken its pads ("Can't push EOS on non-exposed pad"), whatever it plays.
const FILE: Duration = Duration::from_millis(25);

/// A head-end, with hlsdrmdemux in the players.
fn operator() -> Operator {
    raise();
    let operator = Operator::start();
    operator.set_media_delay(FILE);
    operator
}

/// A player with a presentation, and what passes in it.
struct Played {
    harness: PlayerHarness,
    tap: Tap,
}

impl Played {
    /// Plays to the end or to an error.
    #[track_caller]
    fn to_end(&self) -> Ended {
        self.harness.start();
        self.harness.end()
    }
}

fn as_usual(setup: Setup) -> Setup {
    setup
}

/// Opens the protected presentation.
fn open(
    player: Player,
    operator: &Operator,
    presentation: &Presentation,
    configure: impl FnOnce(Setup) -> Setup,
) -> Played {
    let path = presentation.publish(operator, Form::Protected, FOLDER);
    open_path(player, operator, &path, configure)
}

fn open_path(
    player: Player,
    operator: &Operator,
    path: &str,
    configure: impl FnOnce(Setup) -> Setup,
) -> Played {
    let setup = Setup::new(player, operator).uri(operator.url(path));
    let harness = configure(with_licenses(setup, operator)).open();
    let tap = Tap::on(harness.pipeline());
    Played { harness, tap }
}

/// What the stock player makes of the clear twin. Where several tests have the same one it plays
/// once.
#[track_caller]
fn twin(player: Player, operator: &Operator, presentation: &Presentation) -> Arc<Passed> {
    type Twins = Mutex<HashMap<(String, u64), Arc<OnceLock<Arc<Passed>>>>>;
    static TWINS: LazyLock<Twins> = LazyLock::new(Twins::default);
    let mut hasher = DefaultHasher::new();
    presentation.contents(Form::Clear).hash(&mut hasher);
    let name = (format!("{player:?}"), hasher.finish());
    let twin = TWINS
        .lock()
        .expect("no panic")
        .entry(name)
        .or_default()
        .clone();
    let twin = twin.get_or_init(|| {
        let path = presentation.publish(operator, Form::Clear, TWIN);
        let twin = stock::play(player, &operator.url(&path));
        let twin =
            twin.unwrap_or_else(|error| panic!("the clear twin in the stock player: {error}"));
        Arc::new(twin)
    });
    twin.clone()
}

/// Asserts that the protected presentation plays as its clear twin does in the stock player.
#[track_caller]
fn assert_plays(player: Player, operator: &Operator, presentation: &Presentation) {
    assert_plays_with(player, operator, presentation, as_usual);
}

#[track_caller]
fn assert_plays_with(
    player: Player,
    operator: &Operator,
    presentation: &Presentation,
    configure: impl FnOnce(Setup) -> Setup,
) {
    let played = open(player, operator, presentation, configure);
    let ended = played.to_end();
    ended.assert_well();
    let passed = played.tap.passed();
    drop(played);
    assert_same(&passed, &twin(player, operator, presentation));
}

/// Asserts that the same has passed.
#[track_caller]
fn assert_same(passed: &Passed, twin: &Passed) {
    assert_ne!(twin.counts(), [0, 0], "the twin has nothing to compare");
    assert_eq!(passed.counts(), twin.counts(), "pictures and sounds");
    if let Some(difference) = passed.difference(twin) {
        panic!("{difference}");
    }
}

/// Plays a presentation that ends with one error of hlsdrmdemux's, and no second one.
#[track_caller]
fn complaint(player: Player, operator: &Operator, presentation: &Presentation) -> Complaint {
    complaint_with(player, operator, presentation, as_usual)
}

#[track_caller]
fn complaint_with(
    player: Player,
    operator: &Operator,
    presentation: &Presentation,
    configure: impl FnOnce(Setup) -> Setup,
) -> Complaint {
    let played = open(player, operator, presentation, configure);
    let ended = played.to_end();
    let complaint = ended.error.expect("an error");
    assert_eq!(complaint.from, "hlsdrmdemux", "{complaint:?}");
    // NULL would throw messages away. A player that has failed may fail at that too.
    let _ = played.harness.pipeline().set_state(gst::State::Ready);
    let bus = played
        .harness
        .pipeline()
        .bus()
        .expect("a pipeline has a bus");
    while let Some(message) = bus.pop_filtered(&[gst::MessageType::Error]) {
        let from = message
            .src()
            .and_then(|source| source.downcast_ref::<gst::Element>());
        let from = from
            .and_then(gst::Element::factory)
            .map(|factory| factory.name());
        assert_ne!(
            from.as_deref(),
            Some("hlsdrmdemux"),
            "a second error: {message:?}"
        );
    }
    complaint
}

/// Asserts that the error is of that kind and says all of that.
#[track_caller]
fn assert_says(complaint: &Complaint, code: gst::ResourceError, words: &[&str]) {
    assert!(complaint.error.matches(code), "{complaint:?}");
    let message = complaint.error.message();
    for word in words {
        assert!(message.contains(word), "no {word:?} in: {message}");
    }
}

/// The key requests so far: which key, and whether a token came with it.
fn key_requests(headend: &Headend) -> Vec<(String, bool)> {
    let requests = headend.key_requests().into_iter();
    requests
        .map(|request| (request.name, request.token_present))
        .collect()
}

/// Asserts that these key requests came, in this order.
#[track_caller]
fn assert_keys(headend: &Headend, expected: &[(&str, bool)]) {
    let requests = key_requests(headend);
    let requests: Vec<_> = requests
        .iter()
        .map(|(name, token)| (name.as_str(), *token))
        .collect();
    assert_eq!(
        requests, expected,
        "key requests, each with whether it had a token"
    );
}

/// The same in any order: streams go beside each other.
#[track_caller]
fn assert_keys_in_any_order(headend: &Headend, expected: &[(&str, bool)]) {
    let mut requests = key_requests(headend);
    requests.sort();
    let requests: Vec<_> = requests
        .iter()
        .map(|(name, token)| (name.as_str(), *token))
        .collect();
    let mut expected = expected.to_vec();
    expected.sort();
    assert_eq!(
        requests, expected,
        "key requests, each with whether it had a token"
    );
}

/// Asserts how many requests came for tokens and licenses.
#[track_caller]
fn assert_tokens_and_licenses(operator: &Operator, tokens: usize, licenses: usize) {
    let counts = (
        operator.token_requests().len(),
        operator.license_requests().len(),
    );
    assert_eq!(
        counts,
        (tokens, licenses),
        "token requests and license requests"
    );
}
