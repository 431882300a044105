// SPDX-License-Identifier: MIT OR Apache-2.0

//! The protection events of a stream in their order of arrival, to be sent again after a token was
//! rejected. The pad's sticky events would not do: they keep only the last one of each system and
//! origin, and a stream may have three.

/// A stream has about seven; with more the oldest are those of keys long gone.
const MAX_EVENTS: usize = 64;

/// Origin of what a new init segment says.
const INIT_SEGMENT: &str = "isobmff/moov";

/// Origin of what a fragment says.
const FRAGMENT: &str = "isobmff/moof";

/// The events of one stream.
pub struct EventReplay<E> {
    events: Vec<Entry<E>>,
    /// Counts the times that data came between events.
    group: u32,
}

struct Entry<E> {
    event: E,
    origin: Option<String>,
    group: u32,
}

impl<E> Default for EventReplay<E> {
    fn default() -> Self {
        Self {
            events: Vec::new(),
            group: 0,
        }
    }
}

impl<E: Clone> EventReplay<E> {
    /// A new stream has nothing to do with the one before.
    pub fn clear(&mut self) {
        self.events.clear();
    }

    /// Records an event as it came. `after_data` says whether data has passed since the one before.
    ///
    /// Events that come together, with no data between them, are one description of the stream. So
    /// the first of an origin that comes after data replaces all that this origin said before:
    /// another `moof` with the next keys, the same again after a seek. A new init segment ends what
    /// the fragments of the last one said as well.
    pub fn add(&mut self, event: E, origin: Option<&str>, after_data: bool) {
        if after_data {
            self.group = self.group.wrapping_add(1);
        }
        let group = self.group;
        self.events.retain(|entry| {
            let known = entry.origin.as_deref();
            let is_replaced =
                known == origin || (origin == Some(INIT_SEGMENT) && known == Some(FRAGMENT));
            entry.group == group || !is_replaced
        });
        if self.events.len() == MAX_EVENTS {
            self.events.remove(0);
        }
        self.events.push(Entry {
            event,
            origin: origin.map(str::to_owned),
            group,
        });
    }

    pub fn events(&self) -> Vec<E> {
        self.events
            .iter()
            .map(|entry| entry.event.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MPD: Option<&str> = Some("dash/mpd");

    /// Events are (name, origin, whether data came before).
    fn replayed(events: &[(&'static str, Option<&str>, bool)]) -> Vec<&'static str> {
        let mut replay = EventReplay::default();
        for (event, origin, after_data) in events {
            replay.add(*event, *origin, *after_data);
        }
        replay.events()
    }

    #[test]
    fn events_of_one_description_stay_in_order() {
        let events = [
            ("a", MPD, false),
            ("b", MPD, false),
            ("c", Some(INIT_SEGMENT), false),
        ];
        assert_eq!(replayed(&events), ["a", "b", "c"]);
    }

    #[test]
    fn next_fragment_replaces_the_one_before() {
        let events = [
            ("init", Some(INIT_SEGMENT), false),
            ("first", Some(FRAGMENT), false),
            ("second", Some(FRAGMENT), true),
            ("and", Some(FRAGMENT), false),
        ];
        assert_eq!(replayed(&events), ["init", "second", "and"]);
    }

    #[test]
    fn new_init_segment_ends_what_fragments_said() {
        let events = [
            ("mpd", MPD, false),
            ("init", Some(INIT_SEGMENT), false),
            ("fragment", Some(FRAGMENT), false),
            ("next", Some(INIT_SEGMENT), true),
        ];
        assert_eq!(replayed(&events), ["mpd", "next"]);
    }

    #[test]
    fn number_of_events_is_bounded() {
        let mut replay = EventReplay::default();
        for number in 0..1000 {
            replay.add(number, None, false);
        }
        let events = replay.events();
        assert_eq!(events.len(), MAX_EVENTS);
        assert_eq!(events.last(), Some(&999));
    }
}
