// SPDX-License-Identifier: MIT OR Apache-2.0

//! Playlists that are made to take time and memory. What they cost is counted in work and bytes.

use url::Url;

use super::digest::Digest;
use super::playlist::rewrite;
use super::recording_map::RecordingMap;
use super::resource::{InitSegment, Segment};
use super::rewrite::{Context, Rewritten};
use super::survey::survey;
use super::uris::Objection;
use super::url_map::UrlMap;
use super::variables::Variables;

/// Longer than what the bounds on work and tags let pass, in short lines too.
const LONG: usize = 6 * 1024 * 1024;

fn base() -> Url {
    Url::parse("https://h/p.m3u8").expect("a URL")
}

/// Counts what it is asked for.
#[derive(Default)]
struct CountingMap {
    calls: usize,
}

impl CountingMap {
    fn url(&mut self) -> String {
        self.calls += 1;
        "http://127.0.0.1:9/".to_owned()
    }
}

impl UrlMap for CountingMap {
    fn playlist(&mut self, _url: &Url) -> String {
        self.url()
    }

    fn known_playlist(&mut self, _url: &Url) -> Option<String> {
        Some(self.url())
    }

    fn key(&mut self, _url: &Url) -> String {
        self.url()
    }

    fn init_segment(&mut self, _init: &InitSegment) -> String {
        self.url()
    }

    fn segment(&mut self, _segment: &Segment) -> String {
        self.url()
    }

    fn has_any_with_init(&mut self) -> bool {
        true
    }

    fn has_boxes(&mut self, _digests: &[Digest]) -> bool {
        true
    }

    fn is_known(&mut self, _segment: &Segment) -> bool {
        self.calls += 1;
        false
    }
}

fn rewritten(playlist: &str, map: &mut impl UrlMap) -> Result<Rewritten, Objection> {
    let (url, variables) = (base(), Variables::default());
    let mut context = Context::new(&url, &variables);
    context.reads_one_map = true;
    // Both read all of it.
    let _ = survey(playlist, &context);
    rewrite(playlist, &context, map)
}

/// What is said of it.
#[track_caller]
fn refusal(playlist: &str) -> Objection {
    let result = rewritten(playlist, &mut CountingMap::default());
    result.expect_err("it is refused")
}

/// The lines again and again, in a long playlist.
fn at_length(head: &str, lines: &str) -> String {
    let count = (LONG - head.len()) / lines.len();
    format!("{head}{}", lines.repeat(count))
}

fn define(value: &str) -> String {
    format!("#EXTM3U\n#EXT-X-DEFINE:NAME=\"x\",VALUE=\"{value}\"\n")
}

#[test]
fn variables_grow_to_no_more_than_the_budget() {
    // Each line is some tens of kilobytes, and each reference is a URI of sixteen.
    let references = ["URI={$x}"; 7000].join(",");
    for (size, tag) in [
        (65_000, "SESSION-DATA"),
        (16_000, "SESSION-DATA"),
        (5_000, "NEW"),
    ] {
        let variant = "#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n";
        let line = format!("#EXT-X-{tag}:{references}\n");
        let head = define(&"<".repeat(size));
        for playlist in [
            format!("{head}{line}{variant}"),
            at_length(&head, &line),
            at_length(&format!("{head}{variant}"), &line),
        ] {
            let result = rewritten(&playlist, &mut CountingMap::default());
            let what = result.expect_err("it is refused");
            assert!(what.contains("written out"), "{what}");
        }
    }
    // A key tag that is a variable: what it holds is decoded and digested each time.
    let key = format!("KEYFORMAT=y,URI=data:;base64,{}", "A".repeat(60_000));
    let lines = "#EXT-X-KEY:{$x}\ns\n#EXT-X-KEY:METHOD=NONE\n";
    refusal(&at_length(&define(&key), lines));
}

#[test]
fn definitions_of_known_variables_are_passed_over() {
    let url = base().join(&format!("?z={}", "v".repeat(16_000)));
    let (url, variables) = (url.expect("a URL"), Variables::default());
    let context = Context::new(&url, &variables);
    let playlist = at_length("#EXTM3U\n", "#EXT-X-DEFINE:QUERYPARAM=\"z\"\n");
    assert!(rewrite(&playlist, &context, &mut CountingMap::default()).is_err());
}

#[test]
fn many_segments_or_tags_are_refused() {
    for (head, line) in [
        ("", "s\n"),
        ("", "#EXT-X-KEY:METHOD=NONE\n"),
        ("", "#EXT-X-MAP:URI=i\n"),
        ("", "#EXT-X-PART:URI=p\n"),
        (
            "#EXT-X-STREAM-INF:\n",
            "#EXT-X-SESSION-KEY:METHOD=AES-128\n",
        ),
    ] {
        let lines = line.repeat(200_001);
        let what = refusal(&format!("#EXTM3U\n{head}{lines}"));
        assert!(what.contains("200000"), "{line}: {what}");
        let lines = line.repeat(1000);
        assert!(
            rewritten(
                &format!("#EXTM3U\n{head}{lines}"),
                &mut CountingMap::default()
            )
            .is_ok()
        );
    }
}

#[test]
fn keys_that_take_turns_cost_each_little() {
    // Two thousand boxes in one tag, and tags of another format that take turns beside it.
    let small = "AAAAIHBzc2gAAAAA7e+LqXnWSs6jyCfc1R0h7QAAAAAAAAAg"
        .get(..43)
        .expect("ASCII");
    assert_eq!(small.len(), 43);
    let boxes = super::data_uri::encode(
        &super::data_uri::decode(&format!("data:;base64,{small}"))
            .expect("a box")
            .repeat(1500),
    );
    let head = format!(
        "#EXTM3U\n#EXT-X-MAP:URI=\"i\"\n#EXT-X-KEY:METHOD=SAMPLE-AES,KEYFORMAT=\"w\",URI=\"{boxes}\"\n"
    );
    let turns = [1, 2]
        .map(|id| format!("#EXT-X-KEY:METHOD=SAMPLE-AES,KEYFORMAT=\"z\",KEYID=0x{id:032x}\ns\n"));
    let playlist = format!("{head}{}", turns.concat().repeat(500));
    let mut map = RecordingMap::default();
    let result = rewritten(&playlist, &mut map).expect("a playlist");
    assert!(result.unplayable.is_none());
    for place in &map.places {
        let init = match place {
            super::recording_map::Place::Init(init) => init,
            super::recording_map::Place::Segment(segment) => {
                segment.init.as_ref().expect("an init segment")
            }
            other => panic!("{other:?}"),
        };
        let super::InitProtection::Drm(boxes) = &init.protection else {
            panic!("{init:?}");
        };
        // That of the heavy tag, and the ids.
        assert_eq!(boxes.boxes().len(), 2);
    }
    let mut map = CountingMap::default();
    // Twice a segment: its init segment, and itself behind that.
    rewritten(&playlist, &mut map).expect("a playlist");
    assert_eq!(map.calls, 2 * 1000);
}

#[test]
fn long_urls_are_refused() {
    let long = "a".repeat(20_000);
    for line in [
        format!("{long}\n"),
        format!("#EXT-X-MAP:URI=\"{long}\"\n"),
        format!("#EXT-X-KEY:METHOD=AES-128,URI=\"{long}\"\ns\n"),
        format!("#EXT-X-STREAM-INF:BANDWIDTH=1\nm.m3u8?{long}\n"),
    ] {
        let what = refusal(&format!("#EXTM3U\n{line}"));
        assert!(what.contains("16384 bytes"), "{what}");
    }
    // Where nobody fetches them they stay.
    let tag = format!("#EXTM3U\n#EXT-X-NEW:URI=\"{long}\"\n");
    let result = rewritten(&tag, &mut CountingMap::default());
    assert_eq!(result.expect("a playlist").text, tag);
    // An init segment with a long URL is not copied for each segment without end.
    let lines = "#EXT-X-KEY:METHOD=NONE\ns\n#EXT-X-KEY:METHOD=SAMPLE-AES,KEYFORMAT=z\ns\n";
    let head = format!("#EXTM3U\n#EXT-X-MAP:URI=\"{}\"\n", &long[..16_000]);
    refusal(&at_length(&head, lines));
}
