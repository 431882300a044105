// SPDX-License-Identifier: MIT OR Apache-2.0

//! While a service hangs the player stays the viewer's: it stops, seeks and plays on as if nothing
//! hung.
//!
//! The services here answer only when the test lets them, and the elements would wait for ten
//! minutes. So a call that returns has not waited for either.

use gst::prelude::*;
use headend::{Auth, Licenses};
use support::in_every_player;
use support::operator::Operator;
use support::player::Player;
use support::player_harness::{NEVER, PlayerHarness, Seen, Setup};
use support::reference::{assert_last_segment, assert_played};

/// A picture that is on the screen more than a second after playback began.
const AFTER_A_SECOND: gst::ClockTime = gst::ClockTime::from_mseconds(1200);

/// A player whose auth service hangs from the beginning.
fn open_without_token(player: Player, operator: &Operator) -> PlayerHarness {
    operator.set_auth(Auth::Hang);
    let harness = Setup::new(player, operator).config("timeout", NEVER).open();
    harness.start();
    harness
}

in_every_player! {
    fn player_stops_while_streams_wait_for_token(player: Player) {
        let operator = Operator::start_for_stopping(player);
        let harness = open_without_token(player, &operator);
        harness.wait_until_all_waits_for_the_token(&operator);
        assert_eq!(harness.seen(Seen::protected_streams), operator.kinds().len());
        harness.stop(gst::State::Null);
        operator.assert_asked(1, 0);
    }

    fn ready_does_not_block_and_next_tune_shares_request(player: Player) {
        let operator = Operator::start_for_stopping(player);
        let harness = open_without_token(player, &operator);
        harness.wait_until_all_waits_for_the_token(&operator);
        harness.stop(gst::State::Ready);
        harness.forget();
        harness.start();
        harness.wait_until_all_waits_for_the_token(&operator);
        operator.release();
        assert_played(&harness, &harness.end(), operator.kinds());
        operator.assert_asked(1, 1);
    }

    fn token_that_comes_late_plays_everything(player: Player) {
        let operator = Operator::start();
        let harness = open_without_token(player, &operator);
        harness.wait_until_all_waits_for_the_token(&operator);
        operator.release();
        assert_played(&harness, &harness.end(), operator.kinds());
        operator.assert_asked(1, 1);
    }

    fn second_player_shares_pending_token_request(player: Player) {
        let operator = Operator::start();
        let harnesses = [
            open_without_token(player, &operator),
            open_without_token(player, &operator),
        ];
        for harness in &harnesses {
            harness.wait_until_all_waits_for_the_token(&operator);
        }
        operator.release();
        for harness in &harnesses {
            assert_played(harness, &harness.end(), operator.kinds());
        }
        assert_eq!(operator.token_requests().len(), 1);
    }

    fn player_stops_while_streams_wait_for_license(player: Player) {
        let operator = Operator::start_for_stopping(player);
        operator.set_licenses(Licenses::Hang);
        let harness = Setup::new(player, &operator).config("timeout", NEVER).open();
        harness.start();
        operator.wait_for_license_requests(1);
        harness.wait_until_all_waits_for_the_license(&operator);
        harness.stop(gst::State::Null);
        operator.assert_asked(1, 1);
    }

    fn streams_wait_in_parallel_for_one_license(player: Player) {
        let operator = Operator::start_for_stopping(player);
        operator.set_licenses(Licenses::Hang);
        let harness = Setup::new(player, &operator).config("timeout", NEVER).open();
        harness.start();
        harness.wait_until_all_waits_for_the_license(&operator);
        operator.release();
        assert_played(&harness, &harness.end(), operator.kinds());
        operator.assert_asked(1, 1);
    }
}

/// Plays until the token that lives a second has ended, lets the auth service hang, and seeks to
/// the beginning. Returns when the protection events that came again, and all behind them, wait for
/// a new token.
fn open_and_seek_without_token(player: Player, operator: &Operator) -> PlayerHarness {
    let harness = play_and_seek_without_token(operator, Setup::new(player, operator));
    harness.wait_until_all_waits_for_the_token(operator);
    harness
}

fn play_and_seek_without_token(operator: &Operator, setup: Setup) -> PlayerHarness {
    let harness = setup.config("timeout", NEVER).in_time().open();
    harness.start();
    harness.wait_for_picture(AFTER_A_SECOND);
    harness.wait_until_all_has_come(operator);
    let asked = operator.token_requests().len();
    operator.set_auth(Auth::Hang);
    let element = harness.element("sessiontoken").expect("one is plugged");
    element.emit_by_name::<()>("clear-token", &[]);
    harness.forget();
    harness.seek(gst::ClockTime::ZERO);
    operator.wait_for_token_requests(asked + 1);
    assert_eq!(operator.token_requests().len(), asked + 1);
    harness
}

in_every_player! {
    fn stop_after_seek_does_not_wait_for_auth_service(player: Player) {
        let operator = Operator::start_for_stopping(player);
        let harness = open_and_seek_without_token(player, &operator);
        harness.stop(gst::State::Null);
    }

    fn second_seek_does_not_wait_for_auth_service(player: Player) {
        let operator = Operator::start_for_stopping(player);
        let harness = open_and_seek_without_token(player, &operator);
        harness.forget();
        harness.seek(gst::ClockTime::from_seconds(2));
        harness.wait_until_all_waits_for_the_token(&operator);
        harness.stop(gst::State::Null);
    }

    fn playback_resumes_at_seek_target_when_token_comes(player: Player) {
        let operator = Operator::start_for_stopping(player);
        let harness = open_and_seek_without_token(player, &operator);
        harness.forget();
        harness.seek(gst::ClockTime::from_seconds(5));
        harness.wait_until_all_waits_for_the_token(&operator);
        operator.release();
        harness.end().assert_well();
        for kind in operator.kinds() {
            harness.seen(|seen| assert_last_segment(*kind, &seen.decrypted(*kind)));
        }
    }
}

// dashdemux2's only thread waits in our element when there is no room in it. In the other players
// that is no thread which a stop or a seek needs.

#[test]
fn playbin3_stops_while_hold_is_full() {
    let operator = Operator::start_for_stopping(Player::Playbin3);
    operator.set_auth(Auth::Hang);
    let harness = Setup::new(Player::Playbin3, &operator)
        .config("timeout", NEVER)
        .config("max-held-bytes", 1u64)
        .open();
    harness.start();
    operator.wait_for_token_requests(1);
    harness.wait_until_there_is_no_room(&operator);
    harness.stop(gst::State::Null);
    operator.assert_asked(1, 0);
}

#[test]
fn playbin3_seeks_while_hold_is_full() {
    let operator = Operator::start_for_stopping(Player::Playbin3);
    let setup = Setup::new(Player::Playbin3, &operator).config("max-held-bytes", 1u64);
    let harness = play_and_seek_without_token(&operator, setup);
    harness.wait_until_there_is_no_room(&operator);
    harness.forget();
    harness.seek(gst::ClockTime::from_seconds(2));
    harness.wait_until_there_is_no_room_after_the_flush(&operator);
    harness.stop(gst::State::Null);
}
