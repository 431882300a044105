// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a hold knows: what is held, what the task does, what downstream said.

use std::collections::VecDeque;
use std::thread::ThreadId;

use super::item::Item;
use crate::wait::Woken;

/// Where items go, see [`super`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// To the source pad, on the streaming thread.
    #[default]
    Direct,
    /// Into the queue.
    Waiting,
    /// Nowhere, until the task has emptied the queue.
    Draining,
}

/// A place in the queue.
pub struct Slot {
    /// `None` at the front is a buffer that the task has in its hands. An event stays while it is pushed.
    pub item: Option<Item>,
    /// What the item counts for, also while it is in the task's hands.
    pub cost: usize,
}

impl Slot {
    pub fn is_event(&self) -> bool {
        matches!(self.item, Some(Item::Event(_)))
    }
}

/// All that the threads of one stream share. Every change wakes whoever waits on it.
#[derive(Default)]
pub struct State {
    pub mode: Mode,
    pub queue: VecDeque<Slot>,
    pub held_bytes: usize,
    pub max_held_bytes: usize,
    pub peak_held_bytes: usize,
    pub holds: u32,
    pub active: bool,
    pub flushing: bool,
    /// Counts flushes, so that the task knows whether one came during its push.
    pub flushes: u64,
    /// Counts wake-ups, so that the task knows whether one came while it prepared.
    pub calls: u64,
    pub failed: Option<gst::FlowError>,
    /// What downstream returned to the task and upstream has not been told yet.
    pub unreported: Option<gst::FlowError>,
    /// The source pad has a task.
    pub started: bool,
    /// That has nothing to do any more.
    pub dismissed: bool,
    /// The thread of the task, while it has an item in its hands.
    pub working: Option<ThreadId>,
}

impl State {
    /// Whether an item may pass without a look at the rest.
    pub fn is_direct(&self) -> bool {
        self.mode == Mode::Direct && self.failed.is_none() && self.unreported.is_none()
    }

    /// Drops all that is held.
    pub fn drop_held(&mut self) {
        self.queue.clear();
        self.held_bytes = 0;
    }

    /// Ends the stream.
    pub fn fail(&mut self, flow: gst::FlowError) {
        self.drop_held();
        self.mode = Mode::Direct;
        self.failed = Some(flow);
    }

    /// Drops what a flush drops. Sticky events other than SEGMENT and EOS survive one on a pad
    /// (`gst_pad_send_event_unchecked`) and upstream does not repeat them, so they stay.
    pub fn flush(&mut self) {
        self.keep(|slot| slot.item.as_ref().is_some_and(Item::survives_flush));
    }

    /// Keeps only these of what is held.
    pub fn keep(&mut self, is_kept: impl FnMut(&Slot) -> bool) {
        self.queue.retain(is_kept);
        self.held_bytes = self.queue.iter().map(|slot| slot.cost).sum();
    }

    /// Whether the task is to end.
    pub fn is_dismissed(&self) -> bool {
        !self.active || self.dismissed
    }

    /// Whether no more items are wanted.
    pub fn is_over(&self) -> bool {
        !self.active || self.flushing || self.failed.is_some()
    }

    /// What to return after a wait, instead of going on.
    pub fn verdict(&self, woken: Woken) -> Option<gst::FlowError> {
        if woken != Woken::Ready || !self.active || self.flushing {
            return Some(gst::FlowError::Flushing);
        }
        self.failed
    }

    /// Holds the item behind what is held.
    pub fn push(&mut self, item: Item) {
        let cost = item.cost();
        self.mode = Mode::Waiting;
        self.held_bytes = self.held_bytes.saturating_add(cost);
        self.peak_held_bytes = self.peak_held_bytes.max(self.held_bytes);
        self.queue.push_back(Slot {
            item: Some(item),
            cost,
        });
    }

    /// Drops the front, which has been pushed.
    pub fn pop(&mut self) {
        if let Some(slot) = self.queue.pop_front() {
            self.held_bytes = self.held_bytes.saturating_sub(slot.cost);
        }
        if self.queue.is_empty() {
            self.mode = Mode::Direct;
        }
    }
}
