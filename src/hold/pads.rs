// SPDX-License-Identifier: MIT OR Apache-2.0

//! The pad functions of an element that holds: translation to [`Hold`], and nothing else.

use gst::prelude::*;
use gst::subclass::prelude::*;

use super::{Hold, Item, Prepared};

/// An element with one sink pad and one source pad that holds what it cannot push yet.
pub trait Holding: ElementImpl
where
    Self::Type: IsA<gst::Element>,
{
    fn hold(&self) -> &Hold;

    fn srcpad(&self) -> &gst::Pad;

    /// An item comes, on the streaming thread and before everything else; it may be held behind others before it is prepared.
    fn item_arrived(&self, _item: &Item) {}

    /// Whether more has to come before anything that is held can go, so that nothing waits for room.
    fn needs_more_input(&self) -> bool {
        false
    }

    /// Makes an item ready for pushing. Called in order, on one thread at a time, without a lock;
    /// must not block. An item may come again after [`Prepared::NotYet`].
    fn prepare(&self, item: Item) -> Prepared;

    /// Events of [`Prepared::After`] were lost in a flush.
    fn events_were_flushed(&self) {}

    /// Whether the element answers this query from downstream.
    fn src_query(&self, _query: &mut gst::QueryRef) -> bool {
        false
    }

    /// Whether the element keeps this event from downstream to itself.
    fn src_event(&self, _event: &gst::Event) -> bool {
        false
    }
}

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
                |element| element.hold().pass(element, Item::Buffer(buffer)),
            )
        })
        .chain_list_function(|_, parent, list| {
            E::catch_panic_pad_function(
                parent,
                || Err(gst::FlowError::Error),
                |element| element.hold().pass(element, Item::List(list)),
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
                    gst::Pad::query_default(pad, Some(&*element.obj()), query)
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
                    element.src_event(&event)
                        || gst::Pad::event_default(pad, Some(&*element.obj()), event)
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
                        element.hold().activate();
                        Ok(())
                    } else {
                        element.hold().deactivate(pad).map_err(Into::into)
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
    let hold = element.hold();
    match event.view() {
        gst::EventView::FlushStart(_) => taken(hold.flush_start(element, event)),
        gst::EventView::FlushStop(_) => taken(hold.flush_stop(element, event)),
        gst::EventView::Eos(_) => hold.pass_eos(element, event),
        _ if event.is_serialized() => hold.pass(element, Item::Event(event)),
        _ => taken(element.srcpad().push_event(event)),
    }
}

/// What `gst_pad_send_event` makes of an event function's answer.
fn taken(taken: bool) -> Result<gst::FlowSuccess, gst::FlowError> {
    if taken {
        Ok(gst::FlowSuccess::Ok)
    } else {
        Err(gst::FlowError::Error)
    }
}
