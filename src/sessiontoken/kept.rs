// SPDX-License-Identifier: MIT OR Apache-2.0

//! The protection events of the current stream, in order of arrival, to be sent again after a token was refused. The pad's
//! sticky events would not do: they keep only the last one of each system and origin, and a stream may have three.

/// Events that are kept. A stream has about seven; with more the oldest are those of keys long gone.
const MAX_EVENTS: usize = 64;

/// The events of one stream.
#[derive(Default)]
pub struct Kept {
    events: Vec<(gst::Event, u32)>,
    /// Counts the times that data came between events.
    group: u32,
}

impl Kept {
    /// A new stream has nothing to do with the one before.
    pub fn clear(&mut self) {
        self.events.clear();
    }

    /// Keeps an event as it came. `after_data` says whether data has passed since the one before.
    ///
    /// Events that come together, with no data between them, are one description of the stream. So the first of an origin
    /// that comes after data takes the place of all that this origin said before: another `moof` with the next keys (`isobmff/moof`),
    /// the same again after a seek. A new init segment (`isobmff/moov`) ends what the fragments of the last one said as well.
    pub fn keep(&mut self, event: &gst::Event, after_data: bool) {
        if after_data {
            self.group = self.group.wrapping_add(1);
        }
        let origin = origin(event);
        let group = self.group;
        self.events.retain(|(kept, of)| {
            let kept = self::origin(kept);
            let is_replaced =
                kept == origin || (origin == Some("isobmff/moov") && kept == Some("isobmff/moof"));
            *of == group || !is_replaced
        });
        if self.events.len() == MAX_EVENTS {
            self.events.remove(0);
        }
        self.events.push((event.clone(), group));
    }

    pub fn events(&self) -> impl Iterator<Item = &gst::Event> {
        self.events.iter().map(|(event, _)| event)
    }
}

fn origin(event: &gst::Event) -> Option<&str> {
    match event.view() {
        gst::EventView::Protection(protection) => protection.origin(),
        _ => None,
    }
}
