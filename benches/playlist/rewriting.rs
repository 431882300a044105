// SPDX-License-Identifier: MIT OR Apache-2.0

//! Rewriting alone, without network, demuxer or threads: the plugin's own code on a film of eleven
//! hours.

use std::time::Instant;

use support::table::{Figures, figure, head, row};
use url::Url;

use crate::demuxers::Tags;
use crate::origin;
use crate::paths::Resource;
use crate::url_map::PresentationMap;

/// As long as the longest film.
const LENGTH: usize = 20_000;

const RUNS: usize = 25;

/// Segments of a live playlist, as in `live`.
const WINDOW: usize = 1000;

pub fn measure() {
    measure_films();
    measure_live();
}

fn measure_films() {
    let title = format!(
        "Rewriting a playlist of {LENGTH} segments, ms: median of {RUNS} (least–most), for the first time and again"
    );
    let cells = ["key tags", "kB", "kB rewritten", "first", "again"];
    head(&title, &cells);
    let url = Url::parse("http://127.0.0.1:50050/hls/long/list.m3u8").expect("a URL");
    for (reads_one_map, demuxer) in [(false, "hlsdemux2"), (true, "hlsdemux")] {
        for (tags, name) in [
            (Tags::None, "none"),
            (Tags::OneKey, "one key"),
            (Tags::ManyKeys, "many keys"),
        ] {
            let playlist = origin::playlist(LENGTH, tags);
            let mut figures = [Figures::default(), Figures::default()];
            let mut length = 0;
            for _ in 0..RUNS {
                let origin = "http://127.0.0.1:40000".to_owned();
                let map = PresentationMap::new(origin, reads_one_map).expect("random numbers");
                let resource = Resource::Playlist(url.clone());
                for figures in &mut figures {
                    let start = Instant::now();
                    let rewritten = map.rewrite(&resource, playlist.as_bytes(), &url, &|| true);
                    figures.add_time(start.elapsed());
                    length = rewritten.expect("a playlist").text.len();
                }
            }
            let kilobytes = |bytes: usize| figure(bytes as f64 / 1e3);
            let [first, again] = figures.each_ref().map(Figures::spread);
            row(&[
                &format!("{name}, for {demuxer}"),
                &kilobytes(playlist.len()),
                &kilobytes(length),
                &first,
                &again,
            ]);
        }
    }
}

/// Of a playlist that slides by a segment, with another key twice in three of them.
fn measure_live() {
    let title = format!(
        "Rewriting a live playlist of {WINDOW} segments, ms: once, and median of {RUNS} loads that \
         follow"
    );
    head(
        &title,
        &["key tags", "kB", "kB rewritten", "first", "again"],
    );
    let url = Url::parse("http://127.0.0.1:50050/hls/live/list.m3u8").expect("a URL");
    let resource = Resource::Playlist(url.clone());
    for (reads_one_map, demuxer) in [(false, "hlsdemux2"), (true, "hlsdemux")] {
        for (has_keys, name) in [(false, "none"), (true, "many keys")] {
            let origin = "http://127.0.0.1:40000".to_owned();
            let map = PresentationMap::new(origin, reads_one_map).expect("random numbers");
            let mut figures = [Figures::default(), Figures::default()];
            let mut lengths = [0, 0];
            for first in 0..=RUNS {
                let playlist = window(first, has_keys);
                let start = Instant::now();
                let rewritten = map.rewrite(&resource, playlist.as_bytes(), &url, &|| true);
                let rewritten = rewritten.expect("a playlist");
                figures[usize::from(first > 0)].add_time(start.elapsed());
                let text = map.record_playlist(&resource, rewritten);
                lengths = [playlist.len(), text.len()];
            }
            let [read, written] = lengths.map(|bytes| figure(bytes as f64 / 1e3));
            let [first, again] = figures.each_ref().map(Figures::spread);
            row(&[
                &format!("{name}, for {demuxer}"),
                &read,
                &written,
                &first,
                &again,
            ]);
        }
    }
}

fn window(first: usize, has_keys: bool) -> String {
    let mut playlist = format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{first}\n\
         #EXT-X-MAP:URI=\"v_init.mp4\"\n"
    );
    for number in first..first + WINDOW {
        if has_keys && (number == first || number % 3 != 2) {
            playlist += &origin::key_tags(number / 3 * 2 + usize::from(number % 3 > 0));
        }
        playlist += &format!("#EXTINF:2.000,\nv_{number}.m4s\n");
    }
    playlist
}
