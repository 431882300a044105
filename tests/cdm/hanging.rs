// SPDX-License-Identifier: MIT OR Apache-2.0

//! CDMs whose calls never return, each in a process of its own: what such a call keeps is the
//! process's. Errors say which call it was, and players stop.

use support::fixtures::Programme;
use support::player::Player;
use support::subprocess::ignored_test;

use crate::cdm_box::{CdmBox, operator, operator_for_stopping};

#[track_caller]
fn assert_process_ends_well(name: &str) {
    let output = ignored_test(name).output().expect("this program starts");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn update_that_never_returns_is_an_error_that_names_it() {
    assert_process_ends_well("hanging::process_whose_update_hangs");
}

#[test]
#[ignore = "the process whose CDM never returns from update"]
fn process_whose_update_hangs() {
    let operator = operator(Programme::Usual);
    let play = |behaviour| {
        let cdm = CdmBox::new(behaviour);
        let setup = cdm.setup(Player::Playbin3, &operator);
        let (_harness, ended) = setup.config("timeout", 1000_u32).play();
        ended.error().error.message().to_owned()
    };
    let first = play(";update-hang");
    assert!(first.contains("`opencdm_session_update`"), "{first}");
    // Whoever comes next waits behind it, as long as it may.
    let next = play("");
    assert!(next.contains("`opencdm_construct_session`"), "{next}");
}

#[test]
fn player_stops_while_a_session_is_not_made() {
    assert_process_ends_well("hanging::process_whose_construct_hangs");
}

#[test]
#[ignore = "the process whose CDM never returns from construct"]
fn process_whose_construct_hangs() {
    for player in [Player::Playbin, Player::Playbin3] {
        let operator = operator_for_stopping(player);
        let cdm = CdmBox::new(";hang");
        let setup = cdm.setup(player, &operator);
        let harness = setup.config("timeout", 600_000_u32).open();
        harness.start();
        harness.wait_until_all_waits_for_the_license(&operator);
        harness.stop(gst::State::Null);
    }
}
