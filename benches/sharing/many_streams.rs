// SPDX-License-Identifier: MIT OR Apache-2.0

//! In the subprocess: the streams. The head-end is in the process that has started this one.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use support::{readings, subprocess};

/// Threads, the memory that is the process's own, and what of it is allocated, in KiB.
pub type Reading = [f64; 3];

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// For elements whose service hangs, in milliseconds.
const NO_HURRY: u32 = 300_000;

/// After this long all is at rest: tokio keeps the threads on which it does what blocks for ten
/// seconds.
const REST: Duration = Duration::from_secs(12);

/// Buffers that come later.
const LATER: usize = 10;

/// The W3C common system, which says nothing but key ids.
const COMMON_SYSTEM: &str = "1077efec-c0b2-4d02-ace3-3c1e52e2fb4b";

/// Which elements they go through.
#[derive(Clone, Copy, PartialEq)]
pub enum Who {
    /// For comparison: what any element takes.
    Identity,
    /// All with the token of one session, the first of the process.
    OneSession,
    /// The same in a process that has had another session.
    OneWarmSession,
    /// As that, but each with a session of its own.
    OwnSessions,
}

const NAMES: [(Who, &str); 4] = [
    (Who::Identity, "identity"),
    (Who::OneSession, "one-session"),
    (Who::OneWarmSession, "one-warm-session"),
    (Who::OwnSessions, "own-sessions"),
];

impl Who {
    pub fn named(name: &str) -> Self {
        let found = NAMES.iter().find(|(_, known)| *known == name);
        found.expect("one of them").0
    }

    pub fn name(self) -> &'static str {
        let found = NAMES.iter().find(|(known, _)| *known == self);
        found.expect("each has one").1
    }

    fn element(self, location: &str, number: usize) -> gst::Element {
        match self {
            Who::Identity => gst::ElementFactory::make("identity")
                .build()
                .expect("it is there"),
            Who::OneSession | Who::OneWarmSession => token(location),
            Who::OwnSessions => token(&format!("{location}?account={number}")),
        }
    }
}

fn token(location: &str) -> gst::Element {
    gst::ElementFactory::make("sessiontoken")
        .property("location", location)
        .property("timeout", NO_HURRY)
        .build()
        .expect("the plugin has it")
}

/// Says what there is before, while all wait, and when all have had their token; then stands still.
pub fn play(who: Who, count: usize, location: &str) -> ! {
    gst::init().expect("GStreamer starts");
    gstsessiontoken::plugin_register_static().expect("the plugin registers");
    let (arrived, arrival) = mpsc::channel();
    // An element of each kind has been there, so that its code and its class are.
    let is_warm = matches!(who, Who::OneWarmSession | Who::OwnSessions);
    let warm = is_warm.then(|| {
        let element = token(&format!("{location}?account=warm"));
        Stream::begin(element, arrived.clone())
    });
    wait_for(&arrival, usize::from(is_warm));
    subprocess::say(&reading());
    subprocess::wait_to_go_on();
    let streams: Vec<_> = (0..count)
        .map(|number| Stream::begin(who.element(location, number), arrived.clone()))
        .collect();
    subprocess::say(&now());
    wait_for(&arrival, count);
    // They go on.
    for _ in 0..LATER {
        streams.iter().for_each(Stream::push);
        wait_for(&arrival, count);
    }
    subprocess::say(&reading());
    // Whatever is there is there until then.
    let _kept = (warm, streams);
    subprocess::rest()
}

fn wait_for(arrival: &Receiver<()>, count: usize) {
    for _ in 0..count {
        arrival.recv_timeout(PATIENCE).expect("a buffer");
    }
}

/// What there is when nothing goes on any more.
fn reading() -> Reading {
    thread::sleep(REST);
    // GLib's that have nothing to do; it keeps some for a while.
    glib::ThreadPool::stop_unused_threads();
    thread::sleep(Duration::from_millis(200));
    now()
}

fn now() -> Reading {
    [
        readings::thread_count() as f64,
        readings::resident() as f64,
        readings::allocated() as f64,
    ]
}

/// An element, and the pads around it.
struct Stream {
    _element: gst::Element,
    upstream: gst::Pad,
    _downstream: gst::Pad,
}

impl Stream {
    /// Takes it to PLAYING and gives it what a demuxer does, as far as the first buffer. `arrived`
    /// hears of that.
    fn begin(element: gst::Element, arrived: Sender<()>) -> Self {
        let arrived = std::sync::Mutex::new(arrived);
        let upstream = gst::Pad::builder(gst::PadDirection::Src).build();
        let downstream = gst::Pad::builder(gst::PadDirection::Sink)
            .chain_function(move |_, _, _| {
                let _ = arrived.lock().expect("no panic").send(());
                Ok(gst::FlowSuccess::Ok)
            })
            .build();
        let own = |name| element.static_pad(name).expect("it has both");
        upstream.link(&own("sink")).expect("they fit");
        own("src").link(&downstream).expect("they fit");
        for pad in [&downstream, &upstream] {
            pad.set_active(true).expect("a new pad");
        }
        element.set_state(gst::State::Playing).expect("it plays");
        let caps = gst::Caps::builder("application/x-cenc")
            .field("protection-system", COMMON_SYSTEM)
            .build();
        let init_data = gst::Buffer::from_slice([0; 32]);
        let events = [
            gst::event::StreamStart::new("stream"),
            gst::event::Caps::new(&caps),
            gst::event::Protection::builder(COMMON_SYSTEM, &init_data).build(),
            gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()),
        ];
        for event in events {
            assert!(upstream.push_event(event), "an event is refused");
        }
        let stream = Self {
            _element: element,
            upstream,
            _downstream: downstream,
        };
        stream.push();
        stream
    }

    /// A sample.
    fn push(&self) {
        let buffer = gst::Buffer::from_slice([0xa5; 100]);
        self.upstream.push(buffer).expect("it is taken");
    }
}
