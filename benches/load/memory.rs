// SPDX-License-Identifier: MIT OR Apache-2.0

//! Resident memory and threads of a process that has nothing else to do.

use std::path::Path;

use gst::prelude::*;
use headend::Headend;
use support::folders::scratch;
use support::pad_harness::PadHarness;
use support::readings;
use support::rig;
use support::subprocess::{self, Subprocess};
use support::table::{Figures, head, row};

use crate::Plugins;

const RUNS: usize = 9;

/// When it is measured.
const MOMENTS: [&str; 4] = [
    "element made",
    "element in READY",
    "after the first request",
    "after the tenth",
];

const OURS: &str = "sessiontoken";
const SOUP: &str = "souphttpsrc";

pub fn measure() {
    let headend = Headend::start().expect("a head-end");
    let title = format!(
        "Resident memory and threads that are added, kB and number: median of {RUNS} processes (least–most)"
    );
    head(&title, &[&["element"][..], &MOMENTS].concat());
    for (contestant, plugins, location) in [
        (OURS, Plugins::Ours, headend.auth_url()),
        (SOUP, Plugins::Soup, headend.clear_manifest_url()),
    ] {
        let mut memory: [Figures; MOMENTS.len()] = Default::default();
        let mut threads: [Figures; MOMENTS.len()] = Default::default();
        for _ in 0..RUNS {
            let mut process = Subprocess::start_in(
                &[contestant, &location],
                &[
                    ("GST_PLUGIN_SYSTEM_PATH", &plugins.folder()),
                    ("GST_PLUGIN_PATH", Path::new("")),
                    ("GST_REGISTRY", &scratch().join("registry-of-measured")),
                ],
            );
            let first: Reading = process.figures();
            for (memory, threads) in memory.iter_mut().zip(&mut threads) {
                let now: Reading = process.figures();
                memory.add(now[0] - first[0]);
                threads.add(now[1] - first[1]);
            }
        }
        let cells: Vec<_> = (memory.iter().zip(&threads))
            .map(|(memory, threads)| format!("{}; {}", memory.spread(), threads.median()))
            .collect();
        let cells: Vec<_> = cells.iter().map(String::as_str).collect();
        row(&[&[format!("`{contestant}`").as_str()][..], &cells].concat());
        if contestant == OURS {
            for (moment, threads) in MOMENTS.iter().zip(&threads).take(2) {
                assert_eq!(threads.most(), 0.0, "a thread before a tune: {moment}");
            }
        }
    }
}

/// Memory with the plugin's own code, in KiB, and threads.
type Reading = [f64; 2];

fn say() {
    subprocess::say(&[
        readings::resident_with_files() as f64,
        readings::thread_count() as f64,
    ]);
}

/// The process that has nothing else to do.
pub fn be_measured(contestant: &str, location: &str) {
    gst::init().expect("GStreamer starts");
    // What every element needs is there before.
    let fakesink = gst::ElementFactory::make("identity");
    drop(fakesink.build().expect("GStreamer has it"));
    say();
    let make = || {
        gst::ElementFactory::make(contestant)
            .property("location", location)
            .build()
            .expect("the plugin is there")
    };
    let element = make();
    say();
    element.set_state(gst::State::Ready).expect("it is ready");
    say();
    element.set_state(gst::State::Null).expect("it stops");
    let request = || match contestant {
        OURS => {
            let harness = PadHarness::around(Some(make()));
            harness.push_event(rig::protections()[0].clone());
            // Waits until all has left.
            harness.push_event(gst::event::Eos::new());
            harness.element().emit_by_name::<()>("clear-token", &[]);
        }
        _ => download(make()),
    };
    request();
    say();
    (1..10).for_each(|_| request());
    say();
}

fn download(source: gst::Element) {
    let sink = gst::ElementFactory::make("fakesink").build();
    let pipeline = gst::Pipeline::new();
    let sink = sink.expect("GStreamer has it");
    pipeline.add_many([&source, &sink]).expect("they are added");
    source.link(&sink).expect("linked");
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let bus = pipeline.bus().expect("a bus");
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &ends);
    let end = end.expect("its end");
    assert_eq!(end.type_(), gst::MessageType::Eos, "{end:?}");
    pipeline.set_state(gst::State::Null).expect("it stops");
}
