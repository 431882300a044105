// SPDX-License-Identifier: MIT OR Apache-2.0

//! The pads of an element that holds: pad functions to [`Core`](super::core::Core), and its calls
//! to the element and downstream. Translation, and nothing else.

use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::holding::{Hold, Holding, Prepared};
use super::item::{Flow, Item};
use super::stream::{Interruption, Readiness, Stream};
use super::watch::Watch;
use crate::error::{Failure, Fault};
use crate::hierarchy::{ancestors, swallows_errors};
use crate::messages::post_error;
use crate::runtime::try_thread;
use crate::wait::lock;

/// What GLib's threads have at the most where nobody says otherwise: the system's default.
const TASK_STACK: usize = 8 << 20;

/// Until a pad that flushes has said why.
const A_MOMENT: Duration = Duration::from_millis(20);

/// The sink pad and the source pad, from the class's templates `sink` and `src`.
pub fn build_pads<E: Holding>(
    sink: &gst::PadTemplate,
    src: &gst::PadTemplate,
    flags: gst::PadFlags,
) -> (gst::Pad, gst::Pad)
where
    E::Type: IsA<gst::Element>,
{
    let sinkpad = gst::Pad::builder_from_template(sink)
        .chain_function(|_, parent, buffer| {
            E::catch_panic_pad_function(
                parent,
                || Err(gst::FlowError::Error),
                |element| pass(element, Item::Buffer(buffer)),
            )
        })
        .chain_list_function(|_, parent, list| {
            E::catch_panic_pad_function(
                parent,
                || Err(gst::FlowError::Error),
                |element| pass(element, Item::List(list)),
            )
        })
        // With the whole flow: a wait that ends because of a flush is no error.
        .event_full_function(|_, parent, event| {
            E::catch_panic_pad_function(
                parent,
                || Err(gst::FlowError::Error),
                |element| sink_event(element, event),
            )
        })
        .query_function(|pad, parent, query| {
            E::catch_panic_pad_function(
                parent,
                || false,
                |element| {
                    // The answer to a serialized query (ALLOCATION, DRAIN) is for the place in
                    // the stream where it stands, and what is held comes before.
                    if query.is_serialized() && element.hold().is_holding() {
                        return false;
                    }
                    element.sink_query(query)
                        || gst::Pad::query_default(pad, Some(&*element.obj()), query)
                },
            )
        })
        .flags(flags)
        .build();
    let srcpad = gst::Pad::builder_from_template(src)
        .query_function(|pad, parent, query| {
            E::catch_panic_pad_function(
                parent,
                || false,
                |element| {
                    element.src_query(query)
                        || gst::Pad::query_default(pad, Some(&*element.obj()), query)
                },
            )
        })
        .event_function(|pad, parent, event| {
            E::catch_panic_pad_function(
                parent,
                || false,
                |element| {
                    element.src_event(&event).unwrap_or_else(|| {
                        gst::Pad::event_default(pad, Some(&*element.obj()), event)
                    })
                },
            )
        })
        .activatemode_function(|pad, parent, mode, active| {
            E::catch_panic_pad_function(
                parent,
                || Err(gst::loggable_error!(gst::CAT_RUST, "a panic was caught")),
                |element| {
                    if mode != gst::PadMode::Push {
                        return Err(gst::loggable_error!(gst::CAT_RUST, "push mode only"));
                    }
                    if active {
                        element.hold().core.activate();
                        Ok(())
                    } else {
                        deactivate(element.hold(), pad).map_err(Into::into)
                    }
                },
            )
        })
        .flags(flags)
        .build();
    (sinkpad, srcpad)
}

fn sink_event<E: Holding>(
    element: &E,
    event: gst::Event,
) -> Result<gst::FlowSuccess, gst::FlowError>
where
    E::Type: IsA<gst::Element>,
{
    let (hold, srcpad) = (element.hold(), element.srcpad());
    match event.view() {
        gst::EventView::FlushStart(_) => taken(hold.core.flush_start(|| srcpad.push_event(event))),
        gst::EventView::FlushStop(_) => taken(flush_stop(hold, srcpad, event)),
        gst::EventView::Eos(_) => {
            let eos = Item::Event(event);
            element.item_arrived(&eos);
            hold.core.pass_eos(&Pads(element), eos)
        }
        _ if event.is_serialized() => pass(element, Item::Event(event)),
        _ => taken(srcpad.push_event(event)),
    }
}

/// A serialized item on the streaming thread.
fn pass<E: Holding>(element: &E, item: Item) -> Flow
where
    E::Type: IsA<gst::Element>,
{
    element.item_arrived(&item);
    element.hold().core.pass(&Pads(element), item)
}

fn flush_stop(hold: &Hold, srcpad: &gst::Pad, event: gst::Event) -> bool {
    let forwarded = srcpad.push_event(event);
    if let Some(watch) = lock(&hold.watch).as_ref() {
        watch.seek_is_done();
    }
    hold.core.flush_stop();
    forwarded
}

fn deactivate(hold: &Hold, srcpad: &gst::Pad) -> Result<(), glib::BoolError> {
    let stopped = hold.core.deactivate(|| srcpad.stop_task());
    lock(&hold.watch).take();
    stopped
}

/// What `gst_pad_send_event` makes of an event function's answer.
fn taken(taken: bool) -> Result<gst::FlowSuccess, gst::FlowError> {
    if taken {
        Ok(gst::FlowSuccess::Ok)
    } else {
        Err(gst::FlowError::Error)
    }
}

/// The pads of an element, as [`Core`](super::core::Core) knows them.
struct Pads<'a, E>(&'a E);

impl<E: Holding> Stream for Pads<'_, E>
where
    E::Type: IsA<gst::Element>,
{
    type Item = Item;
    type Success = gst::FlowSuccess;
    type Error = gst::FlowError;

    const HELD: gst::FlowSuccess = gst::FlowSuccess::Ok;
    const FLUSHING: gst::FlowError = gst::FlowError::Flushing;
    const ERROR: gst::FlowError = gst::FlowError::Error;

    fn prepare(&self, item: Item) -> Readiness<Item, gst::FlowError> {
        let mut prepared = self.0.prepare(item);
        loop {
            // Each turn takes something new: a token that was refused while the events were pushed.
            prepared = match prepared {
                Prepared::After(events, item) => {
                    if !push_events(self.0, events) {
                        // The pad flushes, or is about to be deactivated: what knows which of them
                        // is told in a moment.
                        return Readiness::NotYet(item, Instant::now() + A_MOMENT);
                    }
                    self.0.prepare(item)
                }
                Prepared::Push(item) => return Readiness::Push(item),
                Prepared::Consumed => return Readiness::Consumed,
                Prepared::NotYet(item, until) => return Readiness::NotYet(item, until),
                Prepared::Fail(error) => return Readiness::Fail(error),
            };
        }
    }

    fn push(&self, item: Item) -> Flow {
        item.push(self.0.srcpad())
    }

    fn needs_more_input(&self) -> bool {
        self.0.needs_more_input()
    }

    fn interruption(&self) -> Option<Interruption> {
        lock(&self.0.hold().watch).as_mut()?.interruption()
    }

    fn begin_hold(&self) {
        lock(&self.0.hold().watch)
            .get_or_insert_with(|| Watch::new(self.0.obj().upcast_ref()))
            .watch_for_seeks();
    }

    fn start_task(&self) -> bool {
        let element = self.0;
        let weak = element.obj().upcast_ref::<gst::Element>().downgrade();
        let step = move || {
            if let Some(element) = weak.upgrade()
                && let Some(element) = element.downcast_ref::<E::Type>()
            {
                step(E::from_obj(element));
            }
        };
        // A GstTask without a thread counts as running, and whoever stops it waits for ever
        // (`start_task` in `gsttask.c`).
        let is_started =
            try_thread(TASK_STACK).is_ok() && element.srcpad().start_task(step).is_ok();
        if !is_started {
            let what = "no thread could be started for the data that is held";
            let failure = Failure::transient(what).with_fault(Fault::Threads);
            fail(element.obj().upcast_ref(), &failure);
        }
        is_started
    }

    fn stop_task(&self) {
        // Without a task there is nothing to stop.
        let _ = self.0.srcpad().stop_task();
    }

    fn pause_task(&self) {
        // Fails only where the task has been stopped.
        let _ = self.0.srcpad().pause_task();
    }

    /// As in `gst_queue_handle_sink_event`.
    fn report(&self, error: gst::FlowError) {
        let obj = self.0.obj();
        let is_wanted = match error {
            gst::FlowError::Eos | gst::FlowError::Flushing => false,
            // In a player that is what becomes of a track which nobody selected.
            gst::FlowError::NotLinked => {
                !ancestors(obj.upcast_ref()).any(|bin| swallows_errors(&bin))
            }
            _ => true,
        };
        if is_wanted {
            let what = format!("internal data stream error: downstream answered {error:?}");
            let failure = Failure::transient(what).with_fault(Fault::Downstream);
            fail(obj.upcast_ref(), &failure);
        }
    }
}

fn fail(element: &gst::Element, failure: &Failure) {
    gst::error!(gst::CAT_RUST, obj = element, "{}", failure.what);
    post_error(element, failure);
}

/// One step of the task.
fn step<E: Holding>(element: &E)
where
    E::Type: IsA<gst::Element>,
{
    element.catch_panic(
        || {
            element.hold().core.fail(gst::FlowError::Error);
            // Else it would come here for ever.
            Pads(element).pause_task();
        },
        |element| element.hold().core.step(&Pads(element)),
    );
}

/// Pushes events that an item needs before it. Where they met a flush (the pad keeps the last one
/// of each kind then, and says nothing) they are to be pushed again afterwards. Whether all went.
fn push_events<E: Holding>(element: &E, events: Vec<gst::Event>) -> bool
where
    E::Type: IsA<gst::Element>,
{
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
