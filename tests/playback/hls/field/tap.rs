// SPDX-License-Identifier: MIT OR Apache-2.0

//! What decoders get and what sinks show, so that two players can be compared, in one process or
//! in two.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use gst::prelude::*;
use support::player_harness::bytes_of;

/// A buffer: when it plays, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// In nanoseconds of running time.
    pub time: Option<u64>,
    pub size: usize,
    pub digest: u64,
}

impl Sample {
    fn of(bytes: &[u8], format: &str, time: Option<u64>) -> Self {
        let mut units = match format {
            "byte-stream" => units_of_stream(bytes),
            "avc" => units_of(bytes),
            _ => vec![bytes],
        };
        if ["byte-stream", "avc"].contains(&format) {
            units.retain(|unit| !is_parameter_set(unit));
        }
        Self {
            time,
            size: units.iter().map(|unit| unit.len()).sum(),
            digest: digest(&units),
        }
    }
}

/// The NAL units of a picture, each of which is behind its length in four bytes (ISO/IEC 14496-15).
fn units_of(mut picture: &[u8]) -> Vec<&[u8]> {
    let mut units = Vec::new();
    while let Some((length, rest)) = picture.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let (unit, rest) = rest.split_at(length.min(rest.len()));
        units.push(without_trailing_zeros(unit));
        picture = rest;
    }
    units
}

/// The NAL units of a picture, each of which is behind a start code (ISO/IEC 14496-10, B).
fn units_of_stream(picture: &[u8]) -> Vec<&[u8]> {
    let starts = picture
        .windows(3)
        .enumerate()
        .filter(|(_, three)| *three == [0, 0, 1])
        .map(|(at, _)| at);
    let ends = starts.clone().skip(1).chain([picture.len()]);
    let units = starts
        .zip(ends)
        .map(|(start, end)| &picture[start + 3..end]);
    units.map(without_trailing_zeros).collect()
}

/// Whether that is a sequence or picture parameter set (ISO/IEC 14496-10, 7.4.1). A newer parser
/// repeats them wherever the demuxer brings an init segment again, whatever is in it.
fn is_parameter_set(unit: &[u8]) -> bool {
    unit.first()
        .is_some_and(|head| [7, 8].contains(&(head & 0x1f)))
}

/// Zero bytes behind a NAL unit are no part of it (ISO/IEC 14496-10, B.1.2). A parser leaves them
/// where the stream ends.
fn without_trailing_zeros(unit: &[u8]) -> &[u8] {
    let zeros = unit.iter().rev().take_while(|byte| **byte == 0).count();
    &unit[..unit.len() - zeros]
}

fn digest(slices: &[&[u8]]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for slice in slices {
        hasher.write_usize(slice.len());
        hasher.write(slice);
    }
    hasher.finish()
}

/// Where a buffer passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A decoder, by what it decodes.
    DecoderOf(Medium),
    Sink(Medium),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Medium {
    Picture,
    Sound,
}

impl Place {
    const ALL: [Self; 4] = [
        Place::DecoderOf(Medium::Picture),
        Place::DecoderOf(Medium::Sound),
        Place::Sink(Medium::Picture),
        Place::Sink(Medium::Sound),
    ];

    fn name(self) -> &'static str {
        match self {
            Place::DecoderOf(Medium::Picture) => "decoder-picture",
            Place::DecoderOf(Medium::Sound) => "decoder-sound",
            Place::Sink(Medium::Picture) => "sink-picture",
            Place::Sink(Medium::Sound) => "sink-sound",
        }
    }
}

/// All that passed, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed(BTreeMap<Place, Vec<Sample>>);

impl Passed {
    pub fn at(&self, place: Place) -> &[Sample] {
        self.0.get(&place).map(Vec::as_slice).unwrap_or_default()
    }

    /// How many buffers came to the decoders of pictures and sounds.
    pub fn counts(&self) -> [usize; 2] {
        [Medium::Picture, Medium::Sound].map(|medium| self.at(Place::DecoderOf(medium)).len())
    }

    /// The first thing that differs from the other, if anything does.
    pub fn difference(&self, other: &Self) -> Option<String> {
        Place::ALL.into_iter().find_map(|place| {
            let (ours, theirs) = (self.at(place), other.at(place));
            let name = place.name();
            if ours.len() != theirs.len() {
                return Some(format!(
                    "{name}: {} buffers, not {}",
                    ours.len(),
                    theirs.len()
                ));
            }
            let differs = |one: &Sample, other: &Sample| match place {
                // A decoder that begins anew, as where keys change, has no frame before its first.
                Place::Sink(Medium::Sound) => (one.time, one.size) != (other.time, other.size),
                // playbin scales what comes later to the size of what came first, or does not.
                Place::Sink(Medium::Picture) if one.size != other.size => one.time != other.time,
                _ => one != other,
            };
            let mut pairs = ours.iter().zip(theirs).enumerate();
            let (number, (one, other)) = pairs.find(|(_, (one, other))| differs(one, other))?;
            let count = ours.len();
            Some(format!(
                "{name}: buffer {number} of {count} is {one:?}, not {other:?}"
            ))
        })
    }

    /// A line a buffer.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (place, samples) in &self.0 {
            for sample in samples {
                let time = sample
                    .time
                    .map_or("none".to_owned(), |time| time.to_string());
                let name = place.name();
                writeln!(text, "{name} {time} {} {}", sample.size, sample.digest).expect("memory");
            }
        }
        text
    }

    pub fn from_text(text: &str) -> Option<Self> {
        let mut passed = Self::default();
        for line in text.lines() {
            let mut words = line.split(' ');
            let name = words.next()?;
            let place = Place::ALL.into_iter().find(|place| place.name() == name)?;
            let time = words.next()?;
            let sample = Sample {
                time: match time {
                    "none" => None,
                    time => Some(time.parse().ok()?),
                },
                size: words.next()?.parse().ok()?,
                digest: words.next()?.parse().ok()?,
            };
            passed.0.entry(place).or_default().push(sample);
        }
        Some(passed)
    }
}

/// Collects what passes in a player.
#[derive(Clone, Default)]
pub struct Tap(Arc<Collected>);

#[derive(Default)]
struct Collected {
    passed: Mutex<Passed>,
    changed: Condvar,
}

impl Tap {
    /// Watches a player that has not begun.
    pub fn on(pipeline: &gst::Pipeline) -> Self {
        let tap = Self::default();
        for element in pipeline.iterate_recurse() {
            tap.watch(&element.expect("nothing changes yet"));
        }
        let later = tap.clone();
        pipeline.connect_deep_element_added(move |_, _, element| later.watch(element));
        tap
    }

    pub fn passed(&self) -> Passed {
        self.0.passed.lock().expect("no panic").clone()
    }

    /// Forgets what has passed.
    pub fn forget(&self) {
        *self.0.passed.lock().expect("no panic") = Passed::default();
    }

    /// Waits until what has passed is as the predicate wants it.
    #[track_caller]
    pub fn wait_for(&self, limit: Duration, satisfied: impl Fn(&Passed) -> bool) {
        let passed = self.0.passed.lock().expect("no panic");
        let waited = self
            .0
            .changed
            .wait_timeout_while(passed, limit, |passed| !satisfied(passed));
        let (passed, waited) = waited.expect("no panic");
        assert!(
            !waited.timed_out(),
            "only {:?} pictures and sounds came",
            passed.counts()
        );
    }

    fn watch(&self, element: &gst::Element) {
        let Some(factory) = element.factory() else {
            return;
        };
        let is_decoder = factory.has_type(gst::ElementFactoryType::DECODER)
            && !factory.has_type(gst::ElementFactoryType::DECRYPTOR);
        let is_sink = factory.name() == "fakesink";
        if !is_decoder && !is_sink || element.is::<gst::Bin>() {
            return;
        }
        let Some(pad) = element.static_pad("sink") else {
            return;
        };
        let tap = self.clone();
        let types = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
        pad.add_probe(types, move |pad, info| {
            tap.take(pad, info, is_sink);
            gst::PadProbeReturn::Ok
        });
    }

    fn take(&self, pad: &gst::Pad, info: &gst::PadProbeInfo, is_sink: bool) {
        let caps = pad.current_caps().expect("caps come before buffers");
        let structure = caps.structure(0).expect("fixed caps");
        let name = structure.name();
        let format = structure.get::<String>("stream-format").unwrap_or_default();
        let medium = match name.starts_with("video/") {
            true => Medium::Picture,
            false => Medium::Sound,
        };
        let place = match is_sink {
            true => Place::Sink(medium),
            false => Place::DecoderOf(medium),
        };
        let times = match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => vec![running_time(pad, buffer)],
            Some(gst::PadProbeData::BufferList(list)) => list
                .iter()
                .map(|buffer| running_time(pad, buffer))
                .collect(),
            _ => Vec::new(),
        };
        let mut passed = self.0.passed.lock().expect("no panic");
        let samples = passed.0.entry(place).or_default();
        for (bytes, time) in bytes_of(info).iter().zip(times) {
            samples.push(Sample::of(bytes, &format, time));
        }
        drop(passed);
        self.0.changed.notify_all();
    }
}

/// When a buffer plays.
fn running_time(pad: &gst::Pad, buffer: &gst::BufferRef) -> Option<u64> {
    let segment = pad.sticky_event::<gst::event::Segment>(0)?;
    let segment = segment.segment().downcast_ref::<gst::ClockTime>()?;
    segment
        .to_running_time(buffer.pts())
        .map(|time| time.nseconds())
}
