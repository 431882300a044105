// SPDX-License-Identifier: MIT OR Apache-2.0

//! An element, or none, between two pads.

use gst::prelude::*;
use headend::{Headend, VIDEO_KEY_ID};

use crate::{rig, samples};

/// A stream in its middle.
pub struct PadHarness {
    upstream: gst::Pad,
    element: Option<gst::Element>,
    /// Kept alive.
    _downstream: gst::Pad,
}

impl PadHarness {
    /// Begins a stream through the element.
    pub fn around(element: Option<gst::Element>) -> Self {
        let upstream = gst::Pad::builder(gst::PadDirection::Src).build();
        let downstream = gst::Pad::builder(gst::PadDirection::Sink)
            .chain_function(|_, _, _| Ok(gst::FlowSuccess::Ok))
            .chain_list_function(|_, _, _| Ok(gst::FlowSuccess::Ok))
            .event_function(|_, _, _| true)
            .build();
        for pad in [&upstream, &downstream] {
            pad.set_active(true).expect("it is active");
        }
        match &element {
            None => {
                upstream.link(&downstream).expect("linked");
            }
            Some(element) => {
                let pad = |name| element.static_pad(name).expect("it has it");
                upstream.link(&pad("sink")).expect("linked");
                pad("src").link(&downstream).expect("linked");
                element.set_state(gst::State::Playing).expect("it plays");
            }
        }
        let harness = Self {
            upstream,
            element,
            _downstream: downstream,
        };
        for event in [rig::stream_start(), rig::caps_event(), rig::segment()] {
            harness.push_event(event);
        }
        harness
    }

    /// A stream through a `clearkeydec` that has the key of the picture.
    pub fn with_key(headend: &Headend) -> Self {
        let element = samples::clearkeydec(headend).build().expect("it is there");
        let harness = Self::around(Some(element));
        let token = format!("Bearer {}", headend.token());
        let headers = [("Authorization", token.as_str())];
        harness.push_event(samples::event_with_headers(&[VIDEO_KEY_ID], &headers));
        // The license is fetched now.
        harness.push_buffer(samples::picture());
        harness.wait_until_direct();
        harness
    }

    /// The element, where there is one.
    pub fn element(&self) -> &gst::Element {
        self.element.as_ref().expect("there is one")
    }

    /// Pushes an event, which must be taken.
    pub fn push_event(&self, event: gst::Event) {
        assert!(self.upstream.push_event(event), "the event is taken");
    }

    /// Pushes a buffer, which must be taken.
    pub fn push_buffer(&self, buffer: gst::Buffer) {
        self.upstream.push(buffer).expect("the buffer is taken");
    }

    /// Pushes a list, which must be taken.
    pub fn push_list(&self, list: gst::BufferList) {
        self.upstream.push_list(list).expect("the list is taken");
    }

    /// Until what was held has been pushed: the end waits for it. A flush begins the stream anew.
    pub fn wait_until_direct(&self) {
        self.push_event(gst::event::Eos::new());
        self.push_event(gst::event::FlushStart::new());
        self.push_event(gst::event::FlushStop::new(true));
        self.push_event(rig::segment());
    }
}

impl Drop for PadHarness {
    fn drop(&mut self) {
        if let Some(element) = &self.element {
            element.set_state(gst::State::Null).expect("it stops");
        }
    }
}
