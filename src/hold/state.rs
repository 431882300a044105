// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a hold knows: what is held, what the task does, what downstream said.

use std::collections::VecDeque;

use super::stream::HeldItem;
use crate::sync::thread::ThreadId;

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
pub struct Slot<I> {
    /// `None` at the front is data that the task has in its hands. An event stays while it is
    /// pushed.
    pub item: Option<I>,
    /// What the item counts for, also while it is in the task's hands.
    pub cost: usize,
}

/// All that the threads of one stream share. Every change wakes whoever waits on it.
pub struct State<I, E> {
    pub mode: Mode,
    pub queue: VecDeque<Slot<I>>,
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
    pub failed: Option<E>,
    /// What downstream returned to the task and upstream has not been told yet.
    pub unreported: Option<E>,
    /// The source pad has a task.
    pub started: bool,
    /// That has nothing to do any more.
    pub dismissed: bool,
    /// The thread of the task, while it has an item in its hands.
    pub working: Option<ThreadId>,
}

impl<I, E> Default for State<I, E> {
    fn default() -> Self {
        Self {
            mode: Mode::Direct,
            queue: VecDeque::new(),
            held_bytes: 0,
            max_held_bytes: 0,
            peak_held_bytes: 0,
            holds: 0,
            active: false,
            flushing: false,
            flushes: 0,
            calls: 0,
            failed: None,
            unreported: None,
            started: false,
            dismissed: false,
            working: None,
        }
    }
}

impl<I: HeldItem, E: Copy> State<I, E> {
    /// Whether an item may pass without a look at the rest.
    pub fn is_direct(&self) -> bool {
        self.mode == Mode::Direct && self.failed.is_none() && self.unreported.is_none()
    }

    /// Begins anew. Wake-ups and flushes are counted on: who counts them may have begun before.
    pub fn activate(&mut self) {
        *self = Self {
            active: true,
            max_held_bytes: self.max_held_bytes,
            flushes: self.flushes,
            calls: self.calls,
            ..Self::default()
        };
    }

    /// Drops all that is held.
    pub fn drop_held(&mut self) {
        self.queue.clear();
        self.held_bytes = 0;
    }

    /// Ends the stream.
    pub fn fail(&mut self, error: E) {
        self.drop_held();
        self.mode = Mode::Direct;
        self.failed = Some(error);
    }

    /// A flush begins, which drops what is held. Sticky events other than SEGMENT and EOS survive
    /// one on a pad (`gst_pad_send_event_unchecked`) and upstream does not repeat them, so they
    /// stay.
    pub fn begin_flush(&mut self) {
        self.flushing = true;
        self.flushes += 1;
        self.keep(|slot| slot.item.as_ref().is_some_and(I::survives_flush));
    }

    /// The flush is over: what stayed is pushed next.
    pub fn end_flush(&mut self) {
        self.flushing = false;
        self.unreported = None;
        self.mode = match self.queue.is_empty() {
            true => Mode::Direct,
            false => Mode::Waiting,
        };
    }

    /// Keeps only these of what is held.
    fn keep(&mut self, is_kept: impl FnMut(&Slot<I>) -> bool) {
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

    /// What to answer where no more items are wanted.
    pub fn end(&self, flushing: E) -> Option<E> {
        if !self.active || self.flushing {
            return Some(flushing);
        }
        self.failed
    }

    /// Whether an item of that cost may be held. Where nothing but one item has to wait, one that
    /// is larger than the bound is held all the same.
    pub fn has_room(&self, cost: usize) -> bool {
        self.held_bytes == 0 || self.held_bytes.saturating_add(cost) <= self.max_held_bytes
    }

    /// Holds the item behind what is held.
    pub fn push(&mut self, item: I) {
        let cost = item.cost();
        self.mode = Mode::Waiting;
        self.held_bytes = self.held_bytes.saturating_add(cost);
        self.peak_held_bytes = self.peak_held_bytes.max(self.held_bytes);
        self.queue.push_back(Slot {
            item: Some(item),
            cost,
        });
    }

    /// The item at the front, for the task. An event stays in its place, in case a flush sweeps
    /// over the queue while it is pushed. Data leaves it: a second reference would make it
    /// read-only for downstream.
    pub fn take_front(&mut self) -> Option<I> {
        let front = &mut self.queue.front_mut()?.item;
        match front {
            Some(item) if item.is_event() => Some(item.clone()),
            _ => front.take(),
        }
    }

    /// The item cannot be pushed yet.
    pub fn put_back(&mut self, flushes: u64, item: I) {
        if self.flushes != flushes || !self.active {
            return;
        }
        self.mode = Mode::Waiting;
        if let Some(slot) = self.queue.front_mut() {
            slot.item.get_or_insert(item);
        }
    }

    /// The task has pushed the item at the front, with that answer.
    pub fn pushed(&mut self, pushed: Pushed, answer: Result<(), E>) {
        // Whoever sees that nothing is held may end the task.
        self.working = None;
        if self.flushes != pushed.flushes {
            // A flush came meanwhile. What survives one is still at the front: it goes again where
            // it found the source pad flushing, and is done where it reached it.
            if pushed.survives_flush && answer.is_ok() && !self.queue.is_empty() {
                self.pop();
            }
            return;
        }
        self.pop();
        if let Err(error) = answer
            && !pushed.is_event
        {
            // Downstream wants no more of this; what describes the stream still goes, and upstream
            // is told with its next data.
            self.keep(|slot| slot.item.as_ref().is_some_and(I::is_event));
            self.unreported = Some(error);
            if self.queue.is_empty() {
                self.mode = Mode::Direct;
            }
        }
    }

    /// Drops the front, which has been pushed.
    fn pop(&mut self) {
        if let Some(slot) = self.queue.pop_front() {
            self.held_bytes = self.held_bytes.saturating_sub(slot.cost);
        }
        if self.queue.is_empty() {
            self.mode = Mode::Direct;
        }
    }
}

/// What the task had in its hands.
pub struct Pushed {
    /// Flushes when it took it.
    pub flushes: u64,
    pub is_event: bool,
    pub survives_flush: bool,
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
