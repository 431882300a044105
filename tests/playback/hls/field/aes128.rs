// SPDX-License-Identifier: MIT OR Apache-2.0

//! METHOD=AES-128: whole segments, of whatever format, with open keys. No auth service is asked
//! for anything.

use support::in_both_players;
use support::player::Player;

use super::part::{Aes128, Part, Track};
use super::presentation::Presentation;
use super::rendition::{Rendition, Style};
use super::{
    assert_keys, assert_keys_in_any_order, assert_plays, assert_tokens_and_licenses, operator,
};

const IV: u128 = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;

fn muxed(aes128: &Aes128) -> [Part; 3] {
    [1, 2, 3].map(|number| Part::muxed(number).aes128(aes128))
}

fn mp4(track: Track, aes128: &Aes128) -> [Part; 3] {
    [1, 2, 3].map(|number| Part::mp4("clear", track, number).aes128(aes128))
}

/// Asserts that it plays with these key requests, each once and without a token.
#[track_caller]
fn assert_plays_with_keys(player: Player, presentation: &Presentation, keys: &[&str]) {
    let operator = operator();
    assert_plays(player, &operator, presentation);
    let expected: Vec<_> = keys.iter().map(|key| (*key, false)).collect();
    assert_keys_in_any_order(&operator, &expected);
    assert_tokens_and_licenses(&operator, 0, 0);
}

in_both_players! {
    fn mpeg_ts_with_vector_of_the_sequence(player: Player) {
        let presentation = Presentation::new().video(muxed(&Aes128::key("1")));
        assert_plays_with_keys(player, &presentation, &["1"]);
    }

    fn mpeg_ts_with_sequence_that_begins_later(player: Player) {
        let rendition = Rendition::from(muxed(&Aes128::key("1"))).sequence(1_700_000_000);
        assert_plays_with_keys(player, &Presentation::new().video(rendition), &["1"]);
    }

    fn mpeg_ts_with_explicit_vector(player: Player) {
        let presentation = Presentation::new().video(muxed(&Aes128::key("1").iv(IV)));
        assert_plays_with_keys(player, &presentation, &["1"]);
    }

    fn media_playlist_alone(player: Player) {
        let presentation = Presentation::new().video(muxed(&Aes128::key("1"))).alone();
        assert_plays_with_keys(player, &presentation, &["1"]);
    }

    fn mpeg_ts_in_one_file(player: Player) {
        let rendition = Rendition::from(muxed(&Aes128::key("1"))).style(Style::OneFile);
        assert_plays_with_keys(player, &Presentation::new().video(rendition), &["1"]);
    }

    fn mpeg_ts_and_packed_audio(player: Player) {
        let [one, two] = ["1", "2"].map(Aes128::key);
        let video = [1, 2, 3].map(|number| Part::ts(Track::Video, number).aes128(&one));
        let audio = [1, 2, 3].map(|number| Part::packed("aac", number).aes128(&two));
        let presentation = Presentation::new().video(video).audio(audio);
        assert_plays_with_keys(player, &presentation, &["1", "2"]);
    }

    fn packed_audio_alone(player: Player) {
        for (extension, codec) in [("aac", "mp4a.40.2"), ("ac3", "ac-3"), ("ec3", "ec-3")] {
            let key = Aes128::key("1");
            let audio = [1, 2, 3].map(|number| Part::packed(extension, number).aes128(&key));
            let presentation = Presentation::new().codecs(codec).video(audio);
            assert_plays_with_keys(player, &presentation, &["1"]);
        }
    }

    // Where the streams share a key it is asked for once.
    fn mp4_with_clear_init_segment(player: Player) {
        let key = Aes128::key("1").iv(IV);
        let presentation = Presentation::new()
            .video(mp4(Track::Video, &key))
            .audio(mp4(Track::Audio, &key));
        assert_plays_with_keys(player, &presentation, &["1"]);
    }

    fn mp4_with_encrypted_init_segment(player: Player) {
        let [video, audio] = ["1", "2"].map(|name| Aes128::key(name).iv(IV).with_map());
        let presentation = Presentation::new()
            .video(mp4(Track::Video, &video))
            .audio(mp4(Track::Audio, &audio));
        assert_plays_with_keys(player, &presentation, &["1", "2"]);
    }

    fn mp4_with_vector_of_the_sequence(player: Player) {
        let video = Rendition::from(mp4(Track::Video, &Aes128::key("1"))).sequence(41);
        assert_plays_with_keys(player, &Presentation::picture(video), &["1"]);
    }

    fn mp4_in_one_file(player: Player) {
        let video = Rendition::from(mp4(Track::Video, &Aes128::key("1"))).style(Style::OneFile);
        assert_plays_with_keys(player, &Presentation::picture(video), &["1"]);
    }

    fn mp4_with_tags_for_each_segment(player: Player) {
        let video = Rendition::from(mp4(Track::Video, &Aes128::key("1"))).style(Style::Repeated);
        assert_plays_with_keys(player, &Presentation::picture(video), &["1"]);
    }

    fn mp4_with_another_key_for_each_segment(player: Player) {
        let video = [1, 2, 3].map(|number| {
            Part::mp4("clear", Track::Video, number).aes128(&Aes128::key(&number.to_string()))
        });
        assert_plays_with_keys(player, &Presentation::picture(video), &["1", "2", "3"]);
    }

    fn mp4_with_clear_segment_between(player: Player) {
        let key = Aes128::key("1");
        let [first, second, third] = mp4(Track::Video, &key);
        let clear = Part::mp4("clear", Track::Video, 2);
        drop(second);
        assert_plays_with_keys(player, &Presentation::picture([first, clear, third]), &["1"]);
    }

    fn keys_that_rotate(player: Player) {
        let parts = [1, 2, 3]
            .map(|number| Part::muxed(number).aes128(&Aes128::key(&number.to_string())));
        let presentation = Presentation::new().video(parts);
        assert_plays_with_keys(player, &presentation, &["1", "2", "3"]);
    }

    fn keys_that_take_turns_are_asked_for_once(player: Player) {
        let [one, two] = ["1", "2"].map(Aes128::key);
        let mut number = 0;
        let parts = [&one, &two, &one].map(|key| {
            number += 1;
            Part::muxed(number).aes128(key)
        });
        assert_plays_with_keys(player, &Presentation::new().video(parts), &["1", "2"]);
    }

    fn one_key_with_several_vectors_is_asked_for_once(player: Player) {
        let parts = [1, 2, 3]
            .map(|number| Part::muxed(number).aes128(&Aes128::key("1").iv(IV + number as u128)));
        assert_plays_with_keys(player, &Presentation::new().video(parts), &["1"]);
    }

    fn clear_segment_between(player: Player) {
        let one = Aes128::key("1").iv(IV);
        let two = Aes128::key("2");
        let [first, clear, last] = [1, 2, 3].map(Part::muxed);
        let parts = [first.aes128(&one), clear, last.aes128(&two)];
        assert_plays_with_keys(player, &Presentation::new().video(parts), &["1", "2"]);
    }

    fn clear_segment_in_front(player: Player) {
        let key = Aes128::key("1");
        let parts = [Part::muxed(1), Part::muxed(2).aes128(&key), Part::muxed(3).aes128(&key)];
        assert_plays_with_keys(player, &Presentation::new().video(parts), &["1"]);
    }

    fn session_key_in_the_multivariant_playlist(player: Player) {
        let key = Aes128::key("1");
        let tag = key.tag().replace("#EXT-X-KEY:", "#EXT-X-SESSION-KEY:");
        let presentation = Presentation::new().video(muxed(&key)).tagged(&tag);
        assert_plays_with_keys(player, &presentation, &["1"]);
    }

    fn key_uris_of_every_shape(player: Player) {
        for shape in ["relative", "absolute", "query"] {
            let operator = operator();
            let uri = match shape {
                "relative" => "../../keys/1".to_owned(),
                "absolute" => operator.key_url("1"),
                _ => "/keys/1?session=a%2Fb&x={y}".to_owned(),
            };
            let presentation = Presentation::new().video(muxed(&Aes128::key("1").uri(uri)));
            assert_plays(player, &operator, &presentation);
            assert_keys(&operator, &[("1", false)]);
            let path = operator.key_requests().remove(0).path;
            assert_eq!(path.contains("?session=a%2Fb"), shape == "query", "{path}");
        }
    }

    fn key_tag_with_explicit_key_format(player: Player) {
        let operator = operator();
        let key = Aes128::key("1").uri("/keys/1\",KEYFORMAT=\"identity\",KEYFORMATVERSIONS=\"1");
        assert_plays(player, &operator, &Presentation::new().video(muxed(&key)));
        assert_keys(&operator, &[("1", false)]);
    }
}
