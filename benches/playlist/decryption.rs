// SPDX-License-Identifier: MIT OR Apache-2.0

//! Throughput of segments that the loopback server decrypts, beside what a stock demuxer decrypts
//! itself, and beside the same segments in the clear.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use gst::prelude::*;
use headend::{Headend, encrypt_aes128, key_of};
use support::readings;
use support::subprocess::{self, Subprocess};
use support::table::{Figures, figure, head, row};

use crate::demuxers::{HLSDRMDEMUX, STOCK, init, pipeline, play_to_end};
use crate::pictures::{self, Filler};
use crate::transport_stream::{self, SampleAes};

/// What a contestant is told first.
pub const ORDER: &str = "decryption";

/// Segments of 4 MB each.
const SEGMENTS: usize = 25;

/// To warm up with.
const SHORT: usize = 2;

const RUNS: usize = 9;

/// hlsdemux2 of GStreamer 1.22 fails now and then, also by itself: as in `films.rs`, or with
/// "Fragment downloading has failed consecutive times" and status 200. Failures are named on
/// standard error.
const ATTEMPTS: usize = 5;

/// The name of the key on the key server.
const KEY: &str = "video";

const IV: [u8; 16] = *b"\x5e\x55\x10\xc0\xff\xee\0\x01\0\0\0\0\0\0\0\0";

/// How the segments are packaged and encrypted.
#[derive(Clone, Copy, PartialEq)]
enum Packaging {
    Mp4,
    /// METHOD=AES-128 with the init segment in front of each segment, and encrypted with it.
    Mp4Aes128InFront,
    /// METHOD=AES-128 with EXT-X-MAP.
    Mp4Aes128,
    Ts,
    TsAes128,
    TsSampleAes,
}

struct Row {
    name: &'static str,
    packaging: Packaging,
    is_ours: bool,
}

const fn row_of(name: &'static str, packaging: Packaging, is_ours: bool) -> Row {
    Row {
        name,
        packaging,
        is_ours,
    }
}

const ROWS: [Row; 6] = [
    row_of("fMP4, clear: stock", Packaging::Mp4, false),
    row_of(
        "fMP4, AES-128, init segment in front of each: stock",
        Packaging::Mp4Aes128InFront,
        false,
    ),
    row_of(
        "fMP4, AES-128, EXT-X-MAP: `hlsdrmdemux`",
        Packaging::Mp4Aes128,
        true,
    ),
    row_of("MPEG-TS, clear: stock", Packaging::Ts, false),
    row_of("MPEG-TS, AES-128: stock", Packaging::TsAes128, false),
    row_of(
        "MPEG-TS, SAMPLE-AES: `hlsdrmdemux`",
        Packaging::TsSampleAes,
        true,
    ),
];

/// The rows that are compared: ours, and the stock one of the same kind.
const PAIRS: [(usize, usize); 2] = [(2, 1), (5, 4)];

/// What is measured, in the order in which contestants say it.
const MEASURED: [&str; 2] = [
    "Throughput from PLAYING to EOS, MB/s",
    "What the whole process computes for 100 MB, ms",
];

pub fn measure() {
    let headend = Headend::start().expect("a head-end");
    let sizes = ROWS.map(|row| serve(&headend, row.packaging));
    let mut figures: [[[Figures; STOCK.len()]; ROWS.len()]; MEASURED.len()] = Default::default();
    // In turns, so that what else the machine does strikes all alike.
    for _ in 0..RUNS {
        for (number, entrant) in ROWS.iter().enumerate() {
            for (column, inside) in STOCK.into_iter().enumerate() {
                let [seconds, cpu] = run(entrant, inside, &headend, sizes[number]);
                let megabytes = sizes[number] as f64 / 1e6;
                figures[0][number][column].add(megabytes / seconds);
                figures[1][number][column].add(cpu * 1e3 * 100.0 / megabytes);
            }
        }
    }
    let cells = [&["segments: who decrypts"][..], &STOCK].concat();
    for (title, figures) in MEASURED.into_iter().zip(&figures) {
        let title = format!(
            "{title}: {SEGMENTS} segments of 4 MB, median of {RUNS} processes (least–most)"
        );
        head(&title, &cells);
        for (entrant, figures) in ROWS.iter().zip(figures) {
            let spreads = figures.each_ref().map(Figures::spread);
            let spreads = spreads.each_ref().map(String::as_str);
            row(&[&[entrant.name][..], &spreads].concat());
        }
    }
    println!();
    for (ours, stock) in PAIRS {
        for (column, inside) in STOCK.into_iter().enumerate() {
            let ratio = figures[0][ours][column].median() / figures[0][stock][column].median();
            let (ours, stock) = (ROWS[ours].name, ROWS[stock].name);
            println!("{ours} has {} × of {stock} ({inside}).", figure(ratio));
        }
    }
}

/// Has the head-end serve a film and a short one. Says how many bytes of pictures the film has.
fn serve(headend: &Headend, packaging: Packaging) -> u64 {
    let filler = Filler::new();
    let key = key_of(KEY);
    let sample_aes = SampleAes { key, iv: IV };
    let mut counter = 0;
    let mut size = 0;
    for number in 0..SEGMENTS {
        let mut in_ts = |encryption| {
            let pictures = pictures::pictures(number, &filler);
            transport_stream::segment(&pictures, encryption, &mut counter)
        };
        let in_mp4 = || pictures::fragmented_mp4(number, &filler);
        let segment = match packaging {
            Packaging::Mp4 => in_mp4(),
            Packaging::Mp4Aes128 => encrypt_aes128(in_mp4(), &key, &IV),
            Packaging::Mp4Aes128InFront => {
                let whole = [pictures::init_segment(), in_mp4()].concat();
                encrypt_aes128(whole, &key, &IV)
            }
            Packaging::Ts => in_ts(None),
            Packaging::TsAes128 => encrypt_aes128(in_ts(None), &key, &IV),
            Packaging::TsSampleAes => in_ts(Some(sample_aes)),
        };
        size += segment.len() as u64;
        headend.set_file(&path(packaging, &segment_name(number)), segment);
    }
    headend.set_file(&path(packaging, "init.mp4"), pictures::init_segment());
    for length in [SEGMENTS, SHORT] {
        let master = format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlist-{length}.m3u8\n");
        headend.set_file(&path(packaging, &master_name(length)), master);
        let list = path(packaging, &format!("list-{length}.m3u8"));
        headend.set_file(&list, playlist(packaging, length));
    }
    size
}

fn path(packaging: Packaging, name: &str) -> String {
    format!("/hls/decryption-{}/{name}", packaging as u8)
}

fn segment_name(number: usize) -> String {
    format!("segment_{number}")
}

fn master_name(length: usize) -> String {
    format!("master-{length}.m3u8")
}

fn playlist(packaging: Packaging, length: usize) -> String {
    let mut playlist = "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n\
        #EXT-X-PLAYLIST-TYPE:VOD\n"
        .to_owned();
    if [Packaging::Mp4, Packaging::Mp4Aes128].contains(&packaging) {
        playlist += "#EXT-X-MAP:URI=\"init.mp4\"\n";
    }
    let method = match packaging {
        Packaging::Mp4 | Packaging::Ts => None,
        Packaging::TsSampleAes => Some("SAMPLE-AES,KEYFORMAT=\"identity\""),
        _ => Some("AES-128"),
    };
    if let Some(method) = method {
        let iv = u128::from_be_bytes(IV);
        playlist += &format!("#EXT-X-KEY:METHOD={method},URI=\"/keys/{KEY}\",IV=0x{iv:032x}\n");
    }
    for number in 0..length {
        playlist += &format!("#EXTINF:2.000,\n{}\n", segment_name(number));
    }
    playlist + "#EXT-X-ENDLIST\n"
}

/// Seconds, and seconds of computing.
fn run(entrant: &Row, inside: &str, headend: &Headend, size: u64) -> [f64; 2] {
    let demuxer = match entrant.is_ours {
        true => HLSDRMDEMUX,
        false => inside,
    };
    let url = |length| headend.url(&path(entrant.packaging, &master_name(length)));
    for _ in 0..ATTEMPTS {
        let mut contestant =
            Subprocess::start(&[ORDER, demuxer, inside, &url(SHORT), &url(SEGMENTS)]);
        if let Some([seconds, cpu, bytes]) = contestant.figures_unless_it_fails::<3>() {
            // All but headers of the container goes to the sink.
            assert!(
                bytes > 0.95 * size as f64,
                "{}: {bytes} bytes",
                entrant.name
            );
            return [seconds, cpu];
        }
        eprintln!("failed: {}, {inside}", entrant.name);
    }
    panic!("it fails every time");
}

/// In the subprocess: plays a short film to its end, and then the one that is measured.
pub fn play(demuxer: &str, inside: &str, warm_up: &str, uri: &str) -> ! {
    init();
    let bytes = Arc::new(AtomicU64::new(0));
    let played = |uri| {
        let bytes = bytes.clone();
        let pipeline = pipeline(demuxer, inside, uri, false, move |pad| {
            let bytes = bytes.clone();
            let data = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
            pad.add_probe(data, move |_, info| {
                let size = match &info.data {
                    Some(gst::PadProbeData::Buffer(buffer)) => buffer.size(),
                    Some(gst::PadProbeData::BufferList(list)) => list.calculate_size(),
                    _ => 0,
                };
                bytes.fetch_add(size as u64, Ordering::Relaxed);
                gst::PadProbeReturn::Ok
            });
        });
        play_to_end(&pipeline);
        pipeline
    };
    let stopped = played(warm_up).set_state(gst::State::Null);
    stopped.expect("it stops");
    bytes.store(0, Ordering::Relaxed);
    let (start, computed) = (Instant::now(), readings::cpu());
    let pipeline = played(uri);
    let (time, cpu) = (start.elapsed(), readings::cpu() - computed);
    subprocess::say(&[
        time.as_secs_f64(),
        cpu.as_secs_f64(),
        bytes.load(Ordering::Relaxed) as f64,
    ]);
    // How it stops is not measured.
    std::mem::forget(pipeline);
    subprocess::rest()
}
