// SPDX-License-Identifier: MIT OR Apache-2.0

//! Variants of which one is clear and the other one is protected: players change between them.

use std::time::Duration;

use gst::prelude::*;
use support::in_both_players;
use support::player::Player;

use super::clear_parts::Item::{self, Clear, Film};
use super::clear_parts::{SCHEMES, assert_same_bytes, rendition};
use super::part::{Part, Track};
use super::presentation::Presentation;
use super::rendition::Style;
use super::{FOLDER, as_usual, open, operator, twin};

/// Plays two variants on a network that gets better, and on one that gets worse.
#[track_caller]
fn assert_switches(player: Player, scheme: &str, low: fn(usize) -> Item, high: fn(usize) -> Item) {
    let operator = operator();
    let [low, high] =
        [low, high].map(|item| rendition(&[1, 2, 3].map(item), scheme, Track::Video, Style::Brief));
    let film = [1, 2, 3].map(|number| Part::mp4("clear", Track::Video, number));
    let twin = twin(player, &operator, &Presentation::picture(film));
    // So that there is something left to be fetched when the network gets better.
    operator.set_media_delay(Duration::from_millis(300));
    let better = Presentation::picture(low.clone()).video(high.clone());
    let worse = Presentation::picture(high).video(low).descending();
    for (presentation, begins, goes_on) in [(better, 100, 10_000), (worse, 10_000, 100)] {
        operator.clear_record();
        let played = open(player, &operator, &presentation, as_usual);
        played.harness.on_new("hlsdrmdemux", move |demuxer| {
            demuxer.set_property("connection-speed", begins as u32);
        });
        played.harness.start();
        let first = operator.wait_for(Duration::from_secs(30), |record| {
            let mut requests = record.media_requests();
            requests.any(|one| one.path.starts_with(FOLDER) && one.path.contains("_0.m4s"))
        });
        assert!(first, "no segment was asked for");
        let demuxer = played.harness.element("hlsdrmdemux").expect("it plays HLS");
        demuxer.set_property("connection-speed", goes_on as u32);
        played.harness.end().assert_well();
        assert_same_bytes(&played.tap.passed(), &twin);
        let requests = operator.media_requests();
        let asked = |name: &str| requests.iter().any(|one| one.path.contains(name));
        let paths: Vec<_> = requests.iter().map(|one| &one.path).collect();
        let switched = asked("video0_") && asked("video1_");
        assert!(
            switched,
            "it never switched from {begins} kbit/s: {paths:?}"
        );
    }
}

in_both_players! {
    fn clear_variant_below_a_protected_one(player: Player) {
        for scheme in SCHEMES {
            assert_switches(player, scheme, Clear, Film);
        }
    }

    fn clear_variant_above_a_protected_one(player: Player) {
        for scheme in SCHEMES {
            assert_switches(player, scheme, Film, Clear);
        }
    }
}
