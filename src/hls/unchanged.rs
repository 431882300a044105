// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the demuxer must see of a playlist stays, whatever the playlist: another parser (m3u8-rs) reads made-up playlists as they were and as
//! they are rewritten, and has to say the same of both. What was made up says what the parser does not: which boxes belong to which segment.
//!
//! The same playlists are tried each time. `PROPTEST_CASES=100000 PROPTEST_RNG_SEED=2` tries more, and others.

mod desk;
mod model;
mod parser;
mod strategies;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{RngSeed, contextualize_config};

use super::{Rewritten, Variables, rewrite};

use desk::{Desk, ORIGIN, Place};
use model::{DEFINITIONS, Media, Moment, Multivariant, base, substituted};
use parser::{Init, Seen, Side, without_systems, written};
use strategies::{media, multivariant};

/// What the environment does not say.
fn config() -> ProptestConfig {
    contextualize_config(ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_media_playlist_is_the_same_to_a_demuxer(media in media(), reads_one_map: bool) {
        check_media(&media, reads_one_map);
    }

    #[test]
    fn a_multivariant_playlist_is_the_same_to_a_demuxer(playlist in multivariant()) {
        check_multivariant(&playlist);
    }

    #[test]
    fn what_stays_in_a_live_playlist_stays_where_it_is(
        media in media(),
        segments in 0..6_usize,
        reads_one_map: bool,
    ) {
        let mut desk = Desk::new(reads_one_map);
        let first = written(&rewritten(&media.text(), &mut desk).text);
        let later = written(&rewritten(&media.later(segments).text(), &mut desk).text);
        let gone = first.len() - later.len();
        prop_assert_eq!(&first[gone..], later);
    }

    #[test]
    fn no_damage_to_a_playlist_breaks_the_rewriting(
        media in media(),
        at: Index,
        length in 0..20_usize,
        new in ".{0,5}",
    ) {
        let mut text: Vec<_> = media.text().chars().collect();
        let at = at.index(text.len());
        text.splice(at..text.len().min(at + length), new.chars());
        let text: String = text.into_iter().collect();
        let result = rewrite(&text, &base(), &Variables::default(), &mut Desk::new(true));
        prop_assert!(result.is_err() || result.is_ok_and(|result| result.text.starts_with("#EXTM3U")));
    }
}

fn rewritten(text: &str, desk: &mut Desk) -> Rewritten {
    let mut imported = Variables::default();
    imported.define(
        "NAME=\"above\",VALUE=\"../up\"",
        &Variables::default(),
        &base(),
    );
    rewrite(text, &base(), &imported, desk).expect("a playlist")
}

fn check_media(media: &Media, reads_one_map: bool) {
    let text = media.text();
    let mut desk = Desk::new(reads_one_map);
    desk.know_reported_playlists();
    let result = rewritten(&text, &mut desk);
    assert!(!result.is_multivariant);
    check_lines(&text, &result.text);
    check_reports(&result.text, &desk);

    let moments = media.moments();
    let lost = moments.iter().find_map(|moment| moment.lost);
    assert_eq!(result.lost, lost);

    let nowhere = Desk::default();
    let before = Side::before(&nowhere).media(&without_systems(&substituted(&text, &text)));
    let after = Side::after(&desk).media(&substituted(&text, &result.text));
    let before = with_boxes(before, &moments);
    check_whole_segments(&before, &after, &moments, reads_one_map);
    assert_eq!(after.len(), before.len());
    for (after, before) in after.iter().zip(&before) {
        let [after, before] = [after, before].map(|seen| seen.comparable(media.has_mixed_keys()));
        assert_eq!(after, before, "{}", result.text);
    }
}

fn check_multivariant(playlist: &Multivariant) {
    let text = playlist.text();
    let mut desk = Desk::default();
    let result = rewritten(&text, &mut desk);
    assert!(result.is_multivariant);
    assert_eq!(result.lost, None);
    check_lines(&text, &result.text);
    for (_, variable, _) in DEFINITIONS {
        let value = substituted(&text, variable);
        assert_eq!(result.variables.substitute(variable), value);
    }

    let nowhere = Desk::default();
    let before = Side::before(&nowhere).multivariant(&without_systems(&substituted(&text, &text)));
    let after = Side::after(&desk).multivariant(&substituted(&text, &result.text));
    assert_eq!(after, before, "{}", result.text);
    for uri in parser::playlists(&result.text) {
        assert!(matches!(desk.at(&uri), Some(Place::Playlist(_))), "{uri}");
    }
}

/// Of lines of which nothing is to change nothing has changed, there is no key tag of a DRM system, and no new map among the tags of a segment.
fn check_lines(before: &str, after: &str) {
    assert_eq!(kept(after), kept(before));
    assert!(has_own_keys_alone(after), "{after}");
    let maps = maps_among_tags(after)
        .into_iter()
        .zip(maps_among_tags(before));
    for (after_count, before_count) in maps {
        assert!(after_count <= before_count, "{after}");
    }
}

/// Lines that have to stay byte for byte.
fn kept(text: &str) -> Vec<&str> {
    let text = text.trim_start_matches('\u{feff}');
    let is_kept = |line: &&str| {
        let is_ours = line.starts_with("#EXT-X-MAP:") || is_key(line);
        let has_uri = [":URI=", ",URI=", "-URI="]
            .iter()
            .any(|name| line.contains(name));
        line.is_empty() || line.starts_with('#') && !is_ours && !has_uri
    };
    text.lines().filter(is_kept).collect()
}

fn is_key(line: &str) -> bool {
    line.starts_with("#EXT-X-KEY:") || line.starts_with("#EXT-X-SESSION-KEY:")
}

/// The demuxer is told of no key but its own.
fn has_own_keys_alone(text: &str) -> bool {
    let text = substituted(text, text);
    let is_own = |line: &str| {
        let mut formats = line.split("KEYFORMAT=").skip(1);
        let is_identity = formats.all(|format| format.starts_with("\"identity\""));
        let methods = ["METHOD=NONE", "METHOD=AES-128"];
        is_identity && methods.iter().any(|method| line.contains(method))
    };
    text.lines().filter(|line| is_key(line)).all(is_own)
}

/// How many maps stand among the tags of each segment.
fn maps_among_tags(text: &str) -> Vec<usize> {
    let mut counts = Vec::new();
    let mut count = None;
    for line in text.lines() {
        if line.starts_with("#EXTINF:") || line.starts_with("#EXT-X-BYTERANGE:") {
            count.get_or_insert(0);
        } else if line.starts_with("#EXT-X-MAP:") {
            count = count.map(|count| count + 1);
        } else if !line.is_empty() && !line.starts_with('#') {
            counts.extend(count.take());
        }
    }
    counts
}

/// Reports of playlists that have a place name that.
fn check_reports(text: &str, desk: &Desk) {
    let reports = text
        .lines()
        .filter_map(|line| line.strip_prefix("#EXT-X-RENDITION-REPORT:URI=\""));
    for uri in reports.filter_map(|list| list.split('"').next()) {
        assert!(uri.starts_with(ORIGIN) || !desk.has_playlist(uri), "{uri}");
    }
}

/// What was seen, with what belongs into the init segments.
fn with_boxes(mut seen: Vec<Seen>, moments: &[Moment]) -> Vec<Seen> {
    assert_eq!(seen.len(), moments.len() + 1, "all of them, and the end");
    for (seen, moment) in seen.iter_mut().zip(moments) {
        if let Some(init) = &mut seen.init {
            init.boxes = moment.boxes.clone();
        }
    }
    seen
}

/// To a demuxer that reads one init segment the first segment with another comes with that, and no other segment does.
fn check_whole_segments(before: &[Seen], after: &[Seen], moments: &[Moment], reads_one_map: bool) {
    let mut last: Option<&Init> = None;
    let mut known = Vec::new();
    let segments = before.iter().zip(after).zip(moments);
    for ((before, after), _) in segments.filter(|(_, moment)| moment.is_segment) {
        let init = before.init.as_ref();
        let is_new = last.zip(init).is_some_and(|(last, init)| {
            last.content() != init.content() && !(last.boxes.is_empty() && init.boxes.is_empty())
        });
        let may_be_whole =
            reads_one_map && before.key.is_none() && before.segment.byte_range.is_none();
        if let Some(whole) = &after.whole {
            let place = (whole.clone(), before.segment.uri.clone());
            assert!(may_be_whole, "{after:?} comes with an init segment");
            assert!(is_new || known.contains(&place), "{after:?} has the same");
            assert_eq!(init.map(Init::content), Some(whole.content()));
            known.push(place);
        }
        let is_needed = may_be_whole && is_new;
        assert!(after.whole.is_some() || !is_needed, "{after:?} has none");
        last = init;
    }
}
