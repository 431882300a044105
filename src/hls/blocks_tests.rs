// SPDX-License-Identifier: MIT OR Apache-2.0

//! Live playlists that are read again: what is taken over, what is not, and what that may cost.

use std::sync::Arc;

use url::Url;

use super::blocks::{Before, MAX_BYTES, Position, Recorder, SEGMENTS, Setting, State};
use super::delivery::{Delivery, DemuxerKey, InitTag};
use super::digest::Digest;
use super::key_tag::KeyTag;
use super::playlist::rewrite;
use super::recording_map::RecordingMap;
use super::resource::{InitCipher, InitProtection, InitSegment, Segment};
use super::rewrite::{Context, Rewritten};
use super::uris::Base;
use super::url_map::UrlMap;
use super::variables::Variables;
use super::written_tags::NamedInits;

/// A map that counts what it is asked for.
#[derive(Default)]
struct CountingMap {
    map: RecordingMap,
    calls: usize,
}

impl UrlMap for CountingMap {
    fn playlist(&mut self, url: &Url) -> String {
        self.map.playlist(url)
    }

    fn known_playlist(&mut self, url: &Url) -> Option<String> {
        self.map.known_playlist(url)
    }

    fn key(&mut self, url: &Url) -> String {
        self.calls += 1;
        self.map.key(url)
    }

    fn init_segment(&mut self, init: &InitSegment) -> String {
        self.calls += 1;
        self.map.init_segment(init)
    }

    fn segment(&mut self, segment: &Segment) -> String {
        self.map.segment(segment)
    }

    fn has_any_with_init(&mut self) -> bool {
        self.map.has_any_with_init()
    }

    fn has_boxes(&mut self, _digests: &[Digest]) -> bool {
        true
    }

    fn is_known(&mut self, segment: &Segment) -> bool {
        self.map.is_known(segment)
    }
}

fn base() -> Url {
    Url::parse("https://cdn.example/live/video.m3u8").expect("a URL")
}

/// What playlists become that are read one after the other, and how often the last one asked.
fn read(playlists: &[&str], takes_over: bool) -> (Rewritten, usize) {
    let playlists: Vec<_> = playlists.iter().map(|text| (base(), *text)).collect();
    read_at(&playlists, takes_over)
}

/// The same of playlists that are at these URLs.
fn read_at(playlists: &[(Url, &str)], takes_over: bool) -> (Rewritten, usize) {
    let variables = Variables::default();
    let mut map = CountingMap::default();
    let mut before: Option<Rewritten> = None;
    for (url, playlist) in playlists {
        let mut context = Context::new(url, &variables);
        context.reads_one_map = true;
        let known = before.as_ref().filter(|_| takes_over);
        context.before = known.and_then(|known| {
            let blocks = known.blocks.as_ref()?;
            Some(Before {
                text: &known.text,
                blocks,
            })
        });
        map.calls = 0;
        let rewritten = rewrite(playlist, &context, &mut map).expect("a playlist");
        before = Some(rewritten);
    }
    (before.expect("a playlist"), map.calls)
}

/// What the second one becomes behind the first one, which must be what it becomes anew. How often
/// the map was asked.
#[track_caller]
fn read_again(first: &str, second: &str) -> (Rewritten, usize) {
    let (again, calls) = read(&[first, second], true);
    let (anew, _) = read(&[first, second], false);
    assert_eq!(again.text, anew.text);
    assert_eq!(again.keys, anew.keys);
    assert_eq!(again.unplayable, anew.unplayable);
    (again, calls)
}

/// A live playlist of these segments, with these lines before each.
fn live(numbers: std::ops::Range<usize>, lines: impl Fn(usize) -> String) -> String {
    let segments = numbers
        .clone()
        .map(|number| format!("{}s{number}\n", lines(number)));
    format!(
        "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:{}\n#EXT-X-MAP:URI=\"i\"\n{}",
        numbers.start,
        segments.collect::<String>()
    )
}

fn drm_key(number: usize) -> String {
    format!("#EXT-X-KEY:METHOD=SAMPLE-AES,KEYFORMAT=\"z\",KEYID=0x{number:032x}\n")
}

fn identity_key(number: usize) -> String {
    format!("#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k{number}\"\n")
}

/// A box would read half an hour of tags every two seconds.
#[test]
fn what_was_read_before_is_not_read_again() {
    let segments = usize::try_from(SEGMENTS).expect("a small number");
    for key in [drm_key, identity_key] {
        let live = |numbers| live(numbers, key);
        let first = live(0..1000);
        for (second, read) in [
            // What stands before the first whole block, and behind the last one.
            (live(0..1000), segments + 1000 % segments),
            (live(1..1001), segments - 1 + 1001 % segments),
            (live(segments..1000), segments + 1000 % segments),
            // The block with another line, too.
            (
                first.replace("s500\n", "other\n"),
                2 * segments + 1000 % segments,
            ),
            (live(2000..2100), 100),
        ] {
            let (_, calls) = read_again(&first, &second);
            assert_eq!(calls, read);
        }
    }
}

/// Segments behind a definition would have URLs of nothing, and those of one that has gone would
/// keep its value.
#[test]
fn what_follows_a_definition_is_read_again() {
    let define = "#EXT-X-DEFINE:NAME=\"v\",VALUE=\"x\"\n";
    for at in [1, 40, 64, 97] {
        let text = |first: usize| {
            live(first..200, |number| match number {
                number if number == at => format!("{define}{}", drm_key(number)),
                number if number > at => format!("{}{{$v}}/", drm_key(number)),
                _ => drm_key(number),
            })
        };
        for first in [0, 1, 33, 41, 98] {
            read_again(&text(0), &text(first));
            read_again(&text(first), &text(first));
        }
    }
}

/// The URL of a report is ours once its playlist is known.
#[test]
fn block_with_a_report_is_read_again() {
    let text = live(0..100, |number| match number {
        50 => "#EXT-X-RENDITION-REPORT:URI=\"other.m3u8\"\n".to_owned() + &drm_key(number),
        _ => drm_key(number),
    });
    let (_, calls) = read_again(&text, &text);
    assert_eq!(calls, 32 + 32 + 100 % 32);
}

/// Servers of low latency ask for the next load by a query, and others sign each load by one.
#[test]
fn query_of_the_playlist_may_change() {
    let segments = usize::try_from(SEGMENTS).expect("a small number");
    let at = |load: usize| base().join(&format!("?_HLS_msn={load}")).expect("a URL");
    let text = live(0..100, drm_key);
    let (_, calls) = read_at(&[(at(1), &text), (at(2), &text)], true);
    assert_eq!(calls, segments + 100 % segments);
    // What stands for the playlist itself has that query.
    for uri in ["", "#t"] {
        let tag = format!("#EXT-X-NEW:X-URI=\"{uri}\"\n");
        let text = text.replace("s40\n", &format!("{tag}s40\n"));
        let loads = [(at(1), &*text), (at(2), &text)];
        let (again, _) = read_at(&loads, true);
        assert!(again.text.contains("?_HLS_msn=2"), "{}", again.text);
        assert_eq!(again.text, read_at(&loads, false).0.text);
    }
}

/// Playlists that are made so that each line ends a block whose state takes a lot.
#[test]
fn blocks_take_no_more_than_their_bound() {
    let long = "x".repeat(60_000);
    let ends = "#EXT-X-MEDIA-SEQUENCE:31\ns\n".repeat(100);
    let ends_each: String = (1..100)
        .map(|number| format!("#EXT-X-MEDIA-SEQUENCE:{}\ns\n", number * SEGMENTS - 1))
        .collect();
    let short = &long[..16_000];
    for head in [
        format!("#EXT-X-MAP:URI=\"i\",X-OTHER=\"{long}\"\n"),
        format!("#EXT-X-KEY:METHOD=AES-128,URI=\"data:,{long}\"\n"),
        format!("#EXT-X-MAP:URI=\"i\"\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"{short}\"\n"),
        format!(
            "#EXT-X-MAP:URI=\"i\"\n\
             #EXT-X-KEY:METHOD=SAMPLE-AES,KEYFORMAT=\"{long}\",URI=\"data:,x\"\n"
        ),
    ] {
        for ends in [&ends, &ends_each] {
            let playlist = format!("#EXTM3U\n{head}{ends}");
            let (again, _) = read_again(&playlist, &playlist);
            let blocks = again.blocks.expect("it is live");
            assert_ne!(blocks.len(), 0);
            assert!(blocks.bytes() <= MAX_BYTES, "{}", blocks.bytes());
        }
    }
}

/// Puts long texts into a state.
type Hold<'a> = &'a dyn Fn(&mut State);

#[test]
fn state_counts_what_it_holds() {
    let long = || base().join(&"x".repeat(10_000)).expect("a URL");
    let init = || InitSegment {
        url: long(),
        range: None,
        cipher: Some(InitCipher {
            key: long(),
            iv: None,
        }),
        protection: InitProtection::Identity(long()),
    };
    let holds: [(usize, Hold); 5] = [
        (2, &|state| {
            state.tags.push(&"x".repeat(10_000));
            state.tags.push_range("1", Some((1, None)));
            state.tags.range_of(&long());
        }),
        (1, &|state| {
            let tag = format!("METHOD=AES-128,URI=\"{}\"", long());
            state.keys.apply(KeyTag::read(&tag));
        }),
        (3, &|state| {
            state.init = Some(InitTag {
                url: long(),
                range: None,
                cipher: init().cipher,
                others: "x".repeat(10_000),
            });
        }),
        (4, &|state| {
            state.delivery = Some(Arc::new(Delivery {
                init: Some(Arc::new(init())),
                key: Some(DemuxerKey {
                    url: long(),
                    iv: None,
                }),
                cipher: None,
            }));
        }),
        (2, &|state| state.last_init = Some(Arc::new(init()))),
    ];
    let empty = State::new(false).bytes();
    for (texts, hold) in holds {
        let mut state = State::new(false);
        hold(&mut state);
        let bytes = state.bytes() - empty;
        assert!(bytes >= texts * 10_000, "{bytes} of {texts}");
    }
}

fn setting() -> Setting {
    Setting {
        url: base(),
        variables: Variables::default(),
        is_presentation_protected: false,
    }
}

/// A report before each segment, so that no block is kept, would have the state copied for ever.
#[test]
fn copying_ends() {
    let mut recorder = Recorder::new(setting(), None, 0);
    let mut state = State::new(false);
    let tag = format!("METHOD=AES-128,URI=\"{}\"", "x".repeat(50_000));
    state.keys.apply(KeyTag::read(&tag));
    let mut copies = 0;
    while recorder.is_looking() {
        let at = Position {
            lines: "",
            text: 0,
            counts: Base::new(&base()).counts(),
            segments: 0,
        };
        recorder.end(at, &state, NamedInits::default());
        recorder.leave_out();
        copies += 1;
        assert!(copies < 1000);
    }
    assert!(copies > 2);
}

/// Lines that look like those of before again and again would be compared for ever.
#[test]
fn comparing_ends() {
    let first = live(0..64, drm_key);
    let (known, _) = read(&[&first], true);
    let blocks = known.blocks.as_ref().expect("it is live");
    let before = Before {
        text: &known.text,
        blocks,
    };
    let mut recorder = Recorder::new(setting(), Some(before), first.len());
    let mut state = State::new(false);
    state.sequence = SEGMENTS;
    let mut looks = 0;
    while recorder.is_looking() {
        assert!(recorder.find(&first, &state).is_none());
        looks += 1;
        assert!(looks < 10_000);
    }
    assert!(looks > 2);
}
