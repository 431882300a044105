// SPDX-License-Identifier: MIT OR Apache-2.0

//! What an element has that holds its stream, and what it says of each item.

use std::sync::Mutex;
use std::task::Waker;
use std::time::Instant;

use gst::prelude::*;
use gst::subclass::prelude::*;

use super::core::{Core, Figures};
use super::item::Item;
use super::watch::Watch;

/// Default of the property `max-held-bytes`: five seconds of a 25 Mbit/s stream, which is as long
/// as a request may take by default.
pub const DEFAULT_MAX_HELD_BYTES: u64 = 16 * 1024 * 1024;

/// What became of an item.
pub enum Prepared {
    /// Push this, which may be another one than came in.
    Push(Item),
    /// Push these at once, and then prepare it.
    After(Vec<gst::Event>, Item),
    /// It was for this element only.
    Consumed,
    /// It cannot be pushed yet. The element has registered [`Hold::waker`] for what it waits for,
    /// and wants to be asked again when woken or at that time.
    NotYet(Item, Instant),
    /// The stream ends here; the element has posted why.
    Fail(gst::FlowError),
}

/// An element with one sink pad and one source pad that holds what it cannot push yet.
pub trait Holding: ElementImpl
where
    Self::Type: IsA<gst::Element>,
{
    fn hold(&self) -> &Hold;

    fn srcpad(&self) -> &gst::Pad;

    /// An item comes, on the streaming thread and before everything else; it may be held behind
    /// others before it is prepared.
    fn item_arrived(&self, _item: &Item) {}

    /// Whether more has to come before anything that is held can go, so that nothing waits for
    /// room.
    fn needs_more_input(&self) -> bool {
        false
    }

    /// Makes an item ready for pushing. Called in order, on one thread at a time, without a lock;
    /// must not block. An item may come again after [`Prepared::NotYet`].
    fn prepare(&self, item: Item) -> Prepared;

    /// Events of [`Prepared::After`] were lost in a flush.
    fn events_were_flushed(&self) {}

    /// Whether the element answers this query from upstream.
    fn sink_query(&self, _query: &mut gst::QueryRef) -> bool {
        false
    }

    /// Whether the element answers this query from downstream.
    fn src_query(&self, _query: &mut gst::QueryRef) -> bool {
        false
    }

    /// The answer, where the element keeps this event from downstream to itself.
    fn src_event(&self, _event: &gst::Event) -> Option<bool> {
        None
    }
}

/// One stream's hold, between a sink pad and a source pad.
#[derive(Default)]
pub struct Hold {
    pub(super) core: Core<Item, gst::FlowError>,
    pub(super) watch: Mutex<Option<Watch>>,
}

impl Hold {
    /// To be registered with whatever an element waits for.
    pub fn waker(&self) -> &Waker {
        self.core.waker()
    }

    /// Whether items are held, so that nothing may overtake them.
    pub fn is_holding(&self) -> bool {
        self.core.is_holding()
    }

    pub fn figures(&self) -> Figures {
        self.core.figures()
    }

    /// The most that is held, in bytes. Takes effect at once.
    pub fn set_max_held_bytes(&self, max: u64) {
        self.core.set_max_held_bytes(max);
    }

    /// To be called when the element is in READY and no streaming thread is left. One that was
    /// about to start the task while the source pad was deactivated has started it by now.
    pub fn end(&self, srcpad: &gst::Pad) {
        // Without a task there is nothing to stop.
        let _ = srcpad.stop_task();
    }
}
