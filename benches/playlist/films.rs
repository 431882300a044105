// SPDX-License-Identifier: MIT OR Apache-2.0

//! From PLAYING to the first buffer behind the demuxer, for films of ten segments to a day of
//! television's: time, work and memory.

use std::sync::mpsc;
use std::time::Instant;

use gst::prelude::*;
use headend::Headend;
use support::readings;
use support::subprocess::{self, Subprocess};
use support::table::{Figures, figure, head, row};

use crate::demuxers::{Entrant, PATIENCE, Tags, check, init, pipeline, play_to_end};
use crate::origin::{self, WITH_ONE_KEY};

/// What a contestant is told first.
pub const ORDER: &str = "films";

/// In two seconds each: twenty seconds, half an hour, and eleven hours.
const LENGTHS: [usize; 3] = [10, 1000, 20_000];

/// A film to warm up with: everything that is loaded and set up once.
const SHORT: usize = 3;

const RUNS: usize = 9;

/// hlsdemux2 of GStreamer 1.22, also by itself, fails now and then with a film that it has whole
/// before it has exposed its pad: "Can't push EOS on non-exposed pad"
/// (`gst_adaptive_demux2_stream_end_of_manifest`). Those that failed are named on standard error.
const ATTEMPTS: usize = 5;

/// What is measured, in the order in which contestants say it.
const MEASURED: [&str; 3] = [
    "From PLAYING to the first buffer behind the demuxer, ms",
    "What the whole process computes until then, ms",
    "The most memory that the process has until then, MB",
];

pub fn measure() {
    let lengths = [&LENGTHS[..], &[SHORT]].concat();
    let headend = Headend::start_with_media(0, origin::folder(&lengths)).expect("a head-end");
    let entrants = Entrant::all();
    let mut figures: Vec<[[Figures; LENGTHS.len()]; MEASURED.len()]> = Vec::new();
    figures.resize_with(entrants.len(), Default::default);
    // In turns, so that what else the machine does strikes all alike.
    for _ in 0..RUNS {
        for (entrant, figures) in entrants.iter().zip(&mut figures) {
            for (column, length) in LENGTHS.into_iter().enumerate() {
                let measured = run(*entrant, &headend, length);
                for (figures, figure) in figures.iter_mut().zip(measured) {
                    figures[column].add(figure);
                }
            }
        }
    }
    let lengths = LENGTHS.map(|length| format!("{length} segments"));
    let cells: Vec<_> = std::iter::once("demuxer")
        .chain(lengths.iter().map(String::as_str))
        .collect();
    let many = format!("another key every {WITH_ONE_KEY} segments");
    for (number, title) in MEASURED.into_iter().enumerate() {
        head(&format!("{title}: median of {RUNS} (least–most)"), &cells);
        for (entrant, figures) in entrants.iter().zip(&figures) {
            let spreads = figures[number].each_ref().map(Figures::spread);
            let name = entrant.name(&many);
            let cells: Vec<_> = std::iter::once(name.as_str())
                .chain(spreads.iter().map(String::as_str))
                .collect();
            row(&cells);
        }
    }
    sizes();
}

/// How large the playlists are that all this is about.
fn sizes() {
    for (tags, name) in [
        (Tags::None, "without key tags"),
        (Tags::OneKey, "with one key"),
        (Tags::ManyKeys, "with many"),
    ] {
        let sizes = LENGTHS.map(|length| {
            let kilobytes = origin::playlist(length, tags).len() as f64 / 1e3;
            format!("{} kB", figure(kilobytes))
        });
        println!("\nThe playlists {name} have {}.", sizes.join(", "));
    }
}

fn run(entrant: Entrant, headend: &Headend, length: usize) -> [f64; MEASURED.len()] {
    let url = |length, tags| headend.url(&format!("/hls/long/{}", origin::name(length, tags)));
    for _ in 0..ATTEMPTS {
        let mut contestant = Subprocess::start(&[
            ORDER,
            entrant.demuxer(),
            entrant.inside,
            &url(SHORT, entrant.tags),
            &url(length, entrant.tags),
        ]);
        if let Some(figures) = contestant.figures_unless_it_fails() {
            return figures;
        }
        eprintln!("failed: {}", entrant.name("many keys"));
    }
    panic!("it fails every time");
}

/// In the subprocess: plays a short film to its end, and then begins the one that is measured.
pub fn play(demuxer: &str, inside: &str, warm_up: &str, uri: &str) -> ! {
    init();
    warm(demuxer, inside, warm_up);
    readings::forget_peak();
    let computed = readings::cpu();
    let (arrived, arrival) = mpsc::channel();
    let start = Instant::now();
    let pipeline = pipeline(demuxer, inside, uri, true, move |pad| {
        let arrived = arrived.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            let time = start.elapsed();
            let cpu = readings::cpu() - computed;
            let figures = [
                time.as_secs_f64() * 1e3,
                cpu.as_secs_f64() * 1e3,
                readings::peak() as f64 * 1024.0 / 1e6,
            ];
            // Nobody listens after the first one.
            let _ = arrived.send(figures);
            gst::PadProbeReturn::Remove
        });
    });
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let figures = arrival.recv_timeout(PATIENCE);
    check(&pipeline);
    subprocess::say(&figures.expect("a buffer"));
    subprocess::rest()
}

fn warm(demuxer: &str, inside: &str, uri: &str) {
    let pipeline = pipeline(demuxer, inside, uri, false, |_| {});
    // All has come when it ends; a stop in mid-download may crash GStreamer 1.22.
    play_to_end(&pipeline);
    pipeline.set_state(gst::State::Null).expect("it stops");
}
