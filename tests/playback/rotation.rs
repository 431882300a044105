// SPDX-License-Identifier: MIT OR Apache-2.0

//! Keys that change in mid-stream: with a new period of the manifest, and with a new fragment. The
//! viewer sees no seam.

use support::fixtures::Programme;
use support::in_every_player;
use support::operator::Operator;
use support::player::Player;
use support::player_harness::{Setup, play_periods};
use support::reference::assert_played;

in_every_player! {
    fn track_with_key_change_per_fragment_plays_whole(player: Player) {
        let operator = Operator::start_for(Programme::Rotating);
        let (harness, ended) = Setup::new(player, &operator).play();
        assert_played(&harness, &ended, operator.kinds());
        let keys = headend::rotating_key_ids();
        operator.assert_asked(1, keys.len());
        for (key_id, request) in keys.iter().zip(operator.license_requests()) {
            assert_eq!(request.kids, [key_id.as_str()]);
        }
    }

    fn two_periods_with_different_keys_play_whole(player: Player) {
        let (operator, harness, ended) = play_periods(|| {
            let operator = Operator::start_for(Programme::Periods);
            let setup = Setup::new(player, &operator);
            (operator, setup)
        });
        assert_played(&harness, &ended, operator.kinds());
        operator.assert_asked(1, 2);
        for request in operator.license_requests() {
            assert_eq!(request.kids.len(), 2, "the keys of picture and sound at once");
        }
    }
}
