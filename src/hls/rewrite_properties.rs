// SPDX-License-Identifier: MIT OR Apache-2.0

//! What becomes of playlists, whatever the playlist: a model that knows what made-up key tags mean
//! says what a demuxer has to get, and another parser (m3u8-rs) says what it gets. Everything else
//! stays.
//!
//! The same playlists are tried each time. `PROPTEST_CASES=100000 PROPTEST_RNG_SEED=2` tries more,
//! and others.

mod delivery_model;
mod item_model;
mod key_model;
mod key_strategies;
mod line_model;
mod media_model;
mod multivariant_model;
mod observed;
mod strategies;
mod variable_model;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{RngSeed, contextualize_config};
use url::Url;

use super::media::may_have_whole_fragments;
use super::recording_map::{ORIGIN, Place, RecordingMap};
use super::{
    Before, ByteRange, Context, FirstKey, FirstKeys, Rewritten, Survey, Variables, rewrite, survey,
};

use delivery_model::{Delivered, Init, InitState};
use key_model::Protection;
use media_model::Media;
use multivariant_model::Multivariant;
use observed::{deliveries, names, playlists};
use strategies::{media, multivariant};
use variable_model::{DEFINITIONS, base, resolved, substituted};

/// What the environment does not say.
fn config() -> ProptestConfig {
    contextualize_config(ProptestConfig {
        cases: 500,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn media_playlist_delivers_what_its_tags_mean(media in media(), reads_one_map: bool) {
        check_media(&media, reads_one_map);
    }

    #[test]
    fn multivariant_playlist_names_the_same_playlists(playlist in multivariant()) {
        check_multivariant(&playlist);
    }

    #[test]
    fn live_playlist_names_what_stays_as_before(
        media in media(),
        segments in 0..6_usize,
        reads_one_map: bool,
    ) {
        let mut map = RecordingMap::default();
        let first = rewritten(&media.text(), &media, reads_one_map, &mut map);
        if first.unplayable.is_none() {
            let later = media.later(segments).text();
            let later = with_context(Some(&media), |context| {
                context.reads_one_map = reads_one_map;
                context.has_whole_fragments = first.has_whole_fragments;
                rewrite(&later, context, &mut map).expect("a playlist")
            });
            prop_assert_eq!(&later.unplayable, &None);
            let (first, later) = (names(&first.text), names(&later.text));
            prop_assert_eq!(&first[first.len() - later.len()..], later);
        }
    }

    #[test]
    fn live_playlist_becomes_what_a_new_one_does(
        media in media(),
        published in 0..16_usize,
        segments in 0..6_usize,
        segments_in_block in 1..4_u64,
        reads_one_map: bool,
    ) {
        let mut first = media.clone();
        first.has_end = false;
        first.items.truncate(published);
        let later = media.later(segments).text();
        let first = first.text();
        let again = |is_known: bool| {
            let mut map = RecordingMap::default();
            let mut reading = |text: &str, before: Option<&Rewritten>| {
                let known = before.and_then(|before| {
                    let blocks = before.blocks.as_ref()?;
                    Some(Before { text: &before.text, blocks })
                });
                let known = known.filter(|_| is_known);
                with_context_and(Some(&media), known, |context| {
                    context.reads_one_map = reads_one_map;
                    context.segments_in_block = segments_in_block;
                    rewrite(text, context, &mut map).expect("a playlist")
                })
            };
            let before = reading(&first, None);
            // What cannot be played is not kept.
            let before = Some(before).filter(|before| before.unplayable.is_none())?;
            let once = reading(&later, Some(&before));
            let twice = reading(&later, Some(&once));
            Some([once, twice].map(|one| {
                let flags = [one.has_direct_init, one.has_protected_init];
                (one.text, one.unplayable, one.keys, flags)
            }))
        };
        prop_assert_eq!(again(true), again(false));
    }

    #[test]
    fn damaged_playlist_is_refused_or_rewritten(
        media in media(),
        at: Index,
        length in 0..20_usize,
        new in ".{0,5}",
        reads_one_map: bool,
    ) {
        let mut text: Vec<_> = media.text().chars().collect();
        let at = at.index(text.len());
        text.splice(at..text.len().min(at + length), new.chars());
        let text: String = text.into_iter().collect();
        let (url, variables) = (base(), Variables::default());
        let mut context = Context::new(&url, &variables);
        context.reads_one_map = reads_one_map;
        let result = rewrite(&text, &context, &mut RecordingMap::default());
        prop_assert!(result.is_err() || result.is_ok_and(|result| result.text.starts_with("#EXTM3U")));
    }
}

fn with_context<T>(media: Option<&Media>, work: impl FnOnce(&mut Context) -> T) -> T {
    with_context_and(media, None, work)
}

fn with_context_and<T>(
    media: Option<&Media>,
    before: Option<Before>,
    work: impl FnOnce(&mut Context) -> T,
) -> T {
    let (url, mut imported) = (base(), Variables::default());
    let above = "NAME=\"above\",VALUE=\"../up\"";
    imported.define(above, &Variables::default(), &Default::default());
    let mut context = Context::new(&url, &imported);
    let is_protected = media.is_some_and(|media| media.is_protected);
    context.first_key = is_protected.then_some(&FirstKey::Unknown);
    context.before = before;
    work(&mut context)
}

fn rewritten(text: &str, media: &Media, reads_one_map: bool, map: &mut RecordingMap) -> Rewritten {
    with_context(Some(media), |context| {
        context.reads_one_map = reads_one_map;
        rewrite(text, context, map).expect("a playlist")
    })
}

fn check_media(media: &Media, reads_one_map: bool) {
    let text = media.text();
    let mut map = RecordingMap::default();
    for number in 0..25 {
        let url = base().join(&format!("list{number}.m4s")).expect("a URL");
        map.places.push(Place::Playlist(url));
    }
    let known = map.clone();
    let place = |url: &str| {
        let url = Url::parse(url).expect("a URL");
        let at = known
            .places
            .iter()
            .position(|one| *one == Place::Playlist(url.clone()));
        at.map(|number| format!("{ORIGIN}{number}"))
    };
    let result = rewritten(&text, media, reads_one_map, &mut map);
    let expected = media.deliveries();
    assert_eq!(
        result.unplayable.is_some(),
        expected.is_none(),
        "{:?}",
        result.unplayable
    );
    let Some(expected) = expected else {
        return;
    };
    let expected_lines = media.other_lines(place);
    assert_eq!(
        without_end(other_lines(&result.text)),
        without_end(expected_lines),
        "{}",
        result.text
    );

    let mut delivered = deliveries(&result.text, &map);
    let has_whole_fragments = may_have_whole_fragments(&text);
    check_init_before(&delivered, reads_one_map, has_whole_fragments);
    for one in &mut delivered {
        one.init_before = None;
    }
    assert_eq!(delivered, expected, "{}", result.text);
    check_keys(&result, &expected);
    let survey = with_context(Some(media), |context| survey(&text, context));
    check_survey(survey.expect("a playlist"), &expected);
}

/// Without empty lines at the end, which are none where the last one has no end.
fn without_end<T: AsRef<str>>(mut lines: Vec<T>) -> Vec<String> {
    while lines.pop_if(|line| line.as_ref().is_empty()).is_some() {}
    lines.iter().map(|line| line.as_ref().to_owned()).collect()
}

/// What stands between tags of ours and URIs.
fn other_lines(text: &str) -> Vec<&str> {
    let ours = ["#EXT-X-KEY:", "#EXT-X-MAP:", "#EXT-X-BYTERANGE:"];
    let is_other = |line: &&str| {
        (line.is_empty() || line.starts_with('#')) && !ours.iter().any(|one| line.starts_with(one))
    };
    text.lines().skip(1).filter(is_other).collect()
}

/// To a demuxer that reads one init segment the first segment with another comes behind that, and
/// no other segment does that did not once.
fn check_init_before(delivered: &[Delivered], reads_one_map: bool, has_whole_fragments: bool) {
    // The server has all of them where it decrypts segments.
    let is_direct = |init: &Init| init.is_direct() && !has_whole_fragments;
    let mut last: Option<&Init> = None;
    let mut known = Vec::new();
    for one in delivered.iter().filter(|one| one.segment.is_some()) {
        let init = one.init.as_ref();
        let is_new = last
            .zip(init)
            .is_some_and(|(last, init)| last != init && !(is_direct(last) && is_direct(init)));
        let place = (
            &one.segment.as_ref().expect("one").2,
            one.range,
            &one.cipher,
            init,
        );
        let is_expected = reads_one_map && init.is_some() && (is_new || known.contains(&place));
        // Several boxes of one key tag are taken for one, so that the same from other tags are
        // others.
        let may_be_again = reads_one_map && last == init && init.is_some_and(Init::has_boxes);
        if !(may_be_again && one.init_before.is_some()) {
            assert_eq!(one.init_before.is_some(), is_expected, "{one:?}");
        }
        if one.init_before.is_some() {
            assert_eq!(one.init_before.as_ref(), init);
            known.push(place);
        }
        last = init;
    }
}

/// The keys that are fetched beforehand are keys of the playlist: those of both ends, or the newest
/// one first.
fn check_keys(result: &Rewritten, expected: &[Delivered]) {
    let of = |one: &Delivered| {
        let key = one.key.as_ref().map(|(url, _)| url);
        let cipher = one.cipher.as_ref().map(|(_, url, _)| url);
        let identity = one.init.as_ref().and_then(|init| match &init.protection {
            InitState::Identity(url) => Some(url),
            _ => None,
        });
        key.or(cipher).or(identity).cloned()
    };
    let all: Vec<_> = expected.iter().filter_map(of).collect();
    let texts = |keys: &[Url]| keys.iter().map(Url::to_string).collect::<Vec<_>>();
    match &result.keys {
        FirstKeys::Of(keys) => {
            let keys = texts(keys);
            assert_eq!(keys.first(), all.first());
            assert!(all.last().is_none_or(|last| keys.contains(last)));
        }
        FirstKeys::OfLive(keys) => assert_eq!(texts(keys).first(), all.last()),
    }
}

/// The first protected segment with an init segment is found.
fn check_survey(survey: Survey, expected: &[Delivered]) {
    let protected = expected
        .iter()
        .filter(|one| one.segment.is_some())
        .find_map(|one| {
            let init = one.init.as_ref()?;
            match &init.protection {
                InitState::None | InitState::Clear => None,
                protection => Some((protection, &init.url, init.range)),
            }
        });
    let range = |range: ByteRange| (range.offset, range.length);
    let first_init = survey.inits.into_iter().next();
    let found = survey
        .first
        .zip(first_init)
        .map(|(key, at)| (state_of(&key), at.url.to_string(), at.range.map(range)));
    let found = found
        .as_ref()
        .map(|(state, url, range)| (state, url, *range));
    assert_eq!(found, protected);
}

fn state_of(key: &FirstKey) -> InitState {
    let protection = match key.clone() {
        FirstKey::Drm(boxes) => super::InitProtection::Drm(boxes),
        FirstKey::Identity(url) => super::InitProtection::Identity(url),
        FirstKey::Unknown => super::InitProtection::Clear,
    };
    let init = super::InitSegment {
        url: base(),
        range: None,
        cipher: None,
        protection,
    };
    Init::from(&init).protection
}

fn check_multivariant(playlist: &Multivariant) {
    let text = playlist.text();
    let mut map = RecordingMap::default();
    let result = with_context(None, |context| rewrite(&text, context, &mut map));
    let result = result.expect("a playlist");
    for (_, variable, _) in DEFINITIONS {
        let value = substituted(&playlist.header, variable);
        assert_eq!(result.variables.substitute(variable), value);
    }
    let place = |url: &str| {
        let url = Place::Playlist(Url::parse(url).expect("a URL"));
        let number = map.places.iter().position(|one| *one == url);
        Some(format!("{ORIGIN}{}", number.expect("a place")))
    };
    let header = playlist.header.iter().map(|line| line.to_string());
    let lines = playlist.lines.iter();
    let lines = lines.filter_map(|line| line.rewritten(&playlist.header, place));
    let expected: Vec<_> = header.chain(lines).collect();
    let lines = result.text.lines().skip(1).collect();
    assert_eq!(without_end(lines), without_end(expected));
    for uri in playlists(&result.text) {
        assert!(matches!(map.at(&uri), Some(Place::Playlist(_))), "{uri}");
    }
    let expected = match playlist.protection() {
        Protection::Drm(boxes) => Some(InitState::Drm(boxes)),
        Protection::SampleAes { uri, .. } => {
            Some(InitState::Identity(resolved(&playlist.header, &uri)))
        }
        _ => None,
    };
    assert_eq!(result.session_key.as_ref().map(state_of), expected);
}
