// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a CDM says of keys, at first and later, and what becomes of the stream.

use support::fixtures::Programme;
use support::in_every_player;
use support::operator::Operator;
use support::player::Player;
use support::player_harness::{Ended, KINDS, PlayerHarness, play_periods};
use support::reference::assert_played;

use crate::cdm_box::{CdmBox, operator};

fn play(programme: Programme, behaviour: &str) -> (Operator, PlayerHarness, Ended) {
    let operator = operator(programme);
    let cdm = CdmBox::new(behaviour);
    let setup = cdm.setup(Player::Playbin3, &operator);
    let (harness, ended) = setup.config("timeout", 3000_u32).play();
    (operator, harness, ended)
}

#[track_caller]
fn assert_plays(behaviour: &str, licenses: usize) -> Ended {
    let (operator, harness, ended) = play(Programme::Usual, behaviour);
    assert_played(&harness, &ended, &KINDS);
    operator.assert_asked(1, licenses);
    ended
}

#[track_caller]
fn assert_fails(behaviour: &str, words: &[&str]) {
    let (_operator, _harness, ended) = play(Programme::Usual, behaviour);
    let error = &ended.error().error;
    assert!(error.matches(gst::StreamError::DecryptNokey), "{error:?}");
    for word in words {
        assert!(error.message().contains(word), "{error}");
    }
}

#[test]
fn downscaled_output_plays() {
    assert_plays(";status=5", 1);
}

#[test]
fn restricted_output_that_recovers_plays() {
    assert_plays(";status=3;recover", 1);
}

#[test]
fn pending_status_that_recovers_plays() {
    assert_plays(";status=6;recover", 1);
}

#[test]
fn keys_in_the_order_of_guids_are_found() {
    assert_plays(";guid", 1);
}

#[test]
fn keys_that_the_cdm_does_not_name_are_those_that_it_was_asked_for() {
    assert_plays(";nameless", 1);
    assert_plays(";nameless=null", 1);
    assert_plays(";nameless;status=3;recover", 1);
    assert_plays(";nameless;expire=300", 2);
}

#[test]
fn output_that_is_restricted_for_a_while_in_mid_play_makes_no_seam() {
    assert_plays(";restrict=100;recover", 1);
    assert_plays(";guid;restrict=100;recover", 1);
    // The CDM says so only when it is asked.
    assert_plays(";restrict=100;recover;silently", 1);
}

#[test]
fn output_that_is_restricted_in_mid_play_is_an_error_that_names_hdcp() {
    assert_fails(";restrict=100", &["output-restricted", "HDCP"]);
    assert_fails(";restrict=100;silently", &["output-restricted", "HDCP"]);
}

#[test]
fn sample_that_is_not_decrypted_at_once_is_tried_again() {
    assert_plays(";decrypt-fail=1", 1);
}

#[test]
fn keys_play_without_the_callback_for_all_of_them() {
    assert_plays(";silent-keys", 1);
}

#[test]
fn restricted_output_is_an_error_that_names_hdcp() {
    assert_fails(";status=3", &["output-restricted", "HDCP"]);
    assert_fails(";status=4", &["output-restricted-hdcp22", "HDCP"]);
}

#[test]
fn key_that_cannot_be_used_is_an_error_that_says_why() {
    assert_fails(";status=1", &["expired", "clocks"]);
    assert_fails(";status=2", &["released"]);
    assert_fails(";status=7", &["internal-error"]);
    assert_fails(";status=8", &["hardware-error"]);
}

#[test]
fn renewal_in_mid_play_is_another_request_and_no_seam() {
    assert_plays(";renew", 2);
}

#[test]
fn key_that_ends_in_mid_play_gets_a_fresh_session() {
    // Of 410 samples, in both streams.
    assert_plays(";expire=300", 2);
}

in_every_player! {
    fn keys_that_change_get_sessions_of_their_own(player: Player) {
        let operator = operator(Programme::Rotating);
        let cdm = CdmBox::new("");
        let (harness, ended) = cdm.setup(player, &operator).play();
        assert_played(&harness, &ended, operator.kinds());
        let keys = headend::rotating_key_ids().len();
        operator.assert_asked(1, keys);
        assert_eq!((cdm.count("construct"), cdm.count("challenge")), (keys, keys));
    }
}

// dashdemux2 of 1.22 deadlocks now and then between two periods, when the machine is busy: its
// output thread stops a parsebin while its scheduler pushes an end of stream in there.
#[test]
fn periods_get_sessions_of_their_own() {
    for player in [Player::Playbin, Player::WrittenOut] {
        let ((operator, cdm), harness, ended) = play_periods(|| {
            let operator = operator(Programme::Periods);
            let cdm = CdmBox::new("");
            let setup = cdm.setup(player, &operator);
            ((operator, cdm), setup)
        });
        assert_played(&harness, &ended, operator.kinds());
        operator.assert_asked(1, 2);
        assert_eq!(cdm.count("construct"), 2);
    }
}
