// SPDX-License-Identifier: MIT OR Apache-2.0

//! Hold and drain: an element that has to wait for something holds its stream instead of blocking it.
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
//! * FLUSH_START comes on any thread, also from below in the middle of the task's own push. It marks the
//!   state, so every wait ends; is forwarded, so a blocked push ends; and waits until the task has its hands free,
//!   unless it is on the task's own thread. So no item of before the flush is pushed after FLUSH_STOP.
//! * Deactivation marks the state, then stops and joins the task. Source pads are deactivated before
//!   sink pads (`gst_element_pads_activate`), so a streaming thread that waits here is free before its own pad waits for it.
//! * The two waits of the streaming thread (for room, and for the drain before EOS) also look around, see [`Watch`].
//!
//! The task is started by a hold. When all is pushed it waits for more, with the source pad's stream lock, which nobody else wants; the streaming
//! thread ends it with the next item that passes directly. A pad's task that is paused would keep its thread, and a wall of streams one for each.

mod item;
mod pads;
mod state;
mod watch;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::task::{Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use item::Flow;
pub use item::Item;
pub use pads::{Holding, build_pads};
use state::{Mode, Slot, State};
use watch::Watch;

use crate::hierarchy::{ancestors, swallows_errors};
use crate::messages::post_stream_error;
use crate::runtime::try_thread;
use crate::wait::{Guarded, Woken, lock};

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

/// What GLib's threads have at the most where nobody says otherwise: the system's default.
const TASK_STACK: usize = 8 << 20;

/// Until a pad that flushes has said why.
const A_MOMENT: Duration = Duration::from_millis(20);

/// One stream's hold, between a sink pad and a source pad.
pub struct Hold {
    shared: Arc<Shared>,
    waker: Waker,
    watch: Mutex<Option<Watch>>,
}

struct Shared {
    /// True where an item may be prepared and pushed without a look at the state. Only the
    /// streaming thread begins a hold, so what it reads here stays true while it pushes.
    direct: AtomicBool,
    /// There is a task. Only the streaming thread starts one, and ends it while the pads are active.
    has_task: AtomicBool,
    guarded: Guarded<State>,
}

/// Wakes the hold to look again. It keeps nothing alive.
struct HoldWaker(Weak<Shared>);

impl Wake for HoldWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(shared) = self.0.upgrade() {
            shared.guarded.change(|state| state.calls += 1);
        }
    }
}

/// What the hold has done since the element went to PAUSED.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    pub holds: u32,
    pub peak_held_bytes: usize,
}

impl Default for Hold {
    fn default() -> Self {
        let shared = Arc::new(Shared {
            direct: AtomicBool::new(false),
            has_task: AtomicBool::new(false),
            guarded: Guarded::new(State::default()),
        });
        Self {
            waker: Arc::new(HoldWaker(Arc::downgrade(&shared))).into(),
            shared,
            watch: Mutex::default(),
        }
    }
}

impl Hold {
    /// To be registered with whatever an element waits for.
    pub fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Whether items are held, so that nothing may overtake them.
    pub fn is_holding(&self) -> bool {
        !self.shared.direct.load(Ordering::Acquire) && self.lock().mode != Mode::Direct
    }

    pub fn figures(&self) -> Figures {
        let state = self.lock();
        Figures {
            holds: state.holds,
            peak_held_bytes: state.peak_held_bytes,
        }
    }

    /// The most that is held, in bytes. Takes effect at once.
    pub fn set_max_held_bytes(&self, max: u64) {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        self.change(|state| state.max_held_bytes = max);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.guarded.lock()
    }

    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        self.shared.guarded.change(|state| {
            let result = change(state);
            self.shared
                .direct
                .store(state.is_direct(), Ordering::Release);
            self.shared.has_task.store(state.started, Ordering::Relaxed);
            result
        })
    }

    /// A serialized item on the streaming thread.
    fn pass<E: Holding>(&self, element: &E, item: Item) -> Flow {
        element.item_arrived(&item);
        self.pass_on(element, item)
    }

    /// One that the element has seen arrive.
    fn pass_on<E: Holding>(&self, element: &E, item: Item) -> Flow {
        let item = if self.shared.direct.load(Ordering::Acquire) {
            item
        } else {
            match self.append(element, item)? {
                Some(after_the_drain) => after_the_drain,
                None => return Ok(gst::FlowSuccess::Ok),
            }
        };
        if self.shared.has_task.load(Ordering::Relaxed) {
            self.end_task(element.srcpad());
        }
        match prepare(element, item) {
            Prepared::Push(item) | Prepared::After(_, item) => item.push(element.srcpad()),
            Prepared::Consumed => Ok(gst::FlowSuccess::Ok),
            Prepared::Fail(flow) => {
                self.change(|state| state.fail(flow));
                Err(flow)
            }
            Prepared::NotYet(item, _) => self.begin(element, item),
        }
    }

    /// Begins to hold. The task prepares the item again, and so registers for the wake-up itself.
    fn begin<E: Holding>(&self, element: &E, item: Item) -> Flow {
        lock(&self.watch)
            .get_or_insert_with(|| Watch::new(element.obj().upcast_ref()))
            .watch_for_seeks();
        let has_task = self.change(|state| {
            if !state.active || state.flushing {
                return Err(gst::FlowError::Flushing);
            }
            state.holds += 1;
            state.push(item);
            Ok(std::mem::replace(&mut state.started, true))
        })?;
        if !has_task {
            start_task(element);
        }
        Ok(gst::FlowSuccess::Ok)
    }

    /// Ends the task, which has pushed all that was held. On the streaming thread, which waits for a moment until it has left.
    fn end_task(&self, srcpad: &gst::Pad) {
        let is_idle = self.change(|state| {
            // It may be in a push still that a flush has made pointless.
            state.dismissed = state.started && state.queue.is_empty() && state.working.is_none();
            state.dismissed
        });
        if !is_idle {
            return;
        }
        // Somebody who deactivates the pad meanwhile has stopped it too.
        let _ = srcpad.stop_task();
        self.change(|state| {
            state.dismissed = false;
            state.started = false;
        });
    }

    /// Holds the item, when there is room, behind what is held. Gives it back where the hold has
    /// ended meanwhile and it can pass directly.
    fn append<E: Holding>(&self, element: &E, item: Item) -> Result<Option<Item>, gst::FlowError> {
        let cost = item.cost();
        // As in `gst_queue_chain_buffer_or_list`, data is told what became of the data before it;
        // an event goes on its way.
        let is_data = !matches!(item, Item::Event(_));
        let (mut state, woken) = self.wait(self.lock(), |state| {
            state.is_over()
                || (is_data && state.unreported.is_some())
                || match state.mode {
                    Mode::Direct => true,
                    Mode::Draining => false,
                    // Where nothing but a buffer has to wait, one that is larger than the bound
                    // is held all the same.
                    Mode::Waiting => {
                        state.held_bytes == 0
                            || element.needs_more_input()
                            || state.held_bytes.saturating_add(cost) <= state.max_held_bytes
                    }
                }
        });
        if let Some(flow) = state.verdict(woken) {
            return Err(flow);
        }
        if is_data && state.unreported.is_some() {
            drop(state);
            // Only a flush can have taken it meanwhile.
            return Err(self.take_unreported().unwrap_or(gst::FlowError::Flushing));
        }
        if state.mode == Mode::Direct {
            return Ok(Some(item));
        }
        // No wake-up: the task waits for an empty queue to fill, and this one was not empty.
        state.push(item);
        Ok(None)
    }

    /// EOS: waits until all is pushed. dashdemux2 takes the return for the end of the stream and
    /// ends its tracks (`gst_adaptive_demux2_stream_push_event`).
    fn pass_eos<E: Holding>(&self, element: &E, event: gst::Event) -> Flow {
        let eos = Item::Event(event);
        element.item_arrived(&eos);
        let (state, woken) = self.wait(self.lock(), |state| {
            state.is_over() || state.mode == Mode::Direct
        });
        if let Some(flow) = state.verdict(woken) {
            return Err(flow);
        }
        drop(state);
        if let Some(flow) = self.take_unreported() {
            post_flow_error(element, flow);
        }
        self.pass_on(element, eos)
    }

    fn take_unreported(&self) -> Option<gst::FlowError> {
        self.change(|state| state.unreported.take())
    }

    fn wait<'a>(
        &'a self,
        guard: MutexGuard<'a, State>,
        ready: impl FnMut(&mut State) -> bool,
    ) -> (MutexGuard<'a, State>, Woken) {
        let pointless = || lock(&self.watch).as_mut().is_some_and(Watch::look);
        self.shared
            .guarded
            .wait(guard, None, Some(&pointless), ready)
    }

    fn flush_start<E: Holding>(&self, element: &E, event: gst::Event) -> bool {
        self.change(|state| {
            state.flushing = true;
            state.flushes += 1;
            state.flush();
        });
        let forwarded = element.srcpad().push_event(event);
        let me = thread::current().id();
        let (_state, _) = self.shared.guarded.wait(self.lock(), None, None, |state| {
            !state.active || state.working.is_none_or(|worker| worker == me)
        });
        forwarded
    }

    fn flush_stop<E: Holding>(&self, element: &E, event: gst::Event) -> bool {
        let forwarded = element.srcpad().push_event(event);
        if let Some(watch) = lock(&self.watch).as_ref() {
            watch.seek_is_done();
        }
        self.change(|state| {
            state.flushing = false;
            state.unreported = None;
            state.mode = if state.queue.is_empty() {
                Mode::Direct
            } else {
                Mode::Waiting
            };
        });
        forwarded
    }

    fn activate(&self) {
        self.change(|state| {
            *state = State {
                active: true,
                max_held_bytes: state.max_held_bytes,
                flushes: state.flushes,
                calls: state.calls,
                ..State::default()
            };
        });
    }

    fn deactivate(&self, srcpad: &gst::Pad) -> Result<(), glib::BoolError> {
        self.change(|state| {
            state.active = false;
            state.drop_held();
        });
        let joined = srcpad.stop_task();
        self.change(State::drop_held);
        lock(&self.watch).take();
        joined
    }

    /// To be called when the element is in READY and no streaming thread is left. One that was about to start
    /// the task while the source pad was deactivated has started it by now.
    pub fn end(&self, srcpad: &gst::Pad) {
        // Without a task there is nothing to stop.
        let _ = srcpad.stop_task();
    }

    /// One step of the task.
    fn drain<E: Holding>(&self, element: &E) {
        let (mut state, _) = self.shared.guarded.wait(self.lock(), None, None, |state| {
            state.is_dismissed() || (!state.flushing && !state.queue.is_empty())
        });
        if state.is_dismissed() {
            drop(state);
            // So that it does not turn in circles until it is stopped.
            let _ = element.srcpad().pause_task();
            return;
        }
        let (flushes, calls) = (state.flushes, state.calls);
        // An event stays in its place, in case a flush sweeps over the pads while it is pushed. A
        // buffer leaves it: a second reference would make it read-only for downstream.
        let item = match state.queue.front_mut() {
            Some(Slot {
                item: Some(Item::Event(event)),
                ..
            }) => Item::Event(event.clone()),
            Some(Slot { item, .. }) => match item.take() {
                Some(item) => item,
                None => return,
            },
            None => return,
        };
        state.working = Some(thread::current().id());
        drop(state);
        let working = Working(self);

        let pushed = Pushed {
            flushes,
            is_event: matches!(item, Item::Event(_)),
            survives_flush: item.survives_flush(),
        };
        match prepare(element, item) {
            Prepared::Push(item) | Prepared::After(_, item) => {
                self.push_held(element, item, pushed);
            }
            Prepared::Consumed => self.pushed(pushed, Ok(gst::FlowSuccess::Ok)),
            Prepared::Fail(flow) => self.change(|state| state.fail(flow)),
            Prepared::NotYet(item, until) => {
                self.put_back(flushes, item);
                drop(working);
                // Whatever ends this wait, the next step looks again.
                let _ = self
                    .shared
                    .guarded
                    .wait(self.lock(), Some(until), None, |state| {
                        !state.active || state.flushes != flushes || state.calls != calls
                    });
            }
        }
    }

    fn push_held<E: Holding>(&self, element: &E, item: Item, pushed: Pushed) {
        self.change(|state| {
            if state.mode == Mode::Waiting {
                state.mode = Mode::Draining;
            }
        });
        let flow = item.push(element.srcpad());
        self.pushed(pushed, flow);
    }

    fn put_back(&self, flushes: u64, item: Item) {
        self.change(|state| {
            if state.flushes != flushes || !state.active {
                return;
            }
            state.mode = Mode::Waiting;
            if let Some(Slot {
                item: place @ None, ..
            }) = state.queue.front_mut()
            {
                *place = Some(item);
            }
        });
    }

    /// The task has pushed the item at the front.
    fn pushed(&self, pushed: Pushed, flow: Flow) {
        self.change(|state| {
            // Whoever sees that nothing is held may end the task.
            state.working = None;
            if state.flushes != pushed.flushes {
                // A flush came meanwhile. What survives one is still at the front: it goes again
                // where it found the source pad flushing, and is done where it reached it.
                if pushed.survives_flush && flow.is_ok() && !state.queue.is_empty() {
                    state.pop();
                }
                return;
            }
            state.pop();
            if let Err(flow) = flow
                && !pushed.is_event
            {
                // Downstream wants no more of this; what describes the stream still goes, and
                // upstream is told with its next buffer.
                state.keep(Slot::is_event);
                state.unreported = Some(flow);
                if state.queue.is_empty() {
                    state.mode = Mode::Direct;
                }
            }
        });
    }
}

/// What becomes of the item, once the events are pushed that it needs before it.
fn prepare<E: Holding>(element: &E, item: Item) -> Prepared {
    let mut prepared = element.prepare(item);
    // Each turn takes something new: a token that was refused while the events were pushed.
    while let Prepared::After(events, item) = prepared {
        if !push_events(element, events) {
            // The pad flushes, or is about to be deactivated: what knows which of them is told in a moment.
            return Prepared::NotYet(item, Instant::now() + A_MOMENT);
        }
        prepared = element.prepare(item);
    }
    prepared
}

/// Pushes events that an item needs before it. Where they met a flush (the pad keeps the last one of each kind then, and says nothing)
/// they are to be pushed again afterwards. Whether all went.
fn push_events<E: Holding>(element: &E, events: Vec<gst::Event>) -> bool {
    let srcpad = element.srcpad();
    for event in events {
        // One that nobody downstream wanted is no reason to keep the others back.
        let _ = srcpad.push_event(event);
        if srcpad.pad_flags().contains(gst::PadFlags::FLUSHING) {
            element.events_were_flushed();
            return false;
        }
    }
    true
}

/// What the task has in its hands.
struct Pushed {
    flushes: u64,
    is_event: bool,
    survives_flush: bool,
}

/// The task has an item in its hands, until this is dropped.
struct Working<'a>(&'a Hold);

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.working = None);
    }
}

/// Upstream has finished and would never see what downstream answered, as in `gst_queue_handle_sink_event`.
fn post_flow_error<E: Holding>(element: &E, flow: gst::FlowError) {
    let obj = element.obj();
    let is_wanted = match flow {
        gst::FlowError::Eos | gst::FlowError::Flushing => false,
        // In a player that is what becomes of a track which nobody selected.
        gst::FlowError::NotLinked => !ancestors(obj.upcast_ref()).any(|bin| swallows_errors(&bin)),
        _ => true,
    };
    if is_wanted {
        post_stream_error(
            obj.upcast_ref(),
            gst::StreamError::Failed,
            &format!("internal data stream error: downstream answered {flow:?}"),
        );
    }
}

/// Lets a task on the element's source pad take steps until it is stopped.
fn start_task<E: Holding>(element: &E) {
    let weak = element.obj().upcast_ref::<gst::Element>().downgrade();
    let step = move || {
        if let Some(element) = weak.upgrade()
            && let Some(element) = element.downcast_ref::<E::Type>()
        {
            let imp = E::from_obj(element);
            imp.catch_panic(
                || {
                    imp.hold().change(|state| state.fail(gst::FlowError::Error));
                    // Else it would come here for ever.
                    let _ = imp.srcpad().pause_task();
                },
                |imp| imp.hold().drain(imp),
            );
        }
    };
    // A GstTask without a thread counts as running, and whoever stops it waits for ever (`start_task` in `gsttask.c`).
    let is_started = try_thread(TASK_STACK).is_ok() && element.srcpad().start_task(step).is_ok();
    if !is_started {
        post_stream_error(
            element.obj().upcast_ref(),
            gst::StreamError::Failed,
            "no thread could be started for the data that is held",
        );
        element.hold().change(|state| {
            state.started = false;
            state.fail(gst::FlowError::Error);
        });
    }
}
