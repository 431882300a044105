// SPDX-License-Identifier: MIT OR Apache-2.0

//! A clear lead, as Shaka Packager writes it: the first part of a protected presentation is not
//! protected.

use gst::prelude::*;
use support::fixtures::Programme;
use support::in_every_player;
use support::operator::Operator;
use support::player::Player;
use support::player_harness::{Ended, KINDS, PlayerHarness, Setup};
use support::reference::{PICTURES, SOUNDS, assert_played};

/// Plays it with the numbers of samples that its decryptors count in the end, clear and decrypted.
fn play(player: Player, operator: &Operator) -> (PlayerHarness, Ended, [u64; 2]) {
    let (harness, ended) = Setup::new(player, operator).play();
    let elements = harness.pipeline().iterate_recurse().into_iter();
    let decryptors = elements.filter_map(Result::ok).filter(|element| {
        element
            .factory()
            .is_some_and(|factory| factory.name() == "clearkeydec")
    });
    let mut counts = [0, 0];
    for decryptor in decryptors {
        let stats = decryptor.property::<gst::Structure>("stats");
        for (count, field) in counts
            .iter_mut()
            .zip(["clear-samples", "decrypted-samples"])
        {
            *count += stats.get::<u64>(field).expect("a number");
        }
    }
    (harness, ended, counts)
}

/// The first segment.
const CLEAR: [usize; 2] = [50, 88];

fn assert_plays(player: Player, programme: Programme) {
    let operator = Operator::start_for(programme);
    let (harness, ended, counts) = play(player, &operator);
    assert_played(&harness, &ended, &KINDS);
    operator.assert_asked(1, 1);
    let clear = CLEAR[0] + CLEAR[1];
    let all = PICTURES + SOUNDS;
    assert_eq!(counts, [clear as u64, (all - clear) as u64]);
}

in_every_player! {
    fn cenc_clear_lead_plays(player: Player) {
        assert_plays(player, Programme::LeadCenc);
    }

    fn cbcs_clear_lead_plays(player: Player) {
        assert_plays(player, Programme::LeadCbcs);
    }
}

/// An application that writes its pipeline out does not have to know which channels are protected.
#[test]
fn written_out_line_plays_clear_channel_too() {
    let operator = Operator::start();
    let setup = Setup::new(Player::WrittenOut, &operator).uri(operator.clear_manifest_url());
    let (harness, ended) = setup.play();
    assert_played(&harness, &ended, &KINDS);
    assert_eq!(operator.license_requests(), []);
}
