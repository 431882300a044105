// SPDX-License-Identifier: MIT OR Apache-2.0

//! HLS. Stock demuxers play protected playlists as long as these have no key tags of DRM systems; hlsdrmdemux plays the others.

use std::sync::Once;

use gst::prelude::*;

use crate::operator::Operator;
use crate::player::Player;
use crate::programme::Programme;
use crate::reference::assert_played;
use crate::show::{Setup, Show};

/// A decryptor of AAMP's HLS flow finds what it expects, though stock demuxers send no `hls/m3u8` events.
#[track_caller]
fn assert_hls_flow(player: Player) {
    let operator = Operator::start_for(Programme::HlsWithoutKeyTags);
    let (show, ended) = Setup::new(player, &operator)
        .config("license-url", operator.licence_url())
        .play();
    assert_played(&show, &ended, operator.kinds());
    operator.assert_asked(1, 1);
    assert_flow(&show, &operator);
}

#[track_caller]
fn assert_flow(show: &Show, operator: &Operator) {
    show.seen(|seen| {
        assert!(!seen.reached.is_empty());
        for reached in &seen.reached {
            let request = reached.key_request().expect("a key request");
            assert_eq!(request.get("flow"), Ok("hls"));
            let packed = request.get::<&str>("custom-data").expect("custom data");
            assert!(packed.contains(r#""message:type":"clientAccess""#));
            assert!(packed.contains(&format!(r#""client:accessToken":"{}""#, operator.token())));
        }
    });
}

#[test]
fn the_flow_of_playlists_without_key_tags_is_known_by_the_demuxer_in_playbin() {
    assert_hls_flow(Player::Playbin);
}

#[test]
fn the_flow_of_playlists_without_key_tags_is_known_by_the_demuxer_in_playbin3() {
    assert_hls_flow(Player::Playbin3);
}

/// Has players plug hlsdrmdemux. For the whole process, which plays all HLS by it from then on.
fn raise() {
    static RAISED: Once = Once::new();
    RAISED.call_once(|| {
        crate::player::init();
        gst::ElementFactory::find("hlsdrmdemux")
            .expect("the plugin has it")
            .set_rank(gst::Rank::PRIMARY + 10);
    });
}

/// Asserts that all of it plays, with so many licence requests, and that every event brings what the HLS flow wants.
#[track_caller]
fn assert_plays(player: Player, programme: Programme, licences: usize) {
    raise();
    let operator = Operator::start_for(programme);
    let (show, ended) = Setup::new(player, &operator)
        .config("license-url", operator.licence_url())
        .play();
    assert_played(&show, &ended, operator.kinds());
    operator.assert_asked(1, licences);
    assert_flow(&show, &operator);
}

/// Makes a test in both players.
macro_rules! in_both_players {
    ($(fn $name:ident: $programme:ident, $licences:literal;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn in_playbin() {
                assert_plays(Player::Playbin, Programme::$programme, $licences);
            }

            #[test]
            fn in_playbin3() {
                assert_plays(Player::Playbin3, Programme::$programme, $licences);
            }
        }
    )*};
}

in_both_players! {
    fn a_playlist_with_key_tags_plays: HlsCenc, 1;
    fn a_playlist_with_key_tags_for_a_pattern_plays: HlsCbcs, 1;
    fn a_playlist_of_one_rendition_plays: HlsPictureAlone, 1;
    // Each playlist names its own key alone.
    fn what_the_init_segments_do_not_say_comes_from_the_key_tags: HlsWithoutBoxes, 2;
}
