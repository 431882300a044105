// SPDX-License-Identifier: MIT OR Apache-2.0

//! A clear lead: samples without protection metadata pass a CDM by.

use gst::prelude::*;
use support::fixtures::Programme;
use support::in_every_player;
use support::player::Player;
use support::player_harness::KINDS;
use support::reference::assert_played;

use crate::cdm_box::{CdmBox, operator};

in_every_player! {
    fn cenc_clear_lead_plays(player: Player) {
        let operator = operator(Programme::LeadCenc);
        let cdm = CdmBox::new("");
        let (harness, ended) = cdm.setup(player, &operator).play();
        assert_played(&harness, &ended, &KINDS);
        operator.assert_asked(1, 1);
        let decryptor = harness.element("ocdmdec").expect("it plays");
        let stats = decryptor.property::<gst::Structure>("stats");
        assert!(stats.get::<u64>("clear-samples").expect("a number") > 0);
    }

    // GStreamer before 1.22.6 hands over the clear sound as protected.
    fn cbcs_clear_lead_plays(player: Player) {
        let operator = operator(Programme::LeadCbcs);
        let cdm = CdmBox::new("");
        let (harness, ended) = cdm.setup(player, &operator).play();
        assert_played(&harness, &ended, &KINDS);
        operator.assert_asked(1, 1);
    }
}
