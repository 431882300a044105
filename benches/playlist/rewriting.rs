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

pub fn measure() {
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
