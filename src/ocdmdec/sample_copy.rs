// SPDX-License-Identifier: MIT OR Apache-2.0

//! Samples as CDMs want them, and their way back into what came.

use crate::hold::Item;

/// These in the place of what the item holds.
pub fn repacked(item: &Item, buffers: Vec<gst::Buffer>) -> Item {
    match item {
        Item::List(_) => Item::List(buffers.into_iter().collect()),
        _ => buffers
            .into_iter()
            .next()
            .map_or_else(|| item.clone(), Item::Buffer),
    }
}

/// A buffer as CDMs want it: of one memory, that nobody else has, with all that belongs to it.
pub fn for_cdm(buffer: &gst::BufferRef) -> Result<gst::Buffer, &'static str> {
    let unreadable = "a sample cannot be mapped";
    let bytes = buffer.map_readable().map_err(|_| unreadable)?;
    let mut copy = gst::Buffer::with_size(bytes.len()).map_err(|_| "there is no memory left")?;
    let target = copy.make_mut();
    target.copy_from_slice(0, &bytes).map_err(|_| unreadable)?;
    let what =
        gst::BufferCopyFlags::FLAGS | gst::BufferCopyFlags::TIMESTAMPS | gst::BufferCopyFlags::META;
    buffer
        .copy_into(target, what, ..)
        .map_err(|_| "a sample's metadata cannot be copied")?;
    Ok(copy)
}

/// What the item holds.
pub fn buffers_of(item: &Item) -> Vec<gst::Buffer> {
    match item {
        Item::Buffer(buffer) => vec![buffer.clone()],
        Item::List(list) => list.iter_owned().collect(),
        Item::Event(_) => Vec::new(),
    }
}
