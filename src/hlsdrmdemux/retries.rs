// SPDX-License-Identifier: MIT OR Apache-2.0

//! hlsdemux2 of GStreamer 1.26 and newer asks three times for a playlist that it cannot have, a
//! tenth of a second apart. Where the answer will be the same, that only keeps it from stopping.

use std::sync::Mutex;

use gst::prelude::*;

use crate::wait::lock;

const MAX_RETRIES: &str = "max-retries";

/// What the demuxer's property was before its retries ended.
#[derive(Default)]
pub struct Retries(Mutex<Option<i32>>);

impl Retries {
    /// From now on the demuxer takes a failure for one.
    pub fn end(&self, demuxer: &gst::Element) {
        if !has_retries(demuxer) {
            return;
        }
        let mut before = lock(&self.0);
        if before.is_none() {
            *before = Some(demuxer.property(MAX_RETRIES));
            drop(before);
            demuxer.set_property(MAX_RETRIES, 0);
        }
    }

    /// The demuxer begins anew.
    pub fn restore(&self, demuxer: &gst::Element) {
        let before = lock(&self.0).take();
        if let Some(before) = before.filter(|_| has_retries(demuxer)) {
            demuxer.set_property(MAX_RETRIES, before);
        }
    }
}

fn has_retries(demuxer: &gst::Element) -> bool {
    let property = demuxer.find_property(MAX_RETRIES);
    property.is_some_and(|property| property.value_type() == i32::static_type())
}
