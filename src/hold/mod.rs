// SPDX-License-Identifier: MIT OR Apache-2.0

//! Hold and drain: an element that has to wait for something holds its stream instead of blocking
//! it.
//!
//! In playbin3 the thread that brings a protection event is the scheduler of dashdemux2 or
//! hlsdemux2. It is stopped, and a flushing seek waits for it, before any element inside hears of
//! either; blocked there, the player freezes. So the pad function returns at once:
//!
//! * **Direct**: nothing is held. Items are prepared and pushed on the streaming thread.
//! * **Waiting**: the first held item cannot be prepared yet. What is serialized after it is held
//!   behind it, up to a bound.
//! * **Draining**: a task on the source pad pushes what is held, in order. The streaming thread
//!   waits for it, as it would wait for downstream, so that the hold ends; then it is direct again.
//!
//! Who holds which lock: the state's lock is held for looking and changing only, never while
//! anything is pushed, posted, queried or started. The streaming thread has the sink pad's stream
//! lock, the task the source pad's, and each waits for the other through the state alone.
//!
//! * FLUSH_START comes on any thread, also from below in the middle of the task's own push. It
//!   marks the state, so every wait ends; is forwarded, so a blocked push ends; and waits until the
//!   task has its hands free, unless it is on the task's own thread. So no item of before the flush
//!   is pushed after FLUSH_STOP.
//! * Deactivation marks the state, then stops and joins the task. Source pads are deactivated
//!   before sink pads (`gst_element_pads_activate`), so a streaming thread that waits here is free
//!   before its own pad waits for it.
//! * The two waits of the streaming thread (for room, and for the drain before EOS) also look
//!   around, see `watch.rs`.
//!
//! The task is started by a hold. When all is pushed it waits for more, with the source pad's
//! stream lock, which nobody else wants; the streaming thread ends it with the next item that
//! passes directly. A pad's task that is paused would keep its thread, and a wall of streams one
//! for each.

mod core;
mod holding;
mod item;
mod pads;
mod state;
mod stream;
mod watch;

pub use self::core::Figures;
pub use holding::{DEFAULT_MAX_HELD_BYTES, Hold, Holding, Prepared};
pub use item::Item;
pub use pads::build_pads;
