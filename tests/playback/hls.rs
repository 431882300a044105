// SPDX-License-Identifier: MIT OR Apache-2.0

//! HLS. Stock demuxers play protected playlists as long as these have no key tags of DRM systems.

use crate::operator::Operator;
use crate::player::Player;
use crate::programme::Programme;
use crate::reference::assert_played;
use crate::show::Setup;

/// A decryptor of AAMP's HLS flow finds what it expects, though stock demuxers send no `hls/m3u8` events.
#[track_caller]
fn assert_hls_flow(player: Player) {
    let operator = Operator::start_for(Programme::HlsWithoutKeyTags);
    let (show, ended) = Setup::new(player, &operator)
        .config("license-url", operator.licence_url())
        .play();
    assert_played(&show, &ended, operator.kinds());
    operator.assert_asked(1, 1);
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
