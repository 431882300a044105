// SPDX-License-Identifier: MIT OR Apache-2.0

//! Playlists that are made to fill memory, and those of which nothing comes.

use std::cell::Cell;

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
