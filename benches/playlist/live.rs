// SPDX-License-Identifier: MIT OR Apache-2.0

//! A live stream of picture and sound, whose playlists are read again every two seconds: what the
//! process computes in a minute.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gst::prelude::*;
use headend::Headend;
use support::readings;
use support::subprocess::{self, Subprocess};
use support::table::{Figures, head, row};

use crate::demuxers::{Entrant, Tags, check, init, pipeline};

/// What a contestant is told first.
pub const ORDER: &str = "live";

/// Segments of two seconds in a playlist: twelve seconds, and half an hour to go back in.
const WINDOWS: [u64; 2] = [6, 1000];

/// For how long, unless somebody says otherwise.
const MINUTES: usize = 10;
const COUNT: &str = "PLAYLIST_LIVE_MINUTES";

/// By then all plays, and what is done once has been done.
const SETTLED: Duration = Duration::from_secs(15);

const MINUTE: Duration = Duration::from_secs(60);

/// What is measured, in the order in which contestants say it.
const MEASURED: [&str; 2] = [
    "What the whole process computes, ms a minute",
    "The memory that it has at the end of a minute, MB",
];

/// What runs while the others do.
type Running = (Entrant, [Subprocess; WINDOWS.len()]);

fn minutes() -> usize {
    match std::env::var(COUNT) {
        Ok(count) => count.parse().expect("a number of minutes"),
        Err(_) => MINUTES,
    }
}

pub fn measure() {
    let headends = WINDOWS.map(|window| {
        let headend = Headend::start().expect("a head-end");
        headend.set_live_window(window);
        headend
    });
    // All at once: each has a process of its own, and sleeps for most of the time.
    let start = |entrant: Entrant| -> Running {
        let contestants = headends.each_ref().map(|headend| {
            let uri = headend.url(path(entrant.tags));
            Subprocess::start(&[ORDER, entrant.demuxer(), entrant.inside, &uri])
        });
        (entrant, contestants)
    };
    let mut running: Vec<_> = Entrant::all().into_iter().map(start).collect();
    let mut figures: Vec<[[Figures; WINDOWS.len()]; MEASURED.len()]> = Vec::new();
    figures.resize_with(running.len(), Default::default);
    for _ in 0..minutes() {
        for ((_, contestants), figures) in running.iter_mut().zip(&mut figures) {
            for (column, contestant) in contestants.iter_mut().enumerate() {
                let measured: [f64; MEASURED.len()] = contestant.figures();
                for (figures, figure) in figures.iter_mut().zip(measured) {
                    figures[column].add(figure);
                }
            }
        }
    }
    let windows = WINDOWS.map(|window| format!("{window} segments"));
    let cells: Vec<_> = std::iter::once("demuxer")
        .chain(windows.iter().map(String::as_str))
        .collect();
    for (number, title) in MEASURED.into_iter().enumerate() {
        let title = format!("Live, {title}: median of {} (least–most)", minutes());
        head(&title, &cells);
        for ((entrant, _), figures) in running.iter().zip(&figures) {
            let spreads = figures[number].each_ref().map(Figures::spread);
            let name = entrant.name("another key twice in six seconds");
            let cells: Vec<_> = std::iter::once(name.as_str())
                .chain(spreads.iter().map(String::as_str))
                .collect();
            row(&cells);
        }
    }
}

fn path(tags: Tags) -> &'static str {
    match tags {
        Tags::None => "/hls/live-clear/master-no-keys.m3u8",
        Tags::OneKey => "/hls/live-clear/master.m3u8",
        Tags::ManyKeys => "/hls/live-clear-both-keys/master.m3u8",
    }
}

/// In the subprocess: plays for ever, and says its figures every minute.
pub fn play(demuxer: &str, inside: &str, uri: &str) -> ! {
    init();
    let played = Arc::new(AtomicU64::new(0));
    let counted = played.clone();
    let pipeline = pipeline(demuxer, inside, uri, true, move |pad| {
        let counted = counted.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            counted.fetch_add(1, Ordering::Relaxed);
            gst::PadProbeReturn::Ok
        });
    });
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let mut look = Instant::now() + SETTLED;
    sleep_until(look);
    loop {
        let (computed, before) = (readings::cpu(), played.load(Ordering::Relaxed));
        look += MINUTE;
        sleep_until(look);
        check(&pipeline);
        assert!(played.load(Ordering::Relaxed) > before, "it stands still");
        let cpu = readings::cpu() - computed;
        subprocess::say(&[
            cpu.as_secs_f64() * 1e3,
            readings::resident() as f64 * 1024.0 / 1e6,
        ]);
    }
}

fn sleep_until(moment: Instant) {
    thread::sleep(moment.saturating_duration_since(Instant::now()));
}
