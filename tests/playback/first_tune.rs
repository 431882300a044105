// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a first tune asks for, and in which order.

use std::time::Duration;

use support::fixtures::Programme;
use support::in_every_player;
use support::operator::Operator;
use support::player::Player;
use support::player_harness::{KINDS, Setup};
use support::reference::assert_played;

/// The segment that is asked for behind the license at the latest. dashdemux2 brings the events and
/// asks for segments on one thread; the older one asks on another, at the same moment.
fn first_behind(player: Player) -> &'static str {
    match player {
        Player::Playbin3 => "_1.m4s",
        Player::Playbin | Player::WrittenOut => "_2.m4s",
    }
}

in_every_player! {
    fn license_is_asked_for_ahead_of_segments(player: Player) {
        let operator = Operator::start_for(Programme::Usual);
        operator.set_media_delay(Duration::from_millis(70));
        // With a token at hand, as on every channel but the first.
        let (other_channel, ended) = Setup::new(player, &operator).play();
        ended.assert_well();
        drop(other_channel);
        let before = operator.media_requests().len();
        let (harness, ended) = Setup::new(player, &operator).play();
        assert_played(&harness, &ended, &KINDS);
        operator.assert_asked(1, 2);
        let segments = operator.media_requests().split_off(before);
        let segments = segments.iter().filter(|one| one.path.ends_with(first_behind(player)));
        let licenses: Vec<_> = segments.map(|one| one.licenses_before).collect();
        assert_eq!(licenses, [2, 2]);
    }
}
