// SPDX-License-Identifier: MIT OR Apache-2.0

//! The samples of the clear media, as qtdemux takes them out of their files.

use std::fs;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock};

use gst::prelude::*;

use crate::folders::{media, scratch};
use crate::player::init;
use crate::player_harness::{Ended, Kind, PlayerHarness, Samples, bytes_of};

/// Of two seconds each.
pub const SEGMENTS: usize = 3;
/// 6 s at 25 frames a second.
pub const PICTURES: usize = 150;
/// 88, 86 and 86 frames in the three segments.
pub const SOUNDS: usize = 260;

/// The samples of the clear media.
pub fn samples(kind: Kind) -> &'static Samples {
    static PICTURE: OnceLock<Samples> = OnceLock::new();
    static SOUND: OnceLock<Samples> = OnceLock::new();
    let (samples, count) = match kind {
        Kind::Picture => (PICTURE.get_or_init(|| demux("v")), PICTURES),
        Kind::Sound => (SOUND.get_or_init(|| demux("a")), SOUNDS),
    };
    assert_eq!(samples.len(), count, "the test media changed");
    samples
}

/// Asserts that it played to its end, these streams byte for byte as the clear media are, and
/// nobody complained.
#[track_caller]
pub fn assert_played(harness: &PlayerHarness, ended: &Ended, kinds: &[Kind]) {
    ended.assert_well();
    for kind in kinds {
        harness.seen(|seen| assert_clear(*kind, &seen.decrypted(*kind)));
    }
}

/// Asserts that these are the samples of the clear media, byte for byte.
#[track_caller]
pub fn assert_clear(kind: Kind, samples: &Samples) {
    assert_same(kind, samples, self::samples(kind));
}

/// Asserts that these are the samples of the first segment of the clear media, byte for byte.
#[track_caller]
pub fn assert_first_segment(kind: Kind, samples: &Samples) {
    assert_segments(kind, samples, 0..1);
}

/// Asserts that these are the samples of the last segment of the clear media, byte for byte.
#[track_caller]
pub fn assert_last_segment(kind: Kind, samples: &Samples) {
    assert_segments(kind, samples, SEGMENTS - 1..SEGMENTS);
}

/// Asserts that these are the samples of these segments of the clear media, byte for byte.
#[track_caller]
pub fn assert_segments(kind: Kind, samples: &Samples, segments: Range<usize>) {
    assert_same(kind, samples, self::segments(kind, segments));
}

/// The samples of these segments of the clear media.
pub fn segments(kind: Kind, segments: Range<usize>) -> &'static [Vec<u8>] {
    let begins: [usize; SEGMENTS + 1] = match kind {
        Kind::Picture => [0, 50, 100, PICTURES],
        Kind::Sound => [0, 88, 174, SOUNDS],
    };
    &samples(kind)[begins[segments.start]..begins[segments.end]]
}

/// Says which one differs without printing all of them.
#[track_caller]
fn assert_same(kind: Kind, samples: &[Vec<u8>], clear: &[Vec<u8>]) {
    assert_eq!(samples.len(), clear.len(), "number of samples, {kind:?}");
    let differs = samples
        .iter()
        .zip(clear)
        .position(|(one, other)| one != other);
    assert_eq!(differs, None, "the first sample that differs, {kind:?}");
}

fn demux(track: &str) -> Samples {
    let media = media().join("dash/clear");
    let mut file = fs::read(media.join(format!("{track}_init.mp4"))).expect("the test media");
    for segment in 1..=3 {
        file.extend(fs::read(media.join(format!("{track}_{segment}.m4s"))).expect("a segment"));
    }
    let whole = scratch().join(format!("clear-{track}.mp4"));
    fs::write(&whole, file).expect("a scratch file");

    samples_of(&format!("filesrc location={}", whole.display()))
}

/// The samples that a source and a demuxer hand to qtdemux and that one hands on.
pub fn samples_of(source: &str) -> Samples {
    init();
    let pipeline = gst::parse::launch(&format!("{source} ! qtdemux ! fakesink name=sink"))
        .expect("the line parses")
        .downcast::<gst::Pipeline>()
        .expect("a pipeline");
    let samples = Arc::new(Mutex::new(Samples::new()));
    let collected = samples.clone();
    pipeline
        .by_name("sink")
        .and_then(|sink| sink.static_pad("sink"))
        .expect("a sink")
        .add_probe(
            gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST,
            move |_, info| {
                collected.lock().expect("no panic").extend(bytes_of(info));
                gst::PadProbeReturn::Ok
            },
        );
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let message = pipeline.bus().expect("a bus").timed_pop_filtered(
        gst::ClockTime::from_seconds(30),
        &[gst::MessageType::Eos, gst::MessageType::Error],
    );
    pipeline.set_state(gst::State::Null).expect("it stops");
    let message = message.expect("the end of the clear media");
    assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
    std::mem::take(&mut *samples.lock().expect("no panic"))
}
