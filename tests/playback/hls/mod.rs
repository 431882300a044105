// SPDX-License-Identifier: MIT OR Apache-2.0

//! HLS. Stock demuxers play protected playlists as long as these have no key tags of DRM systems;
//! hlsdrmdemux plays the others.

mod bad;
mod field;
mod live;
mod prefetch;
mod requests;
mod streams;
mod unprotected;

use std::fs;
use std::path::PathBuf;
use std::sync::Once;

use gst::prelude::*;
use headend::{NEXT_VIDEO_KEY_ID, VIDEO_KEY_ID};
use support::fixtures::Programme;
use support::folders::media;
use support::folders::scratch_folder;
use support::in_both_players;
use support::operator::Operator;
use support::player::Player;
use support::player_harness::{Kind, PlayerHarness, Setup};
use support::reference::assert_played;

/// Asserts that all of it plays, with so many license requests, and that every event brings what a
/// decryptor of AAMP's HLS flow expects.
#[track_caller]
fn assert_plays(player: Player, programme: Programme, licenses: usize) {
    let operator = Operator::start_for(programme);
    let (harness, ended) = with_licenses(Setup::new(player, &operator), &operator).play();
    assert_played(&harness, &ended, operator.kinds());
    operator.assert_asked(1, licenses);
    assert_flow(&harness, &operator);
}

/// HLS does not say where the license server is.
fn with_licenses(setup: Setup, operator: &Operator) -> Setup {
    setup.config("license-url", operator.license_url())
}

/// Plays the picture that is all there is in this folder, from the playlist of that path, with
/// hlsdrmdemux.
#[track_caller]
fn assert_picture_plays(player: Player, folder: PathBuf, path: &str) -> Operator {
    raise();
    let operator = Operator::start_with_media(folder);
    let setup = Setup::new(player, &operator).uri(operator.url(path));
    let (harness, ended) = with_licenses(setup, &operator).play();
    assert_played(&harness, &ended, &[Kind::Picture]);
    operator
}

#[track_caller]
fn assert_flow(harness: &PlayerHarness, operator: &Operator) {
    harness.seen(|seen| {
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

/// Has players plug hlsdrmdemux. For the whole process, which plays all HLS by it from then on.
fn raise() {
    static RAISED: Once = Once::new();
    RAISED.call_once(|| {
        support::player::init();
        gst::ElementFactory::find("hlsdrmdemux")
            .expect("the plugin has it")
            .set_rank(gst::Rank::PRIMARY + 10);
    });
}

/// The picture in one file, its parts named by their place in it.
fn in_one_file() -> PathBuf {
    let folder = scratch_folder();
    let to = folder.join("dash/ranges");
    fs::create_dir_all(&to).expect("a scratch folder");
    let from = media().join("dash/cenc");
    let read = |name: &str| fs::read(from.join(name)).expect("the test media");
    let playlist = String::from_utf8(read("video.m3u8")).expect("text");
    let mut file = b"something before".to_vec();
    let mut place = |name: &str| {
        let (offset, bytes) = (file.len(), read(name));
        file.extend(&bytes);
        format!("{}@{offset}", bytes.len())
    };
    let init = format!("URI=\"all.mp4\",BYTERANGE=\"{}\"", place("v_init.mp4"));
    let mut playlist = playlist.replace("URI=\"v_init.mp4\"", &init);
    for number in 1..=3 {
        let name = format!("v_{number}.m4s");
        let range = format!("#EXT-X-BYTERANGE:{}\nall.mp4", place(&name));
        playlist = playlist.replace(&name, &range);
    }
    fs::write(to.join("video.m3u8"), playlist).expect("a scratch file");
    fs::write(to.join("all.mp4"), file).expect("a scratch file");
    folder
}

/// A key tag with a box of Widevine's that has nothing in it, and the key's id.
fn key_tag(key_id: &str) -> String {
    format!(
        "#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI=\"data:;base64,AAAAIHBzc2gAAAAA7e+LqXnWSs6jyCfc1R0h7QAAAAA=\",KEYID=0x{key_id},KEYFORMAT=\"urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed\"\n"
    )
}

/// The picture with another key, in another init segment, from the second fragment on.
fn with_another_key() -> PathBuf {
    let folder = scratch_folder();
    let to = folder.join("dash/other");
    fs::create_dir_all(&to).expect("a scratch folder");
    let copy = |from: &str, name: &str| {
        let bytes = fs::read(media().join("dash").join(from)).expect("the test media");
        fs::write(to.join(name), bytes).expect("a scratch file");
    };
    copy("cenc/v_init.mp4", "one.mp4");
    copy("cenc/v_1.m4s", "1.m4s");
    copy("periods/v_init.mp4", "two.mp4");
    copy("periods/v_2.m4s", "2.m4s");
    copy("periods/v_3.m4s", "3.m4s");
    let playlist = format!(
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"one.mp4\"\n{}#EXTINF:2,\n1.m4s\n#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"two.mp4\"\n{}#EXTINF:2,\n2.m4s\n#EXTINF:2,\n3.m4s\n#EXT-X-ENDLIST\n",
        key_tag(VIDEO_KEY_ID),
        key_tag(NEXT_VIDEO_KEY_ID)
    );
    fs::write(to.join("video.m3u8"), playlist).expect("a scratch file");
    folder
}

in_both_players! {
    fn flow_is_hls_for_playlists_without_key_tags(player: Player) {
        assert_plays(player, Programme::HlsWithoutKeyTags, 1);
    }

    fn playlist_with_key_tags_plays(player: Player) {
        raise();
        assert_plays(player, Programme::HlsCenc, 1);
    }

    fn playlist_with_key_tags_for_a_pattern_plays(player: Player) {
        raise();
        assert_plays(player, Programme::HlsCbcs, 1);
    }

    fn playlist_of_one_rendition_plays(player: Player) {
        raise();
        assert_plays(player, Programme::HlsPictureAlone, 1);
    }

    fn key_tags_supply_missing_init_data(player: Player) {
        raise();
        // Each playlist names its own key alone.
        assert_plays(player, Programme::HlsWithoutBoxes, 2);
    }

    fn presentation_in_one_file_plays(player: Player) {
        assert_picture_plays(player, in_one_file(), "/hls/ranges/video.m3u8");
    }

    // The older demuxer reads one init segment a rendition by itself, whatever the playlist says.
    fn key_change_in_rendition_requests_new_license(player: Player) {
        let operator = assert_picture_plays(player, with_another_key(), "/hls/other/video.m3u8");
        operator.assert_asked(1, 2);
    }
}
