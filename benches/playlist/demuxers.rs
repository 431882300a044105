// SPDX-License-Identifier: MIT OR Apache-2.0

//! Demuxers as contestants, and a pipeline around one of them.

use std::time::Duration;

use gst::prelude::*;

/// Far longer than anything here takes.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Ours.
pub const HLSDRMDEMUX: &str = "hlsdrmdemux";

/// Those of GStreamer's.
pub const STOCK: [&str; 2] = ["hlsdemux", "hlsdemux2"];

/// Which key tags the playlist has that a demuxer plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tags {
    /// None, as stock demuxers want it.
    None,
    /// Those of one key.
    OneKey,
    /// Those of key after key.
    ManyKeys,
}

/// Who plays what. The segments are the same, and in the clear, so that no decryptor is measured.
#[derive(Clone, Copy)]
pub struct Entrant {
    /// The demuxer of GStreamer's, or that inside.
    pub inside: &'static str,
    /// By itself, or inside of ours.
    pub is_ours: bool,
    pub tags: Tags,
}

impl Entrant {
    /// For each demuxer of GStreamer's: itself, and in ours with the same and with what it cannot
    /// play.
    pub fn all() -> Vec<Self> {
        let entrants = [
            (false, Tags::None),
            (true, Tags::None),
            (true, Tags::OneKey),
            (true, Tags::ManyKeys),
        ];
        let of = |inside| {
            entrants.map(|(is_ours, tags)| Self {
                inside,
                is_ours,
                tags,
            })
        };
        STOCK.into_iter().flat_map(of).collect()
    }

    pub fn demuxer(self) -> &'static str {
        match self.is_ours {
            true => HLSDRMDEMUX,
            false => self.inside,
        }
    }

    /// How a row of a table begins. `many` says how often the key changes where it does.
    pub fn name(self, many: &str) -> String {
        let tags = match self.tags {
            Tags::None => "no key tags",
            Tags::OneKey => "one key",
            Tags::ManyKeys => many,
        };
        match self.is_ours {
            true => format!("{HLSDRMDEMUX} with {} inside, {tags}", self.inside),
            false => format!("{} alone, {tags}", self.inside),
        }
    }
}

/// A pipeline that demuxes what is at this URI. `added` gets each stream's pad, which ends in a
/// sink. `is_live` has that take each buffer at its time.
pub fn pipeline(
    demuxer: &str,
    inside: &str,
    uri: &str,
    is_live: bool,
    added: impl Fn(&gst::Pad) + Send + Sync + 'static,
) -> gst::Pipeline {
    let pipeline = gst::Pipeline::new();
    // Else the newer one does not start.
    pipeline.set_bin_flags(gst::BinFlags::STREAMS_AWARE);
    let source = gst::ElementFactory::make("souphttpsrc")
        .property("location", uri)
        .build()
        .expect("souphttpsrc is there");
    let element = gst::ElementFactory::make(demuxer);
    let element = match demuxer {
        HLSDRMDEMUX => element.property_from_str("demuxer", inside),
        _ => element,
    };
    let element = element.build().expect("the demuxer is there");
    pipeline
        .add_many([&source, &element])
        .expect("new elements");
    source.link(&element).expect("they fit");
    let weak = pipeline.downgrade();
    element.connect_pad_added(move |_, pad| {
        let Some(pipeline) = weak.upgrade() else {
            return;
        };
        added(pad);
        let sink = gst::ElementFactory::make("fakesink")
            .property("sync", is_live)
            // The newer demuxer has one thread for all streams, which would wait here for the first
            // buffers of the others.
            .property("async", false)
            .build()
            .expect("fakesink is there");
        pipeline.add(&sink).expect("a new element");
        sink.sync_state_with_parent().expect("it goes along");
        let end = sink.static_pad("sink").expect("a sink pad");
        pad.link(&end).expect("they fit");
    });
    pipeline
}

/// GStreamer with our plugin.
pub fn init() {
    gst::init().expect("GStreamer starts");
    gstsessiontoken::plugin_register_static().expect("the plugin registers");
}

/// Panics if the pipeline has failed.
pub fn check(pipeline: &gst::Pipeline) {
    let bus = pipeline.bus().expect("a bus");
    let error = bus.pop_filtered(&[gst::MessageType::Error]);
    assert!(error.is_none(), "{error:?}");
}

/// Plays to the end. Panics where there is none.
pub fn play_to_end(pipeline: &gst::Pipeline) {
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let message = pipeline.bus().expect("a bus").timed_pop_filtered(
        gst::ClockTime::try_from(PATIENCE).expect("seconds"),
        &[gst::MessageType::Eos, gst::MessageType::Error],
    );
    let message = message.expect("its end");
    assert_eq!(message.type_(), gst::MessageType::Eos, "{message:?}");
}
