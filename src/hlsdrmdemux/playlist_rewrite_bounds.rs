// SPDX-License-Identifier: MIT OR Apache-2.0

//! Playlists that are made to fill memory, and those of which nothing comes.

use std::cell::Cell;

use super::super::paths::PathProtection;
use super::super::url_map::MAX_PLAYLISTS;
use super::*;

/// Lines between two looks, at the most.
const LINES: usize = 256;

fn url() -> Url {
    Url::parse("https://h/p.m3u8").expect("a URL")
}

fn map() -> PresentationMap {
    PresentationMap::new("http://here".to_owned(), true).expect("random numbers")
}

/// Rewrites it. Says how often it was asked whether that is wanted.
fn rewritten(map: &PresentationMap, text: &str) -> (Result<Rewritten, Failure>, usize) {
    let looks = Cell::new(0);
    let is_wanted = || {
        looks.set(looks.get() + 1);
        true
    };
    let resource = Resource::Playlist(url());
    let result = map.rewrite(&resource, text.as_bytes(), &url(), &is_wanted);
    (result, looks.get())
}

/// Fifteen tags with boxes of four kilobytes.
fn heavy_tags() -> String {
    let tags = (0..15).map(|format| {
        let data = "A".repeat(5336);
        format!("#EXT-X-KEY:METHOD=SAMPLE-AES,KEYFORMAT=\"urn:uuid:{format:08x}-d21e-4ace-a3c8-27dcd51d21ed\",URI=\"data:;base64,{data}\"\n")
    });
    format!(
        "#EXTM3U\n#EXT-X-MAP:URI=\"i\"\n{}",
        tags.collect::<String>()
    )
}

fn segments(ids: std::ops::Range<usize>) -> String {
    let segments = ids.map(|id| {
        format!("#EXT-X-KEY:METHOD=SAMPLE-AES,KEYFORMAT=\"z\",KEYID=0x{id:032x}\ns{id}\n")
    });
    segments.collect()
}

#[test]
fn heavy_boxes_are_there_once_for_all_keys() {
    let map = map();
    for begin in [0, 100, 1000] {
        let text = format!("{}{}", heavy_tags(), segments(begin..begin + 2400));
        let (result, _) = rewritten(&map, &text);
        assert!(result.is_ok(), "{result:?}");
    }
    // Sixteen references for each of 3400 sets, and sixty kilobytes. Copies would take 200 MB.
    let bytes = map.box_bytes();
    assert!(bytes < 12 * 1024 * 1024, "{bytes}");
}

/// The demuxer would ask for init segments whose boxes had made room for those of other playlists.
#[test]
fn boxes_of_what_is_not_read_again_stay() {
    let map = map();
    let live = format!("#EXTM3U\n#EXT-X-MAP:URI=\"i\"\n{}", segments(0..200));
    let read = || {
        let (rewritten, _) = rewritten(&map, &live);
        let rewritten = rewritten.expect("a playlist");
        let text = map.record_playlist(&Resource::Playlist(url()), rewritten);
        let lines = text
            .lines()
            .filter_map(|line| line.split("http://here").nth(1));
        let paths = lines.map(|rest| rest.split('"').next().unwrap_or_default());
        let resources = paths.map(|path| map.at(path).expect("a path"));
        let boxes = resources.filter_map(|resource| {
            let init = match resource {
                Resource::InitSegment(init) => Some(*init),
                Resource::Segment(segment) => segment.init,
                _ => None,
            };
            match init?.protection {
                PathProtection::Drm(digest) => Some(digest),
                _ => None,
            }
        });
        boxes.collect::<Vec<_>>()
    };
    let others = |number: usize| {
        let url = Url::parse("https://h/other.m3u8").expect("a URL");
        let keys = (0..300).map(|key| {
            let data = format!("{key:04}{number:04}").repeat(7000);
            let format = "urn:uuid:9a04f079-9840-4286-ab92-e65be0885f95";
            format!(
                "#EXT-X-KEY:METHOD=SAMPLE-AES,KEYFORMAT=\"{format}\",\
                 URI=\"data:;base64,{data}\"\ns\n"
            )
        });
        let text = format!(
            "#EXTM3U\n#EXT-X-MAP:URI=\"i\"\n{}",
            keys.collect::<String>()
        );
        let resource = Resource::Playlist(url.clone());
        let rewritten = map.rewrite(&resource, text.as_bytes(), &url, &|| true);
        rewritten.expect("a playlist");
    };
    let named = read();
    assert!(named.len() >= 200);
    // One between two loads has room besides; several have not.
    for counts in [vec![1; 4], vec![3; 2]] {
        for (number, count) in counts.into_iter().enumerate() {
            (0..count).for_each(|other| others(10 * count + 100 * number + other));
            assert_eq!(read(), named);
        }
        // Looked at here alone: to look is to use.
        assert!(named.iter().all(|digest| map.boxes(*digest).is_some()));
    }
}

#[test]
fn rewriting_stops_at_the_first_failure() {
    let keys = format!("{}{}", heavy_tags(), segments(0..50_000));
    let variants = (0..50_000).map(|number| format!("#EXT-X-STREAM-INF:\n{number}\n"));
    let variants = format!("#EXTM3U\n{}", variants.collect::<String>());
    for (text, says, lines) in [
        (keys, "more keys than anybody plays", 30_000),
        (variants, "more than 2000 playlists", 2 * MAX_PLAYLISTS),
    ] {
        let (result, looks) = rewritten(&map(), &text);
        let failure = result.expect_err("it fails");
        assert!(failure.what.contains(says), "{}", failure.what);
        assert!(looks <= lines / LINES + 1, "{looks}");
    }
}
