// SPDX-License-Identifier: MIT OR Apache-2.0

//! A clear lead: samples without protection metadata pass a CDM by, unless what it decrypts lies in
//! memory of its own.

use gst::prelude::*;
use support::fixtures::Programme;
use support::in_every_player;
use support::player::Player;
use support::player_harness::{KINDS, PlayerHarness};
use support::reference::assert_played;

use crate::cdm_box::{CdmBox, operator};

/// Those of all streams.
fn clear_samples(harness: &PlayerHarness) -> u64 {
    let of = |decryptor: &gst::Element| {
        let stats = decryptor.property::<gst::Structure>("stats");
        stats.get::<u64>("clear-samples").expect("a number")
    };
    harness.elements("ocdmdec").iter().map(of).sum()
}

in_every_player! {
    fn cenc_clear_lead_plays(player: Player) {
        let operator = operator(Programme::LeadCenc);
        let cdm = CdmBox::new("");
        let (harness, ended) = cdm.setup(player, &operator).play();
        assert_played(&harness, &ended, &KINDS);
        operator.assert_asked(1, 1);
        assert!(clear_samples(&harness) > 0);
        assert_eq!(cdm.count("secured"), 0);
    }

    fn clear_lead_goes_into_secure_memory(player: Player) {
        for behaviour in ["", ";unsecured"] {
            let operator = operator(Programme::LeadCenc);
            let cdm = CdmBox::secure(behaviour);
            let (harness, ended) = cdm.setup(player, &operator).play();
            // What the CDM does not take passes as it is.
            assert_played(&harness, &ended, &KINDS);
            operator.assert_asked(1, 1);
            let clear = clear_samples(&harness);
            assert!(clear > 0);
            assert_eq!(cdm.count("secured") as u64, clear);
        }
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
