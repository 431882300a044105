// SPDX-License-Identifier: MIT OR Apache-2.0

//! Libraries and CDMs that are missing, old, dead or out of order: one error of ours says which.

use gst::glib::error::ErrorDomain;
use ocdm_clearkey::library;
use support::cc;
use support::fixtures::Programme;
use support::operator::Operator;
use support::player::Player;
use support::player_harness::{Ended, Setup};

use crate::cdm_box::{CdmBox, operator, operator_for_stopping};

/// What ends in an error of ours, in both players.
#[track_caller]
fn failing(setup: impl Fn(Player, &Operator) -> Setup) -> Vec<Ended> {
    let players = [Player::Playbin, Player::Playbin3];
    let ended = players.map(|player| {
        let operator = operator(Programme::Usual);
        let (_harness, ended) = setup(player, &operator).config("timeout", 1000_u32).play();
        assert_eq!(ended.error().from, "ocdmdec");
        ended
    });
    ended.into_iter().collect()
}

#[track_caller]
fn assert_fails(behaviour: &str, kind: impl ErrorDomain, words: &[&str]) {
    let cdm = CdmBox::new(behaviour);
    assert_says(
        &failing(|player, operator| cdm.setup(player, operator)),
        kind,
        words,
    );
}

#[track_caller]
fn assert_says(ended: &[Ended], kind: impl ErrorDomain, words: &[&str]) {
    for ended in ended {
        let error = &ended.error().error;
        assert!(error.matches(kind), "{error:?}");
        for word in words {
            assert!(error.message().contains(word), "{error}");
        }
    }
}

#[track_caller]
fn assert_library_fails(path: &str, words: &[&str]) {
    let cdm = CdmBox::new("");
    let ended =
        failing(|player, operator| cdm.setup(player, operator).config("ocdm-library", path));
    assert_says(&ended, gst::CoreError::MissingPlugin, words);
}

#[test]
fn missing_library_is_an_error_that_names_it() {
    assert_library_fails(
        "libno-such-cdm.so",
        &["libno-such-cdm.so", "`ocdm-library`"],
    );
}

#[test]
fn box_without_a_library_is_an_error_with_all_names() {
    let ended = failing(Setup::new);
    let names = [
        "libocdm.so",
        "libocdm.so.4",
        "libClientOCDM.so.1",
        "libocdmRialto.so",
    ];
    assert_says(&ended, gst::CoreError::MissingPlugin, &names);
}

#[test]
fn library_of_another_kind_is_an_error() {
    let words = ["no OpenCDM library", "opencdm_create_system"];
    assert_library_fails("libc.so.6", &words);
}

#[test]
fn library_of_before_2019_is_an_error() {
    let old = cc::library("tests/cdm/old_library.c", &[]);
    let words = ["older than 2019", "opencdm_get_system_session"];
    assert_library_fails(&old.to_string_lossy(), &words);
}

#[test]
fn key_system_that_the_box_lacks_is_an_error_that_names_it() {
    let ended = failing(|player, operator| {
        Setup::new(player, operator)
            .config("ocdm-library", library().to_string_lossy().into_owned())
            .config("key-system", "com.widevine.alpha")
    });
    let words = ["com.widevine.alpha", "0x80000002", "`key-system`"];
    assert_says(&ended, gst::CoreError::MissingPlugin, &words);
}

#[test]
fn session_that_is_not_made_is_an_error() {
    let nokey = gst::StreamError::DecryptNokey;
    assert_fails(";dead", nokey, &["service does not answer"]);
    assert_fails(";null", nokey, &["made no session"]);
    assert_fails(";refuse", nokey, &["made no session", "0x80004005"]);
}

#[test]
fn license_that_the_cdm_does_not_take_is_an_error() {
    let nokey = gst::StreamError::DecryptNokey;
    assert_fails(";lie", nokey, &["no key usable", "1000 ms"]);
    assert_fails(";fail", nokey, &["0x8004c601", "`opencdm_session_update`"]);
    assert_fails(
        ";complain",
        nokey,
        &["\"the license is not for this device\""],
    );
}

#[test]
fn sample_that_is_not_decrypted_is_an_error() {
    let decrypt = gst::StreamError::Decrypt;
    assert_fails(";decrypt-fail", decrypt, &["did not decrypt", "0x80004005"]);
}

#[test]
fn data_for_the_cdm_need_a_place_for_the_token() {
    let operator = operator(Programme::Usual);
    let cdm = CdmBox::new("");
    let setup = cdm
        .setup(Player::Playbin3, &operator)
        .config("cdm-data", "fixed");
    let harness = setup.open();
    harness.start();
    let error = harness.end();
    assert!(
        error.error().error.message().contains("`cdm-data`"),
        "{error:?}"
    );
}

#[test]
fn player_stops_at_once_while_a_sample_is_not_decrypted() {
    for player in [Player::Playbin, Player::Playbin3] {
        let operator = operator_for_stopping(player);
        let cdm = CdmBox::new(";decrypt-hang=0");
        let setup = cdm.setup(player, &operator);
        let harness = setup.config("timeout", 600_000_u32).open();
        harness.start();
        cdm.wait_for("decrypt-hangs", 1);
        harness.wait_until_all_waits_for_the_license(&operator);
        harness.stop(gst::State::Null);
    }
}

#[test]
fn sample_that_is_not_decrypted_in_time_is_an_error() {
    let words = ["did not decrypt a sample within 1000 ms"];
    assert_fails(";decrypt-hang=3", gst::StreamError::Decrypt, &words);
}

#[test]
fn callbacks_during_and_after_destruct_do_no_harm() {
    for _ in 0..5 {
        let operator = operator(Programme::Usual);
        let cdm = CdmBox::new(";late-callbacks");
        let (harness, ended) = cdm.setup(Player::Playbin3, &operator).play();
        ended.assert_well();
        harness.stop(gst::State::Null);
        drop(harness);
        cdm.wait_for("destruct", 1);
    }
}
