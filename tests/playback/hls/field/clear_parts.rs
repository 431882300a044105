// SPDX-License-Identifier: MIT OR Apache-2.0

//! Clear parts in presentations that DRM systems protect: ads, clear leads, and what is clear
//! beside what is not.

use gst::prelude::*;
use support::fixtures::Programme;
use support::in_both_players;
use support::operator::Operator;
use support::player::Player;

use super::part::{Aes128, Part, Track};
use super::presentation::Presentation;
use super::rendition::{Rendition, Style};
use super::tap::{Medium, Passed, Place};
use super::{
    FILE, as_usual, assert_keys, assert_plays, assert_same, assert_tokens_and_licenses, open,
    open_path, operator, stock, twin,
};
use crate::hls::raise;

pub const SCHEMES: [&str; 2] = ["cenc", "cbcs"];

const TRACKS: [Track; 2] = [Track::Video, Track::Audio];

/// What stands where in a track of a presentation.
#[derive(Clone, Copy, Debug)]
pub enum Item {
    /// A protected segment of the film.
    Film(usize),
    /// A clear one.
    Clear(usize),
    /// A clear one behind the protected init segment.
    ClearBehindMap(usize),
    Ad(usize),
    ProtectedAd(usize),
}

use Item::{Ad, Clear, ClearBehindMap, Film, ProtectedAd};

impl Item {
    fn part(self, scheme: &str, track: Track) -> Part {
        match self {
            Film(number) => Part::drm(scheme, track, number),
            Clear(number) => Part::mp4("clear", track, number),
            ClearBehindMap(number) => {
                Part::mp4("clear", track, number).behind_map_of(scheme, track)
            }
            Ad(number) => Part::mp4("ad", track, number),
            ProtectedAd(number) => Part::drm(&format!("ad-{scheme}"), track, number),
        }
    }

    /// Whether a timeline begins with it that is another one than before.
    fn follows(self, before: Self) -> bool {
        std::mem::discriminant(&self) != std::mem::discriminant(&before)
    }
}

/// Items with a discontinuity wherever their kind changes, on one timeline. Where each has a time
/// of its own, stock players of 1.22 do not always come to the end: they do not move fragmented
/// MP4 behind a discontinuity to its place.
pub fn rendition(items: &[Item], scheme: &str, track: Track, style: Style) -> Rendition {
    let mut before = None;
    let parts = items.iter().zip((0..).step_by(2)).map(|(item, seconds)| {
        let part = item.part(scheme, track).beginning_at(seconds);
        match before
            .replace(*item)
            .is_some_and(|before| item.follows(before))
        {
            true => part.after_discontinuity(),
            false => part,
        }
    });
    Rendition::from(parts.collect::<Vec<_>>()).style(style)
}

fn presentation(items: &[Item], scheme: &str, style: Style) -> Presentation {
    let [video, audio] = TRACKS.map(|track| rendition(items, scheme, track, style));
    Presentation::new().video(video).audio(audio)
}

/// Asserts that these items play by both schemes, picture alone and with sound, and how many
/// licenses it takes.
#[track_caller]
fn assert_items_play(player: Player, items: &[Item], style: Style, licenses: usize) {
    for scheme in SCHEMES {
        let picture_operator = operator();
        let picture = Presentation::picture(rendition(items, scheme, Track::Video, style));
        assert_plays(player, &picture_operator, &picture);
        let operator = operator();
        let both = presentation(items, scheme, style);
        let played = open(player, &operator, &both, as_usual);
        played.to_end().assert_well();
        let passed = played.tap.passed();
        drop(played);
        let stock = twin(player, &operator, &both);
        let is_ad = |item: &Item| matches!(item, Ad(_) | ProtectedAd(_));
        match player == Player::Playbin && items.iter().any(is_ad) {
            // The older demuxer reads one init segment, and counts the time of all sound by it.
            true => {
                assert_same_bytes(&passed, &stock);
                let newer = twin(Player::Playbin3, &operator, &both);
                let sounds = Place::DecoderOf(Medium::Sound);
                assert!(passed.at(sounds) == newer.at(sounds), "times of sounds");
            }
            false => assert_same(&passed, &stock),
        }
        assert_eq!(operator.token_requests().len(), 1, "{scheme}");
        let asked = operator.license_requests();
        let mut kids: Vec<_> = asked.iter().flat_map(|one| one.kids.clone()).collect();
        let count = kids.len();
        kids.sort();
        kids.dedup();
        let counts = (count, kids.len());
        assert_eq!(counts, (licenses, licenses), "{scheme}: {kids:?}");
    }
}

/// Two keys for a film, and two for an ad.
const FILM: usize = 2;
const FILM_AND_AD: usize = 4;

in_both_players! {
    fn ad_break_of_the_same_size(player: Player) {
        assert_items_play(player, &[Film(1), Clear(2), Film(3)], Style::Brief, FILM);
    }

    fn ad_break_with_tags_for_each_segment(player: Player) {
        assert_items_play(player, &[Film(1), Clear(2), Film(3)], Style::Repeated, FILM);
    }

    fn ad_break_without_method_none(player: Player) {
        assert_items_play(player, &[Film(1), Clear(2), Film(3)], Style::WithoutNone, FILM);
    }

    fn pre_roll_of_the_same_size(player: Player) {
        assert_items_play(player, &[Clear(1), Film(2), Film(3)], Style::Brief, FILM);
    }

    fn post_roll_of_the_same_size(player: Player) {
        assert_items_play(player, &[Film(1), Film(2), Clear(3)], Style::Brief, FILM);
    }

    fn clear_segment_behind_the_protected_init_segment(player: Player) {
        for number in 0..3 {
            let mut items = [Film(1), Film(2), Film(3)];
            items[number] = ClearBehindMap(number + 1);
            assert_items_play(player, &items, Style::Brief, FILM);
        }
    }

    fn ads_with_times_of_their_own(player: Player) {
        for scheme in SCHEMES {
            let operator = operator();
            let [film, first, second] =
                [Film(1), Ad(1), Ad(2)].map(|item| item.part(scheme, Track::Video));
            let parts = [film, first.after_discontinuity(), second];
            let presentation = Presentation::picture(parts);
            let played = open(player, &operator, &presentation, as_usual);
            played.to_end().assert_well();
            // Whether a decoder puts up with times that go back is its own affair.
            assert_same_bytes(&played.tap.passed(), &twin(player, &operator, &presentation));
            assert_tokens_and_licenses(&operator, 1, 1);
        }
    }

    fn pre_roll_of_another_size(player: Player) {
        assert_items_play(player, &[Ad(1), Ad(2), Film(1), Film(2)], Style::Brief, FILM);
    }

    fn mid_roll_of_another_size(player: Player) {
        assert_items_play(player, &[Film(1), Ad(1), Ad(2), Film(2), Film(3)], Style::Brief, FILM);
    }

    fn post_roll_of_another_size(player: Player) {
        assert_items_play(player, &[Film(1), Film(2), Ad(1), Ad(2)], Style::Brief, FILM);
    }

    fn ads_of_another_size_play_with_tags_per_segment(player: Player) {
        let items = [Ad(1), Film(1), Ad(2), Film(2), Ad(1)];
        assert_items_play(player, &items, Style::Repeated, FILM);
    }

    fn ad_with_keys_of_its_own(player: Player) {
        let items = [Film(1), ProtectedAd(1), ProtectedAd(2), Film(2)];
        assert_items_play(player, &items, Style::Brief, FILM_AND_AD);
    }

    fn protected_ad_and_then_a_clear_one(player: Player) {
        let items = [Film(1), ProtectedAd(1), Ad(2), Film(2)];
        assert_items_play(player, &items, Style::Brief, FILM_AND_AD);
    }

    fn protected_ad_in_a_clear_film(player: Player) {
        let items = [Clear(1), ProtectedAd(1), ProtectedAd(2), Clear(2)];
        assert_items_play(player, &items, Style::Brief, FILM);
    }

    fn clear_lead_in_playlists_of_ours(player: Player) {
        for scheme in SCHEMES {
            let operator = operator();
            let folder = format!("lead-{scheme}");
            let [video, audio] = TRACKS.map(|track| {
                let protected = [2, 3].map(|number| Part::drm(&folder, track, number));
                [vec![Part::lead(&folder, track, 1)], protected.to_vec()].concat()
            });
            assert_plays(player, &operator, &Presentation::new().video(video).audio(audio));
            assert_eq!(operator.token_requests().len(), 1);
        }
    }

    fn clear_lead_as_the_packager_writes_it(player: Player) {
        for scheme in SCHEMES {
            let operator = operator();
            let path = format!("/hls/lead-{scheme}/master.m3u8");
            let played = open_path(player, &operator, &path, as_usual);
            played.to_end().assert_well();
            let twin = stock::play(player, &operator.url("/hls/clear/master.m3u8"));
            assert_same_bytes(&played.tap.passed(), &twin.expect("the clear film"));
            assert_eq!(operator.token_requests().len(), 1);
        }
    }

    // Where GStreamer says which sound is clear. Before 1.22.6 it does not for `cbcs`.
    fn clear_lead_of_dash(player: Player) {
        let (major, minor, micro, _) = gst::version();
        for scheme in SCHEMES {
            let operator = operator();
            let path = format!("/dash/lead-{scheme}/manifest.mpd");
            let played = open_path(player, &operator, &path, as_usual);
            played.harness.start();
            let ended = played.harness.end();
            assert!(ended.error.is_none(), "{ended:?}");
            let twin = stock::play(player, &operator.url("/dash/clear/manifest.mpd"));
            let twin = twin.expect("the clear film");
            let passed = played.tap.passed();
            let picture = Place::DecoderOf(Medium::Picture);
            assert_eq!(bytes(&passed, picture), bytes(&twin, picture));
            let tells = scheme == "cenc" || (major, minor, micro) >= (1, 22, 6);
            let sound = Place::DecoderOf(Medium::Sound);
            match bytes(&passed, sound) == bytes(&twin, sound) {
                true => assert!(ended.warnings.is_empty(), "{ended:?}"),
                false => assert!(!tells && !ended.warnings.is_empty(), "{ended:?}"),
            }
        }
    }

    fn clear_sound_beside_a_protected_picture(player: Player) {
        for scheme in SCHEMES {
            let operator = operator();
            let [film, clear] = [Film, Clear].map(|item| [1, 2, 3].map(item));
            let video = rendition(&film, scheme, Track::Video, Style::Brief);
            let audio = rendition(&clear, scheme, Track::Audio, Style::Brief);
            assert_plays(player, &operator, &Presentation::new().video(video).audio(audio));
            assert_tokens_and_licenses(&operator, 1, 1);
        }
    }

    fn clear_picture_beside_a_protected_sound(player: Player) {
        for scheme in SCHEMES {
            let operator = operator();
            let [film, clear] = [Film, Clear].map(|item| [1, 2, 3].map(item));
            let video = rendition(&clear, scheme, Track::Video, Style::Brief);
            let audio = rendition(&film, scheme, Track::Audio, Style::Brief);
            assert_plays(player, &operator, &Presentation::new().video(video).audio(audio));
            assert_tokens_and_licenses(&operator, 1, 1);
        }
    }

    fn sound_by_aes_128_beside_a_picture_by_drm(player: Player) {
        for scheme in SCHEMES {
            let operator = operator();
            let video = rendition(&[1, 2, 3].map(Film), scheme, Track::Video, Style::Brief);
            let key = Aes128::key("1");
            let audio = [1, 2, 3].map(|n| Part::mp4("clear", Track::Audio, n).aes128(&key));
            assert_plays(player, &operator, &Presentation::new().video(video).audio(audio));
            assert_keys(&operator, &[("1", false)]);
            assert_tokens_and_licenses(&operator, 1, 1);
        }
    }

    fn ad_by_aes_128_in_a_film_by_drm(player: Player) {
        for scheme in SCHEMES {
            let operator = operator();
            let key = Aes128::key("1");
            let [first, ad, last] = [Film(1), Ad(1), Film(2)].map(|i| i.part(scheme, Track::Video));
            let parts = [
                first,
                ad.beginning_at(2).aes128(&key).after_discontinuity(),
                last.beginning_at(4).after_discontinuity(),
            ];
            assert_plays(player, &operator, &Presentation::picture(parts));
            assert_keys(&operator, &[("1", false)]);
            assert_tokens_and_licenses(&operator, 1, 1);
        }
    }

    // The older demuxer reads an init segment once.
    fn key_that_changes_between_byte_ranges(player: Player) {
        let operator = operator();
        let video = [Part::drm("cenc", Track::Video, 1), Part::periods(2), Part::periods(3)];
        let video = Rendition::from(video).style(Style::OneFile);
        assert_plays(player, &operator, &Presentation::picture(video));
        assert_eq!(operator.token_requests().len(), 1);
    }

    fn ad_break_in_byte_ranges(player: Player) {
        assert_items_play(player, &[Film(1), Clear(2), Film(3)], Style::OneFile, FILM);
    }

    fn accurate_seeks_into_each_part_of_an_ad_break(player: Player) {
        for scheme in SCHEMES {
            let items = [Film(1), Clear(2), Film(3)];
            let video = rendition(&items, scheme, Track::Video, Style::Brief);
            assert_seeks(player, &Presentation::picture(video), &[5000, 3000, 1000, 2120, 3960]);
        }
    }

    fn accurate_seeks_into_each_part_behind_a_pre_roll(player: Player) {
        for scheme in SCHEMES {
            let items = [Clear(1), Film(2), Film(3)];
            let video = rendition(&items, scheme, Track::Video, Style::Brief);
            assert_seeks(player, &Presentation::picture(video), &[5000, 1000, 3000]);
        }
    }
}

fn bytes(passed: &Passed, place: Place) -> Vec<(usize, u64)> {
    let samples = passed.at(place).iter();
    samples.map(|sample| (sample.size, sample.digest)).collect()
}

/// Asserts that the same bytes came to the decoders, whatever their times.
#[track_caller]
pub fn assert_same_bytes(passed: &Passed, twin: &Passed) {
    assert_ne!(twin.counts(), [0, 0], "the twin has nothing to compare");
    assert_eq!(passed.counts(), twin.counts(), "pictures and sounds");
    for medium in [Medium::Picture, Medium::Sound] {
        let place = Place::DecoderOf(medium);
        assert!(bytes(passed, place) == bytes(twin, place), "{medium:?}");
    }
}

/// Seeks to each of these times, in milliseconds, and asserts that what is shown from there on is
/// the rest of what the stock player shows of the clear twin.
#[track_caller]
fn assert_seeks(player: Player, presentation: &Presentation, times: &[u64]) {
    /// How long a picture is on the screen, and when the first one is, in milliseconds.
    const PICTURE: u64 = 40;
    const FIRST: u64 = 80;
    raise();
    let operator = Operator::start_for(Programme::HlsPictureAlone);
    operator.set_media_delay(FILE);
    let whole = twin(player, &operator, presentation);
    let whole = bytes(&whole, Place::Sink(Medium::Picture));
    assert_eq!(whole.len(), 150);
    let played = open(player, &operator, presentation, as_usual);
    played.to_end().assert_well();
    for time in times {
        // At its end nothing is under way: GStreamer 1.22 may crash where it seeks in a download.
        played.tap.forget();
        let to = gst::ClockTime::from_mseconds(*time);
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
        let pipeline = played.harness.pipeline();
        pipeline
            .seek_simple(flags, to)
            .expect("the player can seek");
        played.harness.end().assert_well();
        let shown = bytes(&played.tap.passed(), Place::Sink(Medium::Picture));
        let rest = &whole[((time - FIRST) / PICTURE) as usize..];
        assert_eq!(
            shown.len(),
            rest.len(),
            "pictures after a seek to {time} ms"
        );
        assert!(shown == rest, "other pictures after a seek to {time} ms");
    }
    assert_tokens_and_licenses(&operator, 1, 1);
}
