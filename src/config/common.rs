// SPDX-License-Identifier: MIT OR Apache-2.0

//! The properties that every element has which asks a server and holds its stream meanwhile.

use std::time::Duration;

use gst::glib;
use gst::prelude::*;

use crate::hold::DEFAULT_MAX_HELD_BYTES;

/// As long as AAMP waits for its token, in milliseconds.
const DEFAULT_TIMEOUT: u32 = 5000;

/// The common properties as they were set.
#[derive(Clone)]
pub struct Common {
    timeout: u32,
    pub max_held_bytes: u64,
    pub allow_cleartext: bool,
}

impl Default for Common {
    fn default() -> Self {
        Self {
            timeout: DEFAULT_TIMEOUT,
            max_held_bytes: DEFAULT_MAX_HELD_BYTES,
            allow_cleartext: false,
        }
    }
}

impl Common {
    pub fn properties() -> Vec<glib::ParamSpec> {
        vec![
            glib::ParamSpecUInt::builder("timeout")
                .nick("Timeout")
                .blurb("Milliseconds for an answer from the server, all in all")
                .minimum(1)
                .default_value(DEFAULT_TIMEOUT)
                .mutable_ready()
                .build(),
            glib::ParamSpecUInt64::builder("max-held-bytes")
                .nick("Max held bytes")
                .blurb("How much of the stream is held while it waits for the answer, before upstream has to wait")
                .default_value(DEFAULT_MAX_HELD_BYTES)
                .mutable_ready()
                .build(),
            glib::ParamSpecBoolean::builder("allow-cleartext")
                .nick("Allow cleartext")
                .blurb("Allow http to other hosts than this one")
                .default_value(false)
                .mutable_ready()
                .build(),
        ]
    }

    /// Takes the value of one of these properties, which has the property's type.
    pub fn apply(&mut self, name: &str, value: &glib::Value) {
        match name {
            "timeout" => self.timeout = value.get().unwrap_or(DEFAULT_TIMEOUT),
            "max-held-bytes" => {
                self.max_held_bytes = value.get().unwrap_or(DEFAULT_MAX_HELD_BYTES);
            }
            "allow-cleartext" => self.allow_cleartext = value.get().unwrap_or(false),
            _ => {}
        }
    }

    /// The value of one of these properties. GObject asks for no others.
    pub fn get(&self, name: &str) -> glib::Value {
        match name {
            "timeout" => self.timeout.to_value(),
            "max-held-bytes" => self.max_held_bytes.to_value(),
            _ => self.allow_cleartext.to_value(),
        }
    }

    pub fn timeout(&self) -> Duration {
        Duration::from_millis(u64::from(self.timeout))
    }
}

/// The text of a string property; an empty one is as good as none.
pub fn text(value: &glib::Value) -> Option<String> {
    value
        .get::<Option<String>>()
        .ok()
        .flatten()
        .filter(|text| !text.is_empty())
}
