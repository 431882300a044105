// SPDX-License-Identifier: MIT OR Apache-2.0

//! The properties.

use gst::glib;
use gst::prelude::*;
use once_cell::sync::Lazy;

use crate::config::Configured;

/// Which of GStreamer's demuxers is inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstHlsDrmDemuxDemuxer")]
#[repr(i32)]
pub enum Demuxer {
    #[default]
    #[enum_value(
        name = "The one that fits where this element is plugged",
        nick = "auto"
    )]
    Auto,
    #[enum_value(name = "The older one, for playbin and decodebin", nick = "hlsdemux")]
    HlsDemux,
    #[enum_value(
        name = "The newer one, of GStreamer 1.22, for playbin3 and urisourcebin",
        nick = "hlsdemux2"
    )]
    HlsDemux2,
}

impl Demuxer {
    /// The factory's name. `takes_streams` says that whoever is around takes parsed streams of the demuxer's choice.
    pub fn factory(self, takes_streams: bool) -> &'static str {
        let has_newer = || gst::ElementFactory::find("hlsdemux2").is_some();
        match self {
            Demuxer::HlsDemux => "hlsdemux",
            Demuxer::HlsDemux2 => "hlsdemux2",
            Demuxer::Auto if takes_streams && has_newer() => "hlsdemux2",
            Demuxer::Auto => "hlsdemux",
        }
    }
}

/// The properties as they were set.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub demuxer: Demuxer,
    /// In kbit/s, 0 to measure it.
    pub connection_speed: u32,
}

impl Settings {
    pub fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: Lazy<Vec<glib::ParamSpec>> = Lazy::new(|| {
            vec![
                glib::ParamSpecUInt::builder("connection-speed")
                    .nick("Connection speed")
                    .blurb("Network connection speed to use in kbit/s (0: measure it)")
                    .maximum(u32::MAX / 1000)
                    .mutable_playing()
                    .build(),
                glib::ParamSpecEnum::builder::<Demuxer>("demuxer")
                    .nick("Demuxer")
                    .blurb("Which of GStreamer's demuxers is inside")
                    .mutable_ready()
                    .build(),
            ]
        });
        PROPERTIES.as_ref()
    }

    pub fn get(&self, name: &str) -> glib::Value {
        match name {
            "demuxer" => self.demuxer.to_value(),
            _ => self.connection_speed.to_value(),
        }
    }
}

impl Configured for Settings {
    fn apply(&mut self, name: &str, value: &glib::Value) {
        match name {
            "demuxer" => self.demuxer = value.get().unwrap_or_default(),
            _ => self.connection_speed = value.get().unwrap_or_default(),
        }
    }
}
