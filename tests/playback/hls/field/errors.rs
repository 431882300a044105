// SPDX-License-Identifier: MIT OR Apache-2.0

//! What cannot be played ends with one error of ours, which names it. Without one playbin3 would
//! wait for ever.

use support::in_both_players;
use support::player::Player;

use super::part::{Aes128, Part, Track};
use super::presentation::Presentation;
use super::{assert_keys, complaint, operator};

/// Asserts that the error says all of this, and that no service was asked.
#[track_caller]
fn assert_names(player: Player, presentation: &Presentation, words: &[&str]) {
    let operator = operator();
    let complaint = complaint(player, &operator, presentation);
    let message = complaint.error.message();
    for word in words {
        assert!(message.contains(word), "no {word:?} in: {message}");
    }
    assert!(!message.contains("secret"), "{message}");
    assert!(operator.license_requests().is_empty());
}

/// The picture, whose init segment has nothing about keys, with this key tag.
fn keyed(tag: &str) -> Presentation {
    let parts = [1, 2, 3].map(|number| {
        let part = Part::drm("cbcs", Track::Video, number).without_pssh();
        part.keyed(format!("{tag}\n"))
    });
    Presentation::picture(parts)
}

/// The same tag before segments of MPEG-TS.
fn keyed_ts(tag: &str) -> Presentation {
    let parts = [1, 2, 3].map(|number| {
        let part = Part::ts(Track::Video, number).sample_aes(Track::Video, number, "");
        part.keyed(format!("{tag}\n"))
    });
    Presentation::picture(parts)
}

in_both_players! {
    fn unknown_method_is_named(player: Player) {
        let tag = "#EXT-X-KEY:METHOD=ROT-13,URI=\"https://keys.example.com/1?secret\"";
        assert_names(player, &keyed(tag), &["ROT-13"]);
        assert_names(player, &keyed_ts(tag), &["ROT-13"]);
    }

    fn key_tag_without_a_method_is_an_error(player: Player) {
        assert_names(player, &keyed_ts("#EXT-X-KEY:URI=\"/keys/1\""), &["METHOD"]);
    }

    fn fairplay_alone_is_named(player: Player) {
        let tag = "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://key-secret\",KEYFORMAT=\"com.apple.streamingkeydelivery\",KEYFORMATVERSIONS=\"1\"";
        assert_names(player, &keyed(tag), &["com.apple.streamingkeydelivery"]);
    }

    fn key_format_that_yields_nothing_is_named(player: Player) {
        let tag = "#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI=\"vendor://key-secret\",KEYFORMAT=\"com.vendor.drm\"";
        assert_names(player, &keyed(tag), &["com.vendor.drm"]);
    }

    fn empty_data_uri_is_named(player: Player) {
        let tag = "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"data:text/plain;base64,\",KEYFORMAT=\"urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed\"";
        assert_names(player, &keyed(tag), &["edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"]);
    }

    fn drm_in_mpeg_ts_is_named(player: Player) {
        for (format, uri) in [
            ("com.apple.streamingkeydelivery", "skd://key-secret"),
            ("urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed", "data:;base64,AAAAIHBzc2gAAAAA7e+LqXnWSs6jyCfc1R0h7QAAAAA="),
        ] {
            let tag = format!("#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"{uri}\",KEYFORMAT=\"{format}\"");
            assert_names(player, &keyed_ts(&tag), &[format]);
        }
    }

    fn key_uri_nobody_can_fetch_is_an_error(player: Player) {
        for uri in ["skd://key", "file:///etc/hostname", "ftp://127.0.0.1/key", ""] {
            let key = Aes128::key("1").uri(uri);
            let parts = [1, 2, 3].map(|number| Part::muxed(number).aes128(&key));
            assert_names(player, &Presentation::new().video(parts), &["key"]);
        }
    }

    // Garbage pictures would be worse. What is wrong with a segment shows when it has been
    // decrypted.
    fn segment_of_another_key_is_an_error(player: Player) {
        let operator = operator();
        let key = Aes128::key("2").uri("/keys/1").iv(7);
        let parts = [1, 2, 3].map(|n| Part::mp4("clear", Track::Video, n).aes128(&key));
        let complaint = complaint(player, &operator, &Presentation::picture(parts));
        assert!(complaint.error.message().contains("key"), "{complaint:?}");
        assert_keys(&operator, &[("1", false)]);
    }
}
