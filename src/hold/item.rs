// SPDX-License-Identifier: MIT OR Apache-2.0

//! What travels in order with the stream.

use gst::prelude::*;

use super::stream::HeldItem;
use crate::value::c_text;

/// What comes of a push.
pub type Flow = Result<gst::FlowSuccess, gst::FlowError>;

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
    /// Whether that is the same buffer, or list of them.
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Item::Buffer(one), Item::Buffer(other)) => one.as_ptr() == other.as_ptr(),
            (Item::List(one), Item::List(other)) => one.as_ptr() == other.as_ptr(),
            _ => false,
        }
    }
}

impl HeldItem for Item {
    fn cost(&self) -> usize {
        OVERHEAD
            + match self {
                Item::Buffer(buffer) => buffer.size(),
                Item::List(list) => list.calculate_size(),
                Item::Event(event) => event.structure().map_or(0, size_of_fields),
            }
    }

    fn is_event(&self) -> bool {
        matches!(self, Item::Event(_))
    }

    fn survives_flush(&self) -> bool {
        match self {
            Item::Buffer(_) | Item::List(_) => false,
            Item::Event(event) => {
                event.is_sticky()
                    && !matches!(event.type_(), gst::EventType::Segment | gst::EventType::Eos)
            }
        }
    }
}

impl Item {
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

/// About how many bytes a structure holds besides itself: init data, a tag's picture, texts.
fn size_of_fields(structure: &gst::StructureRef) -> usize {
    structure
        .iter()
        .map(|(_, value)| size_of_value(value, MAX_DEPTH))
        .fold(0, usize::saturating_add)
}

/// Structures in structures that are looked into.
const MAX_DEPTH: u32 = 4;

fn size_of_value(value: &gst::glib::Value, depth: u32) -> usize {
    let Some(depth) = depth.checked_sub(1) else {
        return 0;
    };
    let sum = |sizes: &mut dyn Iterator<Item = usize>| sizes.fold(0, usize::saturating_add);
    if let Ok(buffer) = value.get::<&gst::BufferRef>() {
        buffer.size()
    } else if let Ok(sample) = value.get::<gst::Sample>() {
        sample.buffer().map_or(0, gst::BufferRef::size)
    } else if let Some(text) = c_text(value) {
        text.to_bytes().len()
    } else if let Ok(tags) = value.get::<gst::TagList>() {
        let values = tags.iter_generic().flat_map(|(_, values)| values);
        sum(&mut values.map(|value| size_of_value(value, depth)))
    } else if let Ok(caps) = value.get::<gst::Caps>() {
        let fields = caps.iter().flat_map(|structure| structure.iter());
        sum(&mut fields.map(|(_, value)| size_of_value(value, depth)))
    } else if let Ok(structure) = value.get::<&gst::StructureRef>() {
        sum(&mut structure
            .iter()
            .map(|(_, value)| size_of_value(value, depth)))
    } else {
        0
    }
}
