// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a hold needs to know of the items that it holds, and of the element around it.

use std::time::Instant;

/// What travels in order with a stream.
pub trait HeldItem: Clone {
    /// What it counts for against the bound on held data, in bytes.
    fn cost(&self) -> usize;

    fn is_event(&self) -> bool;

    /// Whether it stays when a flush drops what is held.
    fn survives_flush(&self) -> bool;
}

/// What became of an item.
pub enum Readiness<I, E> {
    /// Push this, which may be another one than came in.
    Push(I),
    /// It was for this element only.
    Consumed,
    /// It cannot be pushed yet. The element has registered the waker for what it waits for, and
    /// wants to be asked again when woken or at that time.
    NotYet(I, Instant),
    /// The stream ends here; the element has posted why.
    Fail(E),
}

/// What a streaming thread that waits keeps from going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// The pipeline stops: no item is wanted any more.
    Stop,
    /// A flushing seek. Its demuxer may accept it, and flush, or refuse it, and go on.
    Seek,
}

/// An element's two pads, and what it does with items.
pub trait Stream {
    type Item: HeldItem;
    /// What downstream answers.
    type Success;
    type Error: Copy;

    /// The answer for an item that is held.
    const HELD: Self::Success;
    /// The answer where the pads flush, or are not active.
    const FLUSHING: Self::Error;
    const ERROR: Self::Error;

    /// Makes an item ready for pushing. Called in order, on one thread at a time, without a lock.
    fn prepare(&self, item: Self::Item) -> Readiness<Self::Item, Self::Error>;

    /// Downstream's answer.
    fn push(&self, item: Self::Item) -> Result<Self::Success, Self::Error>;

    /// Whether more has to come before anything that is held can go.
    fn needs_more_input(&self) -> bool;

    /// Who wants the streaming thread back, though nobody has flushed or stopped the stream yet.
    fn interruption(&self) -> Option<Interruption>;

    /// The next item is held.
    fn begin_hold(&self);

    /// Has [`super::core::Core::step`] called on a thread of its own until that is stopped. `false`
    /// where there is no thread; the element has posted that.
    fn start_task(&self) -> bool;

    /// Ends that thread, and waits until it has ended.
    fn stop_task(&self);

    /// Lets that thread rest. Called on it.
    fn pause_task(&self);

    /// Upstream has finished, and will not see what downstream answered to an item that was held.
    fn report(&self, error: Self::Error);
}
