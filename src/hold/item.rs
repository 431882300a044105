// SPDX-License-Identifier: MIT OR Apache-2.0

//! What travels in order with the stream.

use gst::prelude::*;

use super::Flow;

/// What an item costs besides its bytes, so that a stream of nothing but events is bounded too.
/// About what an event with its structure takes.
const OVERHEAD: usize = 512;

/// One serialized item of a stream.
#[derive(Clone, Debug)]
pub enum Item {
    Buffer(gst::Buffer),
    List(gst::BufferList),
    Event(gst::Event),
}

impl Item {
    /// What it counts for against the bound on held data, in bytes.
    pub(super) fn cost(&self) -> usize {
        OVERHEAD
            + match self {
                Item::Buffer(buffer) => buffer.size(),
                Item::List(list) => list.calculate_size(),
                Item::Event(_) => 0,
            }
    }

    pub(super) fn survives_flush(&self) -> bool {
        match self {
            Item::Buffer(_) | Item::List(_) => false,
            Item::Event(event) => {
                event.is_sticky()
                    && !matches!(event.type_(), gst::EventType::Segment | gst::EventType::Eos)
            }
        }
    }

    /// An event that nobody took counts as an error.
    pub(super) fn push(self, srcpad: &gst::Pad) -> Flow {
        match self {
            Item::Buffer(buffer) => srcpad.push(buffer),
            Item::List(list) => srcpad.push_list(list),
            Item::Event(event) => {
                if srcpad.push_event(event) {
                    Ok(gst::FlowSuccess::Ok)
                } else {
                    Err(gst::FlowError::Error)
                }
            }
        }
    }
}
