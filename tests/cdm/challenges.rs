// SPDX-License-Identifier: MIT OR Apache-2.0

//! Challenges as implementations of OpenCDM bring them: from inside other calls, on their own
//! threads, with and without a prefix, several at once, and none.

use support::fixtures::Programme;
use support::in_every_player;
use support::operator::Operator;
use support::player::Player;
use support::player_harness::{Ended, KINDS};
use support::reference::assert_played;

use crate::cdm_box::{CdmBox, operator};

/// Plays it with a CDM that behaves like that.
#[track_caller]
fn assert_plays(player: Player, behaviour: &str, challenges: usize, licenses: usize) -> Operator {
    let operator = operator(Programme::Usual);
    let cdm = CdmBox::new(behaviour);
    let (harness, ended) = cdm.setup(player, &operator).play();
    assert_played(&harness, &ended, &KINDS);
    operator.assert_asked(1, licenses);
    assert_eq!(cdm.count("construct"), 1);
    assert_eq!(cdm.count("challenge"), challenges);
    operator
}

/// Plays it with a CDM that behaves like that, and does not get far.
#[track_caller]
fn error(player: Player, behaviour: &str) -> (Operator, Ended) {
    let operator = operator(Programme::Usual);
    let cdm = CdmBox::new(behaviour);
    let (_harness, ended) = cdm
        .setup(player, &operator)
        .config("timeout", 1000_u32)
        .play();
    assert_eq!(ended.error().from, "ocdmdec");
    (operator, ended)
}

#[track_caller]
fn assert_says(ended: &Ended, kind: gst::StreamError, words: &[&str]) {
    let error = &ended.error().error;
    assert!(error.matches(kind), "{error:?}");
    for word in words {
        assert!(error.message().contains(word), "{error}");
    }
}

in_every_player! {
    fn challenge_may_come_from_inside_construct(player: Player) {
        assert_plays(player, ";inside", 1, 1);
    }

    fn challenge_may_come_on_another_thread_while_construct_waits(player: Player) {
        assert_plays(player, ";during", 1, 1);
    }
}

#[test]
fn challenge_may_have_no_prefix() {
    assert_plays(Player::Playbin3, ";no-prefix", 1, 1);
}

#[test]
fn prefix_may_be_a_word() {
    assert_plays(Player::Playbin3, ";word-prefix", 1, 1);
}

#[test]
fn challenge_that_comes_twice_is_sent_once() {
    assert_plays(Player::Playbin3, ";twice", 2, 1);
}

#[test]
fn challenges_from_three_threads_are_one() {
    assert_plays(Player::Playbin3, ";three-threads", 3, 1);
}

#[test]
fn certificate_is_asked_for_before_the_license() {
    let operator = assert_plays(Player::Playbin3, ";certificate", 2, 2);
    let requests = operator.license_requests();
    let body = |number: usize| String::from_utf8_lossy(&requests[number].body).into_owned();
    assert!(body(0).contains("certificate") && !body(1).contains("certificate"));
}

#[test]
fn playready_message_of_another_family_goes_as_it_is() {
    // The stream is ClearKey's: nothing is unwrapped, and the license server sees XML.
    let (operator, ended) = error(Player::Playbin3, ";playready;no-prefix");
    assert!(
        ended.error().error.message().contains("HTTP 400"),
        "{ended:?}"
    );
    assert_eq!(operator.license_requests()[0].body[..2], *b"<\0");
}

#[test]
fn empty_challenge_is_an_error() {
    let (operator, ended) = error(Player::Playbin3, ";empty;no-prefix");
    assert_says(
        &ended,
        gst::StreamError::DecryptNokey,
        &["challenge", "empty"],
    );
    operator.assert_asked(1, 0);
}

#[test]
fn longest_challenge_is_sent_whole() {
    let (operator, ended) = error(Player::Playbin3, ";huge");
    // It is no request for ClearKey licenses.
    assert!(
        ended.error().error.message().contains("HTTP 400"),
        "{ended:?}"
    );
    assert_eq!(operator.license_requests()[0].body.len(), 65_535);
}

#[test]
fn challenge_that_does_not_come_is_an_error() {
    for player in [Player::Playbin, Player::Playbin3] {
        let (_, ended) = error(player, ";none");
        let words = ["no challenge", "1000 ms"];
        assert_says(&ended, gst::StreamError::DecryptNokey, &words);
    }
}

#[test]
fn challenges_without_end_are_an_error() {
    let (operator, ended) = error(Player::Playbin3, ";endless");
    assert!(operator.license_requests().len() <= 8);
    let message = ended.error().error.message();
    assert!(message.contains("another license"), "{message}");
}
