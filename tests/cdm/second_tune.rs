// SPDX-License-Identifier: MIT OR Apache-2.0

//! A channel that is watched again asks nothing, until somebody logs out.

use std::sync::RwLock;

use support::fixtures::Programme;
use support::in_every_player;
use support::operator::Operator;
use support::player::Player;
use support::player_harness::KINDS;
use support::reference::assert_played;

use crate::cdm_box::{CdmBox, operator};

/// A logout forgets the licenses of the whole process: whoever keeps some has this meanwhile.
static LOGOUTS: RwLock<()> = RwLock::new(());

fn play(cdm: &CdmBox, player: Player, operator: &Operator) {
    let setup = cdm.setup(player, operator).keeping_licenses();
    let (harness, ended) = setup.play();
    assert_played(&harness, &ended, &KINDS);
}

in_every_player! {
    fn zap_back_asks_nothing(player: Player) {
        let _keeps = LOGOUTS.read();
        let operator = operator(Programme::Usual);
        let cdm = CdmBox::new("");
        play(&cdm, player, &operator);
        play(&cdm, player, &operator);
        operator.assert_asked(1, 1);
        assert_eq!((cdm.count("construct"), cdm.count("close")), (1, 0));
    }
}

#[test]
fn licenses_are_not_kept_where_the_server_counts_viewers() {
    let operator = operator(Programme::Usual);
    let cdm = CdmBox::new("");
    for _ in 0..2 {
        let (harness, ended) = cdm.setup(Player::Playbin3, &operator).play();
        assert_played(&harness, &ended, &KINDS);
    }
    operator.assert_asked(1, 2);
    cdm.wait_for("destruct", 2);
}

#[test]
fn logout_ends_sessions_that_are_kept() {
    let _logs_out = LOGOUTS.write();
    let operator = operator(Programme::Usual);
    let cdm = CdmBox::new("");
    play(&cdm, Player::Playbin3, &operator);
    let element = gst::ElementFactory::make("sessiontoken")
        .property("location", operator.location())
        .build()
        .expect("the plugin has it");
    gst::prelude::ObjectExt::emit_by_name::<()>(&element, "clear-token", &[]);
    cdm.wait_for("destruct", 1);
    play(&cdm, Player::Playbin3, &operator);
    operator.assert_asked(2, 2);
}
