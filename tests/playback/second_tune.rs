// SPDX-License-Identifier: MIT OR Apache-2.0

//! Changing channels: the session token is asked for once, not at every tune.

use support::in_every_player;
use support::operator::Operator;
use support::player::Player;
use support::player_harness::{KINDS, Setup};
use support::reference::assert_played;

const TUNES: usize = 5;

in_every_player! {
    fn new_player_for_every_channel_asks_for_one_token(player: Player) {
        let operator = Operator::start();
        for tune in 1..=TUNES {
            let (harness, ended) = Setup::new(player, &operator).play();
            assert_played(&harness, &ended, &KINDS);
            operator.assert_asked(1, tune);
        }
    }

    fn reused_player_requests_one_token_for_all_channels(player: Player) {
        let operator = Operator::start();
        let harness = Setup::new(player, &operator).open();
        for tune in 1..=TUNES {
            harness.start();
            let ended = harness.end();
            assert_played(&harness, &ended, &KINDS);
            operator.assert_asked(1, tune);
            harness.stop(gst::State::Ready);
            harness.forget();
        }
    }

    fn only_first_tune_reports_uncached_token(player: Player) {
        let operator = Operator::start();
        let (_first, ended) = Setup::new(player, &operator).play();
        assert!(ended.told.iter().any(|told| told.get("cached") == Ok(false)), "{ended:?}");
        let first = ended.generations()[0];
        let (_second, ended) = Setup::new(player, &operator).play();
        assert_eq!(ended.told.len(), 2, "one message a stream: {ended:?}");
        for told in &ended.told {
            assert_eq!(told.get("state"), Ok("acquired"));
            assert_eq!(told.get("generation"), Ok(first));
            assert_eq!(told.get("cached"), Ok(true));
        }
    }
}
