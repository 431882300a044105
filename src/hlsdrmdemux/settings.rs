// SPDX-License-Identifier: MIT OR Apache-2.0

//! The properties, completed from context and environment.

use std::collections::HashSet;

use gst::glib;
use gst::prelude::*;
use once_cell::sync::Lazy;

use crate::config::settings_for;
use crate::failure::Failure;

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
    /// Names of those that were set on the element, which contexts and environment do not change.
    explicit: HashSet<String>,
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

    /// Sets a property from the application.
    pub fn set(&mut self, name: &str, value: &glib::Value) {
        self.explicit.insert(name.to_owned());
        self.apply(name, value);
    }

    fn apply(&mut self, name: &str, value: &glib::Value) {
        match name {
            "demuxer" => self.demuxer = value.get().unwrap_or_default(),
            _ => self.connection_speed = value.get().unwrap_or_default(),
        }
    }

    pub fn get(&self, name: &str) -> glib::Value {
        match name {
            "demuxer" => self.demuxer.to_value(),
            _ => self.connection_speed.to_value(),
        }
    }

    /// These settings, completed from context and environment.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, with the name of the field that is wrong.
    pub fn completed(
        &self,
        element: &glib::Object,
        context: Option<&gst::Context>,
    ) -> Result<Self, Failure> {
        let mut settings = self.clone();
        for (name, value) in settings_for(element, &self.explicit, context)? {
            settings.apply(&name, &value);
        }
        Ok(settings)
    }
}
