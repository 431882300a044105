// SPDX-License-Identifier: MIT OR Apache-2.0

//! What is not protected by a DRM system plays as without this plugin: nobody has to choose a
//! demuxer by what is on.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use gst::prelude::*;
use headend::{Headend, MediaRequest};
use support::fixtures::Programme;
use support::folders::media;
use support::operator::Operator;
use support::player::{Player, init};
use support::player_harness::Setup;
use support::reference::{PICTURES, SOUNDS};

use super::raise;

/// What a sink sees of a buffer.
type Buffer = (Option<gst::ClockTime>, Option<gst::ClockTime>, Vec<u8>);

/// What came, by the streams' media types.
#[derive(Default)]
struct Streams {
    buffers: Mutex<BTreeMap<String, Vec<Buffer>>>,
    ends: Mutex<usize>,
    ended: Condvar,
}

impl Streams {
    /// Takes what passes the pad.
    fn watch(self: &Arc<Self>, pad: &gst::Pad) {
        let streams = self.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let caps = pad.current_caps().expect("caps come before buffers");
            let name = caps.structure(0).expect("fixed caps").name().to_string();
            let buffer = info.buffer().expect("a buffer probe");
            let bytes = buffer.map_readable().expect("readable").to_vec();
            let seen = (buffer.pts(), buffer.dts(), bytes);
            let mut buffers = streams.buffers.lock().expect("no panic");
            buffers.entry(name).or_default().push(seen);
            gst::PadProbeReturn::Ok
        });
        let streams = self.clone();
        pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
            if info
                .event()
                .is_some_and(|event| event.type_() == gst::EventType::Eos)
            {
                *streams.ends.lock().expect("no panic") += 1;
                streams.ended.notify_all();
            }
            gst::PadProbeReturn::Ok
        });
    }

    /// Waits for the ends of so many. The pipeline may be through with one before there is another.
    #[track_caller]
    fn wait_for(&self, count: usize) {
        let ends = self.ends.lock().expect("no panic");
        let limit = Duration::from_secs(60);
        let (ends, waited) = self
            .ended
            .wait_timeout_while(ends, limit, |ends| *ends < count)
            .expect("no panic");
        assert!(!waited.timed_out(), "{ends} of {count} streams ended");
    }
}

/// Has what comes out of a pad parsed, and collects that.
fn collect(pipeline: &gst::Pipeline, pad: &gst::Pad, streams: &Arc<Streams>) {
    let parser = gst::ElementFactory::make("parsebin")
        .build()
        .expect("parsebin is there");
    let (weak, streams) = (pipeline.downgrade(), streams.clone());
    parser.connect_pad_added(move |_, pad| {
        let Some(pipeline) = weak.upgrade() else {
            return;
        };
        let sink = gst::ElementFactory::make("fakesink")
            .property("sync", false)
            // The newer demuxer has one thread for all streams, which would wait here for the first
            // buffers of the others.
            .property("async", false)
            .build()
            .expect("fakesink is there");
        streams.watch(pad);
        plug(&pipeline, &sink, pad);
    });
    plug(pipeline, &parser, pad);
}

/// Adds an element behind a pad.
fn plug(pipeline: &gst::Pipeline, element: &gst::Element, pad: &gst::Pad) {
    pipeline.add(element).expect("a new element");
    element.sync_state_with_parent().expect("it goes along");
    let sink = element.static_pad("sink").expect("a sink pad");
    pad.link(&sink).expect("they fit");
}

/// The parsed streams of a presentation, with the demuxer of this name inside `demuxer`, or as
/// that.
fn streams(demuxer: &str, inside: &str, uri: &str) -> BTreeMap<String, Vec<Buffer>> {
    init();
    let pipeline = gst::Pipeline::new();
    // Else the newer one does not start.
    pipeline.set_bin_flags(gst::BinFlags::STREAMS_AWARE);
    let source = gst::ElementFactory::make("souphttpsrc")
        .property("location", uri)
        .build()
        .expect("souphttpsrc is there");
    let element = gst::ElementFactory::make(demuxer);
    let element = match demuxer == inside {
        true => element,
        false => element.property_from_str("demuxer", inside),
    };
    let element = element.build().expect("the demuxer is there");
    pipeline
        .add_many([&source, &element])
        .expect("new elements");
    source.link(&element).expect("they fit");
    let streams = Arc::<Streams>::default();
    let (weak, collected) = (pipeline.downgrade(), streams.clone());
    element.connect_pad_added(move |_, pad| {
        if let Some(pipeline) = weak.upgrade() {
            collect(&pipeline, pad, &collected);
        }
    });
    pipeline.set_state(gst::State::Playing).expect("it plays");
    streams.wait_for(2);
    pipeline.set_state(gst::State::Null).expect("it stops");
    let buffers = &mut *streams.buffers.lock().expect("no panic");
    std::mem::take(buffers)
}

/// Asserts that the files of the first so many requests are those of the others. An operator pays
/// for each.
#[track_caller]
fn assert_asked_alike(requests: &[MediaRequest], count: usize) {
    let paths = |requests: &[MediaRequest]| {
        let mut paths: Vec<_> = requests.iter().map(|one| one.path.clone()).collect();
        paths.sort_unstable();
        paths
    };
    let (without, with) = requests.split_at(count);
    assert_eq!(paths(with), paths(without));
}

#[track_caller]
fn assert_same_as_without(inside: &str, path: &str) {
    let headend = Headend::start().expect("a head-end");
    let uri = headend.url(path);
    let without = streams(inside, inside, &uri);
    let counts: Vec<_> = without.values().map(Vec::len).collect();
    assert_eq!(counts, [SOUNDS, PICTURES]);
    let asked_without = headend.media_requests().len();
    let with = streams("hlsdrmdemux", inside, &uri);
    assert_asked_alike(&headend.media_requests(), asked_without);
    let names =
        |streams: &BTreeMap<String, Vec<Buffer>>| streams.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&with), names(&without));
    for (name, buffers) in &without {
        let differs = with[name]
            .iter()
            .zip(buffers)
            .position(|(one, other)| one != other);
        assert_eq!(differs, None, "{name}");
        assert_eq!(with[name].len(), buffers.len(), "{name}");
    }
}

// The newer demuxer takes none.
#[test]
fn films_in_files_play_in_playbin() {
    raise();
    let operator = Operator::start_for(Programme::HlsPictureAlone);
    let uri = format!("file://{}/dash/clear/video.m3u8", media().display());
    let setup = Setup::new(Player::Playbin, &operator).uri(uri);
    let harness = setup.open();
    harness.start();
    harness.end().assert_well();
    assert!(harness.element("hlsdrmdemux").is_some());
}

#[test]
fn clear_films_are_the_same_with_the_older_demuxer() {
    assert_same_as_without("hlsdemux", "/hls/clear/master.m3u8");
}

#[test]
fn clear_films_are_the_same_with_the_newer_demuxer() {
    assert_same_as_without("hlsdemux2", "/hls/clear/master.m3u8");
}

// Demuxers of 1.22 decrypt no film with an init segment of its own.
#[test]
fn aes_128_streams_match_stock_hlsdemux() {
    assert_same_as_without("hlsdemux", "/hls/aes128-no-map/master.m3u8");
}

#[test]
fn aes_128_streams_match_stock_hlsdemux2() {
    assert_same_as_without("hlsdemux2", "/hls/aes128-no-map/master.m3u8");
}
