// SPDX-License-Identifier: MIT OR Apache-2.0

//! An auth service that takes its time costs time and nothing else: what waits for it is played
//! whole.

use std::time::Duration;

use headend::Auth;
use support::in_every_player;
use support::operator::Operator;
use support::player::Player;
use support::player_harness::{KINDS, Setup};
use support::reference::assert_played;

/// Longer than all of the test media take to arrive, so that the ends of the streams wait too.
const SLOW: Duration = Duration::from_millis(1500);

/// In bytes, less than one media segment of either stream.
const LITTLE: u64 = 10_000;

fn assert_plays_whole(operator: &Operator, setup: Setup) {
    operator.set_auth(Auth::GrantAfter(SLOW));
    let (harness, ended) = setup.play();
    assert_played(&harness, &ended, &KINDS);
    operator.assert_asked(1, 1);
}

in_every_player! {
    fn nothing_is_lost_while_a_slow_auth_service_thinks(player: Player) {
        let operator = Operator::start();
        assert_plays_whole(&operator, Setup::new(player, &operator));
    }

    fn nothing_is_lost_when_little_may_be_held(player: Player) {
        let operator = Operator::start();
        assert_plays_whole(
            &operator,
            Setup::new(player, &operator).config("max-held-bytes", LITTLE),
        );
    }

    fn late_license_loses_nothing_with_small_hold_limit(player: Player) {
        let operator = Operator::start();
        operator.set_licenses(headend::Licenses::Hang);
        let harness = Setup::new(player, &operator).config("max-held-bytes", LITTLE).open();
        harness.start();
        operator.wait_for_license_requests(1);
        operator.release();
        assert_played(&harness, &harness.end(), &KINDS);
        operator.assert_asked(1, 1);
    }
}
