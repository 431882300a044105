// SPDX-License-Identifier: MIT OR Apache-2.0

//! METHOD=SAMPLE-AES with KEYFORMAT `identity`: samples encrypted by a key of sixteen bytes at a
//! URL, in whatever format. No license server is asked for anything.

use headend::KeyPolicy;
use support::in_both_players;
use support::operator::Operator;
use support::operator::address;
use support::player::Player;

use super::part::{Part, Track};
use super::presentation::Presentation;
use super::{
    as_usual, assert_keys, assert_keys_in_any_order, assert_plays, assert_same, assert_says,
    assert_tokens_and_licenses, complaint, open, operator, twin,
};

/// A key tag for fragmented MP4. Its vector is in `tenc`, where there is one.
fn tag(key: &str) -> String {
    format!("#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"/keys/{key}\",KEYFORMAT=\"identity\"\n")
}

fn ts(track: Track, key: &str) -> [Part; 3] {
    let uri = format!("/keys/{key}");
    [1, 2, 3].map(|number| Part::ts(track, number).sample_aes(track, number, &uri))
}

fn packed(extension: &'static str) -> [Part; 3] {
    [1, 2, 3].map(|number| {
        Part::packed(extension, number).sample_aes(Track::Audio, number, "/keys/audio")
    })
}

fn mp4(track: Track, key: &str) -> [Part; 3] {
    [1, 2, 3].map(|number| Part::drm("cbcs", track, number).keyed(tag(key)))
}

fn both_mp4() -> Presentation {
    Presentation::new()
        .video(mp4(Track::Video, "video"))
        .audio(mp4(Track::Audio, "audio"))
}

#[track_caller]
fn assert_plays_with_keys(player: Player, presentation: &Presentation, keys: &[&str]) -> Operator {
    let operator = operator();
    assert_plays(player, &operator, presentation);
    let expected: Vec<_> = keys.iter().map(|key| (*key, false)).collect();
    assert_keys_in_any_order(&operator, &expected);
    assert!(operator.license_requests().is_empty());
    operator
}

in_both_players! {
    fn mpeg_ts_of_picture_and_sound(player: Player) {
        let presentation = Presentation::new()
            .video(ts(Track::Video, "video"))
            .audio(ts(Track::Audio, "audio"));
        assert_plays_with_keys(player, &presentation, &["video", "audio"]);
    }

    fn mpeg_ts_of_a_picture_alone(player: Player) {
        let presentation = Presentation::picture(ts(Track::Video, "video")).alone();
        assert_plays_with_keys(player, &presentation, &["video"]);
    }

    fn packed_audio_of_every_codec(player: Player) {
        for (extension, codec) in [("aac", "mp4a.40.2"), ("ac3", "ac-3"), ("ec3", "ec-3")] {
            let presentation = Presentation::new().codecs(codec).video(packed(extension));
            assert_plays_with_keys(player, &presentation, &["audio"]);
        }
    }

    fn packed_audio_beside_mpeg_ts(player: Player) {
        for (extension, codecs) in [
            ("aac", "avc1.640015,mp4a.40.2"),
            ("ac3", "avc1.640015,ac-3"),
            ("ec3", "avc1.640015,ec-3"),
        ] {
            let presentation = Presentation::new()
                .codecs(codecs)
                .video(ts(Track::Video, "video"))
                .audio(packed(extension));
            assert_plays_with_keys(player, &presentation, &["video", "audio"]);
        }
    }

    fn mpeg_ts_with_clear_segments(player: Player) {
        for clear in 0..3 {
            let mut parts = ts(Track::Video, "video");
            parts[clear] = Part::ts(Track::Video, clear + 1);
            assert_plays_with_keys(player, &Presentation::picture(parts), &["video"]);
        }
    }

    fn mp4_with_boxes_of_other_systems(player: Player) {
        assert_plays_with_keys(player, &both_mp4(), &["video", "audio"]);
    }

    fn open_keys_of_every_format_need_no_auth_service(player: Player) {
        for (presentation, keys) in [
            (both_mp4(), &["video", "audio"][..]),
            (Presentation::picture(ts(Track::Video, "video")), &["video"]),
            (Presentation::new().codecs("mp4a.40.2").video(packed("aac")), &["audio"]),
        ] {
            let operator = assert_plays_with_keys(player, &presentation, keys);
            assert_tokens_and_licenses(&operator, 0, 0);
        }
    }

    fn mp4_without_boxes(player: Player) {
        let [video, audio] = [(Track::Video, "video"), (Track::Audio, "audio")]
            .map(|(track, key)| mp4(track, key).map(Part::without_pssh));
        let presentation = Presentation::new().video(video).audio(audio);
        assert_plays_with_keys(player, &presentation, &["video", "audio"]);
    }

    fn mp4_with_clear_segments(player: Player) {
        for clear in 0..3 {
            let mut parts = mp4(Track::Video, "video");
            parts[clear] = Part::mp4("clear", Track::Video, clear + 1);
            assert_plays_with_keys(player, &Presentation::picture(parts), &["video"]);
        }
    }

    fn mp4_keys_that_want_the_token(player: Player) {
        let operator = operator();
        operator.set_keys(KeyPolicy::Token);
        let presentation = Presentation::picture(mp4(Track::Video, "video"));
        assert_plays(player, &operator, &presentation);
        assert_keys(&operator, &[("video", false), ("video", true)]);
        assert_tokens_and_licenses(&operator, 1, 0);
    }

    fn mpeg_ts_keys_that_want_the_token(player: Player) {
        let operator = operator();
        operator.set_keys(KeyPolicy::Token);
        let presentation = Presentation::picture(ts(Track::Video, "video"));
        assert_plays(player, &operator, &presentation);
        assert_keys(&operator, &[("video", false), ("video", true)]);
        assert_tokens_and_licenses(&operator, 1, 0);
    }

    fn what_is_no_key_is_an_error(player: Player) {
        for presentation in [
            Presentation::picture(mp4(Track::Video, "video")),
            Presentation::picture(ts(Track::Video, "video")),
        ] {
            let operator = operator();
            operator.set_keys(KeyPolicy::Reply {
                status: 200,
                content_type: "application/octet-stream".to_owned(),
                body: vec![7; 17],
            });
            let complaint = complaint(player, &operator, &presentation);
            let words = ["16", "17", &*address(&operator)];
            assert_says(&complaint, gst::ResourceError::Read, &words);
        }
    }

    // The key id is the same in both, as where a packager's default stands in every film.
    fn each_presentation_has_its_own_keys(player: Player) {
        let right = operator();
        let wrong = operator();
        let presentation = Presentation::picture(mp4(Track::Video, "video"));
        let body = headend::key_of("another").to_vec();
        wrong.set_keys(KeyPolicy::Reply {
            status: 200,
            content_type: "application/octet-stream".to_owned(),
            body,
        });
        let played = [&wrong, &right]
            .map(|operator| open(player, operator, &presentation, as_usual));
        for one in &played {
            one.harness.start();
        }
        let [wrong_end, right_end] = played.each_ref().map(|one| one.harness.end());
        drop(wrong_end);
        right_end.assert_well();
        let twin = twin(player, &right, &presentation);
        assert_same(&played[1].tap.passed(), &twin);
        assert!(played[0].tap.passed().difference(&twin).is_some());
    }
}
