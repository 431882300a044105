// SPDX-License-Identifier: MIT OR Apache-2.0

//! What items of a stream say.

use gst::meta::ProtectionMeta;

use crate::cenc::KeyId;
use crate::hold::Item;
use crate::tune::FollowingItem;
use crate::value::c_text;

/// The DRM system that the demuxer has chosen.
pub fn system_of(caps: &gst::CapsRef) -> Option<String> {
    caps.structure(0)?.get("protection-system").ok()
}

/// The id as text, whatever its bytes are: other elements may write what is no UTF-8.
pub fn stream_id(start: &gst::event::StreamStart) -> String {
    let structure = start.structure();
    let id = structure.and_then(|structure| structure.value("stream-id").ok());
    let id = id.and_then(|id| c_text(id));
    id.map_or_else(String::new, |id| id.to_string_lossy().into_owned())
}

pub fn following_item(item: &Item) -> FollowingItem {
    match item {
        Item::Event(event) => match event.type_() {
            gst::EventType::Gap => FollowingItem::Gap,
            gst::EventType::Eos => FollowingItem::End,
            _ => FollowingItem::Other,
        },
        Item::Buffer(buffer) => FollowingItem::Data(key_id(buffer)),
        Item::List(list) => FollowingItem::Data(list.iter().find_map(key_id)),
    }
}

/// The key that a sample needs, as the demuxer says.
fn key_id(sample: &gst::BufferRef) -> Option<KeyId> {
    let meta = sample.meta::<ProtectionMeta>()?;
    let key_id = meta.info().get::<gst::Buffer>("kid").ok()?;
    let key_id = key_id.map_readable().ok()?;
    KeyId::from_slice(&key_id)
}
