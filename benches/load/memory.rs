// SPDX-License-Identifier: MIT OR Apache-2.0

//! Resident memory and threads of a process that has nothing else to do.

use std::fs;
use std::process::Command;

use gst::prelude::*;
use headend::Headend;

use crate::Plugins;
use crate::line::Line;
use crate::process::scratch;
use crate::rig;
use crate::table::{Figures, head, row};

/// The variable by which this program is told to be measured, and with which plugin.
pub const CONTESTANT: &str = "LOAD_CONTESTANT";
const LOCATION: &str = "LOAD_LOCATION";

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
            let output = Command::new(std::env::current_exe().expect("this program"))
                .env(CONTESTANT, contestant)
                .env(LOCATION, &location)
                .env("GST_PLUGIN_SYSTEM_PATH", plugins.folder())
                .env("GST_PLUGIN_PATH", "")
                .env("GST_REGISTRY", scratch().join("registry-of-measured"))
                .output()
                .expect("this program starts");
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            let text = String::from_utf8(output.stdout).expect("figures");
            let mut readings = text.lines().map(Reading::read);
            let first = readings.next().expect("the process before");
            for (index, reading) in readings.enumerate() {
                memory[index].add((reading.memory - first.memory) as f64);
                threads[index].add((reading.threads - first.threads) as f64);
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

/// What the system says of a process.
struct Reading {
    /// In kilobytes.
    memory: i64,
    threads: i64,
}

impl Reading {
    fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").expect("Linux");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next());
            number
                .and_then(|number| number.parse().ok())
                .expect("a number")
        };
        Self {
            memory: field("VmRSS:"),
            threads: field("Threads:"),
        }
    }

    fn read(line: &str) -> Self {
        let (memory, threads) = line.split_once(' ').expect("two figures");
        Self {
            memory: memory.parse().expect("a figure"),
            threads: threads.parse().expect("a figure"),
        }
    }

    fn print(&self) {
        println!("{} {}", self.memory, self.threads);
    }
}

/// The process that has nothing else to do.
pub fn be_measured(contestant: &str) {
    gst::init().expect("GStreamer starts");
    let location = std::env::var(LOCATION).expect("the parent says where");
    // What every element needs is there before.
    let fakesink = gst::ElementFactory::make("identity");
    drop(fakesink.build().expect("GStreamer has it"));
    Reading::now().print();
    let make = || {
        gst::ElementFactory::make(contestant)
            .property("location", &location)
            .build()
            .expect("the plugin is there")
    };
    let element = make();
    Reading::now().print();
    element.set_state(gst::State::Ready).expect("it is ready");
    Reading::now().print();
    element.set_state(gst::State::Null).expect("it stops");
    let request = || match contestant {
        OURS => {
            let line = Line::around(Some(make()));
            line.push_event(rig::protections()[0].clone());
            // Waits until all has left.
            line.push_event(gst::event::Eos::new());
            line.element().emit_by_name::<()>("clear-token", &[]);
        }
        _ => download(make()),
    };
    request();
    Reading::now().print();
    (1..10).for_each(|_| request());
    Reading::now().print();
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
