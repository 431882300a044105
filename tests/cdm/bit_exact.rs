// SPDX-License-Identifier: MIT OR Apache-2.0

//! What is played is the content, every byte of it, with one token, one challenge and one license
//! for both streams.

use support::fixtures::Programme;
use support::in_every_player;
use support::player::Player;
use support::player_harness::KINDS;
use support::reference::assert_played;

use crate::cdm_box::{CdmBox, operator};

in_every_player! {
    fn cenc_plays_bit_exact(player: Player) {
        let operator = operator(Programme::Usual);
        let cdm = CdmBox::new("");
        let (harness, ended) = cdm.setup(player, &operator).play();
        assert_played(&harness, &ended, &KINDS);
        operator.assert_asked(1, 1);
        assert_eq!((cdm.count("construct"), cdm.count("challenge")), (1, 1));
    }

    fn cbcs_plays_bit_exact(player: Player) {
        let operator = operator(Programme::Cbcs);
        let cdm = CdmBox::new("");
        let (harness, ended) = cdm.setup(player, &operator).play();
        assert_played(&harness, &ended, &KINDS);
        operator.assert_asked(1, 1);
        assert_eq!((cdm.count("construct"), cdm.count("challenge")), (1, 1));
    }
}
