// SPDX-License-Identifier: MIT OR Apache-2.0

//! HLS with key tags of a DRM system, by `hlsdrmdemux` and a CDM.

use std::sync::Once;

use gst::prelude::*;
use support::fixtures::Programme;
use support::in_both_players;
use support::operator::Operator;
use support::player::Player;
use support::reference::assert_played;

use crate::cdm_box::{CdmBox, operator};

fn operator_of_hls(programme: Programme) -> Operator {
    static RAISED: Once = Once::new();
    let operator = operator(programme);
    RAISED.call_once(|| {
        let factory = gst::ElementFactory::find("hlsdrmdemux").expect("the plugin has it");
        factory.set_rank(gst::Rank::PRIMARY + 10);
    });
    operator
}

#[track_caller]
fn assert_plays(player: Player, programme: Programme) {
    let operator = operator_of_hls(programme);
    let cdm = CdmBox::new("");
    let setup = cdm.setup(player, &operator);
    let (harness, ended) = setup.config("license-url", operator.license_url()).play();
    assert_played(&harness, &ended, operator.kinds());
    operator.assert_asked(1, cdm.count("construct"));
}

in_both_players! {
    fn cenc_plays_bit_exact(player: Player) {
        assert_plays(player, Programme::HlsCenc);
    }

    fn cbcs_plays_bit_exact(player: Player) {
        assert_plays(player, Programme::HlsCbcs);
    }

    fn init_segments_without_boxes_play(player: Player) {
        assert_plays(player, Programme::HlsWithoutBoxes);
    }
}
